//! `get`.

use std::path::Path;
use std::sync::Arc;

use ekv_backup::see::{GetOptions, GetOutput, Source, get};
use ekv_backup::{
    Class, DirOptions, Error, EventOptions, ExistingTarget, Fsync, Protocol, ReadOptions, RedisOptions, Scope,
};
use ekv_model::Name;

use crate::args::GetArguments;
use crate::commands::decode::read_options;
use crate::commands::index;
use crate::commands::list::{expired, tell_of_index};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &GetArguments, output: &mut Output) -> Result<Exit, Error> {
    let text = arguments.address.as_encoded_bytes();
    let usage = |error: ekv_backup::TextError| Error::new(Class::Environment, error);
    let name = Name::parse(text, arguments.raw_names).map_err(usage)?;
    let mut scope = Scope::everything();
    scope.add_address(text, arguments.raw_names).map_err(usage)?;
    let read =
        ReadOptions { index: index::cache(arguments.cache, output), estimates: true, ..read_options(&arguments.read)? };
    let options = GetOptions {
        events: EventOptions {
            redis: RedisOptions { expired: expired(arguments.expired), ..RedisOptions::default() },
            scope: Arc::new(scope),
            checking: arguments.checking.into(),
            looks_ahead: output.is_json(),
            ..EventOptions::of(Protocol::IN_DUMPS)
        },
        name,
        json: output.is_json(),
        resources: read.resources.clone(),
    };
    let place = match &arguments.output {
        Some(path) if path != Path::new("-") => {
            GetOutput::File(path, DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::Full })
        }
        _ => GetOutput::Stream(output.bytes()?),
    };
    let mut source = Source::open(&arguments.source, &read, output.screen())?;
    index::tell(&source, arguments.cache, output);
    let report = get(&mut source, &options, place, output.screen());
    tell_of_index(&source, output);
    let report = report?;
    report.of_groups.iter().for_each(|line| output.warning(line));
    if report.is_doubtful {
        output.warning(
            "a group is missing, or an older state of one was taken: this may not be the newest value (`inspect` says more)",
        );
        return Ok(Exit::Losses);
    }
    Ok(Exit::Done)
}
