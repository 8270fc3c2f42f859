//! Tips for words that the parser does not know: its own go by letters, these by what people mean.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};

/// Words that are no commands, and the command that is meant.
const COMMANDS: [(&str, &str); 12] = [
    ("backup", "decode"),
    ("export", "decode"),
    ("extract", "decode"),
    ("list", "inspect"),
    ("show", "inspect"),
    ("stat", "inspect"),
    ("test", "verify"),
    ("validate", "verify"),
    ("import", "restore"),
    ("load", "restore"),
    ("archive", "pack"),
    ("gc", "clean"),
];

/// Options that a command lacks, as command, option, and what to do instead.
const OPTIONS: [(&str, &str, &str); 9] = [
    ("decode", "--dry-run", "'inspect' makes every check of a decode and writes nothing"),
    ("verify", "--quick", "there is no quick check: a dump is sound if every file in it is what was written"),
    ("restore", "--force", "a data directory is never replaced: move the old one out of the way"),
    ("prepare-restore", "--force", "a data directory is never replaced: move the old one out of the way"),
    ("restore", "--bootstrap", "the server needs no bootstrap flag for a restored directory; say --fresh-cluster here"),
    ("encode", "--parents", NO_PARENTS),
    ("restore", "--parents", NO_PARENTS),
    ("prepare-restore", "--parents", NO_PARENTS),
    ("verify", "--verify", "that is what the command does"),
];

const NO_PARENTS: &str = "create the parent directory first: mkdir -p DIR";

/// Replaces what the parser suggests where that would mislead.
pub(crate) fn improve(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(word) = text(&error, ContextKind::InvalidSubcommand) {
        let meant = COMMANDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&word)).map(|(_, meant)| *meant);
        if let Some(meant) = meant {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant.to_owned()]));
        }
    }
    if let Some(option) = text(&error, ContextKind::InvalidArg).filter(|option| option.starts_with("--")) {
        let lacking = |(command, lacking, _): &&(&str, &str, &str)| {
            option.split('=').next() == Some(*lacking) && words.iter().skip(1).any(|word| word == command)
        };
        let instead = OPTIONS.iter().find(lacking).map(|(_, _, instead)| vec![StyledStr::from(*instead)]);
        // That an unknown option could be a file name is hardly ever what was meant.
        error.remove(ContextKind::Suggested);
        if let Some(instead) = instead {
            error.remove(ContextKind::SuggestedArg);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(instead));
        }
    }
    error
}
