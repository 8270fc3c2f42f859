//! `compare` with a Redis server.

use ekv_backup::leave::{Renames, compare};
use ekv_backup::see::{DiffOptions, Difference, Source};
use ekv_backup::server::{ServerAddress, ServerTarget};
use ekv_backup::{Class, Error, EventOptions, Protocol};

use crate::args::CompareArguments;
use crate::commands::decode::read_options;
use crate::commands::diff::{Sums, Teller, end};
use crate::commands::text;
use crate::exit::Exit;
use crate::output::Output;

/// With a server or cluster.
pub(crate) fn run(arguments: &CompareArguments, address: &ServerAddress, output: &mut Output) -> Result<Exit, Error> {
    let adapters = [Protocol::Redis];
    let read = read_options(&arguments.read)?;
    let scope = arguments.scope.scope(&adapters, &arguments.source, read.allow_empty)?;
    let renames = Renames::parse(arguments.rename_prefix.iter().map(|rule| rule.as_encoded_bytes()));
    let renames = renames.map_err(|error| Error::new(Class::Environment, error))?;
    let options = DiffOptions {
        events: EventOptions { scope, ..EventOptions::of(adapters) },
        strict_sqs: false,
        first_only: output.is_quiet(),
        resources: read.resources.clone(),
    };
    let target = ServerTarget { address: address.clone(), access: read.server.clone() };
    let mut lines = output.lines()?;
    let mut source = Source::open(&arguments.source, &read, output.screen())?;
    if let Some(selection) = source.selection() {
        output
            .warning(format_args!("SOURCE is a part, selected by {selection}: what is not in it counts as not there"));
    }
    let mut teller = Teller::new(arguments.stat, output);
    let mut all = Sums::default();
    let mut take = |difference: &Difference| {
        all.add(difference);
        teller.take(difference, &mut lines)
    };
    let compared = compare(&mut source, &target, &renames, &options, &mut take, output.screen())?;
    teller.finish(&all, &mut lines)?;
    lines.finish()?;
    if let Some(foreign) = &compared.foreign {
        let keys = text::count(foreign.count, "key is", "keys are");
        output.warning(format_args!("{keys} not compared: {}: {}", foreign.why, foreign.first.join(", ")));
    }
    let exit = end(&compared.compared, &options, read.allow_empty, output)?;
    Ok(if exit == Exit::Done && compared.foreign.is_some() { Exit::Losses } else { exit })
}
