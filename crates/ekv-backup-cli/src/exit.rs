//! Exit codes. Source: `docs/format/tree.md`, section 10.2.

use std::process::ExitCode;

use ekv_backup::Class;

/// How the program ends. The table in the README and in `--help` lists the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done: the dump is published, the check passed.
    Done,
    /// Usage or environment: options, missing input, existing target, permission, platform.
    Environment,
    /// Data: damaged or unsupported input, name collision, checksum or manifest that does not hold.
    Data,
    /// Out of space or over quota.
    OutOfSpace,
    /// Any other failure while writing, syncing, closing or publishing.
    WriteIo,
    /// Done, but not everything is there: damaged things were left out, a group is missing, an older state was taken; the report lists it.
    Losses,
    /// The answer is no: nothing matches what was selected; nothing is published.
    No,
    /// Stopped by the user; nothing is left behind.
    Cancelled,
}

impl Exit {
    /// All of them.
    pub(crate) const ALL: [Exit; 8] = [
        Exit::Done,
        Exit::Environment,
        Exit::Data,
        Exit::OutOfSpace,
        Exit::WriteIo,
        Exit::Losses,
        Exit::No,
        Exit::Cancelled,
    ];

    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Environment => 1,
            Exit::Data => 2,
            Exit::OutOfSpace => 3,
            Exit::WriteIo => 4,
            Exit::Losses => 5,
            Exit::No => 6,
            Exit::Cancelled => 130,
        }
    }

    /// One word for it, as `--json` has it.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Losses => "incomplete",
            Exit::No => "no_match",
            Exit::Cancelled => "cancelled",
            Exit::Environment | Exit::Data | Exit::OutOfSpace | Exit::WriteIo => "failed",
        }
    }

    /// Its meaning, as `--help` and the README have it.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done: the dump is published, or the check passed",
            Exit::Environment => "usage or environment: options, missing input, existing target, permission, platform",
            Exit::Data => "data: damaged or unsupported input, a name collision, a check that failed",
            Exit::OutOfSpace => "out of space or over quota; nothing is left behind",
            Exit::WriteIo => "another failure while writing, syncing, closing or publishing",
            Exit::Losses => {
                "done, but not everything is there (damage, a missing group, an older state, what no server restores); the report lists it"
            }
            Exit::No => {
                "the answer is no: nothing matches what was selected, and nothing is published; or what is compared differs"
            }
            Exit::Cancelled => "cancelled (Ctrl-C, SIGTERM); nothing is left behind",
        }
    }
}

impl From<Class> for Exit {
    fn from(class: Class) -> Self {
        match class {
            Class::Environment => Exit::Environment,
            Class::Data => Exit::Data,
            Class::OutOfSpace => Exit::OutOfSpace,
            Class::Cancelled => Exit::Cancelled,
            Class::NoMatch => Exit::No,
            // A class that is not known here can only come from a failure while working.
            _ => Exit::WriteIo,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// The table of exit codes for `--help`.
pub(crate) fn table() -> String {
    let row = |exit: &Exit| format!("  {:>3}  {}\n", exit.code(), exit.meaning());
    Exit::ALL.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_lists_every_exit_code_with_its_meaning() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(readme.contains(&row), "README lacks: {row}");
        }
    }

    #[test]
    fn exit_codes_are_distinct_and_every_class_has_one() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
        let classes = [
            (Class::Environment, 1),
            (Class::Data, 2),
            (Class::OutOfSpace, 3),
            (Class::WriteIo, 4),
            (Class::NoMatch, 6),
            (Class::Cancelled, 130),
        ];
        for (class, code) in classes {
            assert_eq!(Exit::from(class).code(), code, "{class:?}");
        }
    }
}
