//! Tips for words that the parser does not know: its own go by letters, these by what people mean.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Words that are no commands, and the command that is meant.
const COMMANDS: [(&str, &str); 12] = [
    ("backup", "decode"),
    ("extract", "decode"),
    ("keys", "ls"),
    ("show", "get"),
    ("info", "inspect"),
    ("stat", "inspect"),
    ("test", "verify"),
    ("validate", "verify"),
    ("import", "restore"),
    ("load", "restore"),
    ("archive", "pack"),
    ("gc", "clean"),
];

/// Options that a command lacks, as command, option, and what to do instead.
const OPTIONS: [(&str, &str, &str); 5] = [
    ("verify", "--quick", "there is no quick check: a dump is sound if every file in it is what was written"),
    ("restore", "--force", "a data directory is never replaced: move the old one out of the way"),
    ("prepare-restore", "--force", "a data directory is never replaced: move the old one out of the way"),
    ("restore", "--bootstrap", "the server needs no bootstrap flag for a restored directory; say --fresh-cluster here"),
    ("verify", "--verify", "that is what the command does"),
];

/// Options that select, which these commands lack, since what they take is checked or copied whole.
const FILTERS: [&str; 10] =
    ["--key", "--prefix", "--match", "--exclude", "--adapter", "--type", "--db", "--table", "--bucket", "--queue"];
const ONE_ADDRESS: &str = "one address says what is meant: redis:0/KEY, dynamodb:TABLE/KEY, s3:BUCKET/KEY or sqs:QUEUE/ID; 'ekv-backup ls' \
    takes filters and prints addresses";
const UNFILTERED: [(&str, &str); 3] = [
    ("get", ONE_ADDRESS),
    ("history", ONE_ADDRESS),
    ("verify", "a dump is verified whole; 'pack', 'unpack', 'encode' and 'restore' select, and check what they read"),
];

/// Commands that take addresses behind two arguments which options of the reference's tools name, too.
const WITH_ADDRESSES: [&str; 5] = ["decode", "dump", "encode", "pack", "unpack"];

/// What to do where these options are mixed with arguments by their place.
const MIXED: &str = "beside --input and --output nothing is told by its place: select with --key, --prefix or --from-file, or write both \
    places and then the addresses, without these options";

/// Replaces what the parser suggests where that would mislead.
pub(crate) fn improve(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let is_of = |command: &str| words.iter().skip(1).any(|word| word == command);
    let is_mixed = error.kind() == ErrorKind::ArgumentConflict
        && words.iter().any(|word| ["--input", "--output"].iter().any(|known| begins(word, known)))
        && WITH_ADDRESSES.into_iter().any(is_of);
    if let Some(word) = text(&error, ContextKind::InvalidSubcommand) {
        let meant = COMMANDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&word)).map(|(_, meant)| *meant);
        if let Some(meant) = meant {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant.to_owned()]));
        }
    }
    if let Some(option) = text(&error, ContextKind::InvalidArg).filter(|option| option.starts_with("--")) {
        let option = option.split('=').next().unwrap_or_default();
        let lacking = OPTIONS.iter().find(|(command, lacking, _)| option == *lacking && is_of(command));
        let unfiltered = UNFILTERED.iter().find(|(command, _)| FILTERS.contains(&option) && is_of(command));
        let instead = lacking.map(|(_, _, instead)| *instead).or(unfiltered.map(|(_, instead)| *instead));
        let instead = instead.map(|instead| vec![StyledStr::from(instead)]);
        // That an unknown option could be a file name is hardly ever what was meant.
        error.remove(ContextKind::Suggested);
        if let Some(instead) = instead {
            error.remove(ContextKind::SuggestedArg);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(instead));
        }
    }
    if is_mixed {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(MIXED)]));
    }
    error
}

/// Whether a word is an option, with or without its value behind `=`.
fn begins(word: &OsString, option: &str) -> bool {
    word.as_encoded_bytes()
        .strip_prefix(option.as_bytes())
        .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'='))
}
