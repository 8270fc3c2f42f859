//! `index`, and what other commands do with what it keeps.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use ekv_backup::see::Source;
use ekv_backup::{Class, Error, IndexCache, IndexUse, ReadOptions, keep_indexes};

use crate::args::{CacheArguments, IndexArguments};
use crate::commands::target;
use crate::commands::text;
use crate::exit::Exit;
use crate::output::Output;

/// Shorter snapshots are read as a whole unless somebody asks for an index: that takes no time worth sparing. Bytes.
const WORTH_IT: u64 = 64 << 20;

pub(crate) fn run(arguments: &IndexArguments, output: &mut Output) -> Result<Exit, Error> {
    let directory = directory().ok_or_else(|| Error::new(Class::Environment, NO_PLACE))?;
    let read = ReadOptions {
        resources: target::resources(&arguments.limits),
        index: Some(IndexCache { directory, len_min: 0 }),
        ..ReadOptions::default()
    };
    let report = keep_indexes(&arguments.snapshot, &read, output.screen())?;
    report.notes.iter().for_each(|note| output.note(note));
    let not_kept = report.indexes.iter().filter(|row| row.index.is_none());
    for row in not_kept.clone() {
        output.problem(format_args!("{}: no index is kept: {}", row.snapshot, row.why.as_deref().unwrap_or_default()));
    }
    let exit = if not_kept.count() > 0 { Exit::Environment } else { Exit::Done };
    output.result(exit, &report, |out| {
        for row in &report.indexes {
            let Some(index) = &row.index else { continue };
            let _ = match row.bytes {
                Some(bytes) => writeln!(out, "{}: kept {index}, {}", row.snapshot, text::bytes(bytes)),
                None => writeln!(out, "{}: has {index}", row.snapshot),
            };
        }
    });
    Ok(exit)
}

const NO_PLACE: &str = "there is no directory for indexes: neither XDG_CACHE_HOME nor HOME is an absolute path";

/// The directory in which indexes are kept.
fn directory() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("ekv-backup"))
}

/// Where a command that looks at `source` is to keep an index, if at all.
pub(crate) fn cache(arguments: CacheArguments, output: &Output) -> Option<IndexCache> {
    let is_default = !arguments.cache && !arguments.no_cache && io::stdout().is_terminal();
    if !arguments.cache && !is_default {
        return None;
    }
    let directory = directory();
    if directory.is_none() && arguments.cache {
        output.note(NO_PLACE);
    }
    Some(IndexCache { directory: directory?, len_min: if arguments.cache { 0 } else { WORTH_IT } })
}

/// Says what became of the indexes of a source: what was kept, unless it was kept before; the rest for who asked.
pub(crate) fn tell(source: &Source, arguments: CacheArguments, output: &Output) {
    let Source::Store(store) = source else { return };
    for (snapshot, index) in store.indexes() {
        match index {
            IndexUse::Used { index } if arguments.verbose => output.note(format_args!(
                "{snapshot} is read by its index {}: what is shown is compared with checksums of the time when all of it was checked; the \
                 rest is not read again",
                index.display()
            )),
            IndexUse::Kept { index, len, instead } => {
                let instead = instead.as_ref().filter(|_| arguments.verbose);
                let instead = instead.map(|why| format!("; the one that was there was not used: {why}"));
                output.note(format_args!(
                    "all of {snapshot} was read and checked, and its index kept in {} ({}){}",
                    index.display(),
                    text::bytes(*len),
                    instead.unwrap_or_default()
                ));
            }
            IndexUse::NotKept { why } if arguments.cache || arguments.verbose => {
                output.note(format_args!("all of {snapshot} was read and checked, and no index of it is kept: {why}"));
            }
            _ => {}
        }
    }
}
