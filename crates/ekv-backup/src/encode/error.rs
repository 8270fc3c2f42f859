//! Why an encode is refused.

use std::sync::Arc;

use ekv_model::{Class, Error};

use crate::losses::{LossAccount, Losses};

/// Why an encode is refused; what the crates below report comes as their own errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeRefusal {
    /// An adapter was asked for that the dump does not hold.
    #[error("{adapter} was asked for, but MANIFEST.json says that the dump does not hold it{}", Holds(.present))]
    AdapterAbsent {
        /// The adapter.
        adapter: &'static str,
        /// The adapters that the dump holds.
        present: Vec<&'static str>,
    },
    /// A dump that was written with losses.
    #[error(
        "the dump lacks what its decode lost ({account}), and a cluster that is made of it would, too: look for it elsewhere first, such as \
         in an older snapshot or on another node; --accept-losses goes on without it"
    )]
    Losses {
        /// What is missing.
        account: LossAccount,
        /// The first of it, a line each.
        first: Vec<String>,
    },
    /// Things that no server restores, which strict mode does not accept.
    #[error(
        "strict mode: no server restores {} of the things in the dump (not_restorable); without --strict they are left out, and all \
         others are restored",
        .lost.count()
    )]
    NotRestorable {
        /// All of them.
        lost: Arc<Losses>,
    },
    /// Nothing in the dump is selected.
    #[error(
        "nothing matches {selected}; nothing is published (--allow-empty makes a payload of nothing){}", .hint.as_ref().map_or_else(String::new, |hint| format!("; hint: {hint}"))
    )]
    NothingSelected {
        /// What was asked for.
        selected: String,
        /// What may be meant.
        hint: Option<String>,
    },
    /// The dump holds no data, or none of the adapters that were asked for.
    #[error(
        "the dump holds no data{}{}: a cluster that is made of it would be empty (--allow-empty makes a payload of nothing)",
        if .adapters.is_empty() { String::new() } else { format!(" of {}", .adapters.join(", ")) },
        if *.lost == 0 { String::new() } else { format!(" that a server restores ({lost} things that none does)") }
    )]
    NothingThere {
        /// The adapters that were asked for; none if nothing was.
        adapters: Vec<&'static str>,
        /// How many things it holds that no server restores.
        lost: u64,
    },
    /// A timestamp below that of the dump.
    #[error(
        "the last commit timestamp {given} is below {manifest}, which MANIFEST.json states: the new node's clock could hand out \
         timestamps that are in the dump"
    )]
    TimestampLowered {
        /// The timestamp that was asked for.
        given: u64,
        /// The one in the manifest.
        manifest: u64,
    },
    /// Receives of messages, which the reference's records cannot carry.
    #[error(
        "the dump was decoded with --preserve-sqs-visibility, which --reference-bytes would lose: leave one of them out, or choose \
         other adapters with --adapter"
    )]
    ReferenceVisibility,
    /// The dump is not what it was a moment ago.
    #[error("the dump changed while it was read")]
    DumpChanged,
    /// A warning that strict mode does not accept.
    #[error("strict mode: {warning}")]
    Strict {
        /// The warning.
        warning: String,
    },
    /// The payload does not decode to the dump.
    #[error(
        "self test: the payload does not decode to what was encoded ({differences} differences{}); nothing was published",
        .report.as_ref().map_or_else(String::new, |report| format!(", listed in {report}"))
    )]
    SelfTest {
        /// How many differences there are.
        differences: u64,
        /// The first of them, a line each.
        first: Vec<String>,
        /// The file that lists them, if it could be written.
        report: Option<String>,
    },
}

/// The list of what there is.
struct Holds<'a>(&'a [&'static str]);

impl std::fmt::Display for Holds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [] => Ok(()),
            names => write!(f, ", only {}", names.join(", ")),
        }
    }
}

impl From<EncodeRefusal> for Error {
    fn from(error: EncodeRefusal) -> Self {
        let class = match &error {
            EncodeRefusal::NothingSelected { .. } | EncodeRefusal::NothingThere { .. } => Class::NoMatch,
            _ => Class::Data,
        };
        Error::new(class, error)
    }
}
