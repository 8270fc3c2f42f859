//! `load` and `compare`: which target is it?

use ekv_backup::leave::Destination;
use ekv_backup::{Class, Error};

use crate::args::{CompareArguments, LoadArguments};
use crate::commands::{aws, compare as compare_server, load as load_server};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn load(arguments: &LoadArguments, output: &mut Output) -> Result<Exit, Error> {
    check_place(&arguments.misplaced(), &arguments.target)?;
    match &arguments.target {
        Destination::Redis(address) => load_server::run(arguments, address, output),
        Destination::Aws(service) => aws::load(arguments, *service, output),
    }
}

pub(crate) fn compare(arguments: &CompareArguments, output: &mut Output) -> Result<Exit, Error> {
    check_place(&arguments.misplaced(), &arguments.target)?;
    match &arguments.target {
        Destination::Redis(address) => compare_server::run(arguments, address, output),
        Destination::Aws(service) => aws::compare(arguments, *service, output),
    }
}

/// Refuses options that say nothing about the target: whoever gave them expects something of them.
fn check_place(misplaced: &[&str], target: &Destination) -> Result<(), Error> {
    let of = match target {
        Destination::Redis(_) => "a Redis server".to_owned(),
        Destination::Aws(service) => service.to_string(),
    };
    match misplaced {
        [] => Ok(()),
        some => Err(Error::new(Class::Environment, format!("{} means nothing for {of}", some.join(", ")))),
    }
}
