//! What to do about an error, where the command line offers a way.

use std::io;
use std::path::Path;

use ekv_dump::DumpFault;
use ekv_dump::verify::ProblemKind;
use ekv_files::ErrorKind;
use ekv_files::sink::{SinkError, SinkOperation};
use ekv_model::Error;
use ekv_snapshot::FooterPolicy;

use crate::input_place::{InputPlace, STANDARD_INPUT};
use crate::open::footer_policy;
use crate::shell;

/// What was attempted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempt<'a> {
    /// What is read.
    pub input: Option<&'a Path>,
    /// What is made.
    pub target: Option<&'a Path>,
    /// What `--force` replaces; `None` if the command has no such option.
    pub force: Option<&'static str>,
    /// Whether the command has `--parents`.
    pub has_parents: bool,
    /// Whether a dump is read that somebody may have edited.
    pub reads_edited: bool,
    /// The option that asks for a checksum.
    pub checksum_option: Option<&'static str>,
}

impl Attempt<'_> {
    /// The input, as messages name it, if `error` is about it as a whole and does not name it.
    pub fn unnamed_input(&self, error: &Error) -> Option<String> {
        let error = error.get_ref().downcast_ref::<ekv_files::Error>()?;
        let input = self.input?;
        let name = match InputPlace::of(input) {
            Ok(InputPlace::StandardInput) => STANDARD_INPUT.to_owned(),
            _ => input.display().to_string(),
        };
        let is_named = error.location().path.as_deref() == Some(name.as_bytes());
        let is_no_dump = matches!(error.content(), Some(DumpFault::NotADump { .. }));
        (is_no_dump || matches!(error.kind(), ErrorKind::Archive(_))).then_some(name).filter(|_| !is_named)
    }

    /// A way on after `error`, if an option or another command is one.
    pub fn remedy(&self, error: &Error) -> Option<String> {
        if let Some(error) = error.get_ref().downcast_ref::<ekv_snapshot::Error>() {
            let is_asked_for = |input: &Path| {
                matches!(InputPlace::of(input), Ok(InputPlace::Directory))
                    || footer_policy(input) == FooterPolicy::Required
            };
            return match (error.kind(), self.checksum_option, self.input) {
                (ekv_snapshot::ErrorKind::FooterMissing, Some(option), Some(input)) if !is_asked_for(input) => {
                    Some(format!(
                        "{option} refuses a snapshot without a checksum; without the option it is taken, with a warning"
                    ))
                }
                _ => None,
            };
        }
        let error = error.get_ref().downcast_ref::<ekv_files::Error>()?;
        if let Some(DumpFault::Unsound(problems)) = error.content()
            && self.reads_edited
        {
            let is_edit = |kind: &ProblemKind| {
                matches!(kind, ProblemKind::Changed | ProblemKind::Missing | ProblemKind::Unlisted)
            };
            let input = self.input.filter(|_| problems.first.iter().any(|problem| is_edit(&problem.kind)))?;
            return matches!(InputPlace::of(input), Ok(InputPlace::Directory))
                .then(|| format!("if you edited it: ekv-backup checksums {}", shell::path(input)));
        }
        match error.kind() {
            ErrorKind::Sink(SinkError::TargetExists { .. }) => {
                self.force.map(|replaced| format!("--force replaces {replaced}"))
            }
            ErrorKind::Sink(SinkError::Io { operation: SinkOperation::OpenParent, source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                let parent = self.target?.parent()?;
                let parent = shell::path(parent);
                Some(match self.has_parents {
                    true => format!("--parents creates it, or: mkdir -p {parent}"),
                    false => format!("create it first: mkdir -p {parent}"),
                })
            }
            _ => None,
        }
    }
}
