//! How a dump is encoded.

use std::sync::Arc;

use ekv_dump::FsTarOptions;
use ekv_files::sink::DirOptions;
use ekv_model::Scope;
use ekv_snapshot::WrittenForm;
use ekv_spill::Scratch;
use jiff::Timestamp;

use crate::report::program;
use crate::{Protocol, Resources};

/// What an encode should do.
#[derive(Clone, Debug)]
pub struct EncodeOptions {
    /// Which adapters' files are encoded; `None` = all that the dump holds.
    pub adapters: Option<Vec<Protocol>>,
    /// What of these adapters' files is encoded.
    pub scope: Arc<Scope>,
    /// The commit timestamp of all records; `None` = that of the dump.
    pub last_commit_ts: Option<u64>,
    /// Whether a timestamp is accepted that is newer than this machine's clock.
    pub allow_future_timestamps: bool,
    /// What surrounds the payload.
    pub form: WrittenForm,
    /// Whether the payload is decoded again and compared before it gets its name.
    pub self_test: bool,
    /// What reading the dump may take.
    pub resources: Resources,
    /// Memory for sorting, in bytes.
    pub sort_memory: usize,
    /// How the payload is written.
    pub sink: DirOptions,
    /// Whether missing directories above the payload are created.
    pub parents: bool,
    /// Whether every warning is an error.
    pub strict: bool,
    /// Whether records are those of the reference encoder, with what it leaves out, instead of those that a server would have stored.
    /// Source: `docs/format/sqs.md`, section 6.
    pub reference_bytes: bool,
    /// Whether files of types that no known server has become records as they are.
    pub keeps_unknown_types: bool,
    /// What is read is no dump but a tar archive of files, of which these are taken.
    pub fs_tar: Option<FsTarOptions>,
    /// What the info file calls the program.
    pub encoder_version: String,
    /// Whether a dump is encoded that was written with losses.
    pub accept_losses: bool,
    /// Whether a payload without any record is written.
    pub allow_empty: bool,
    /// Whether nothing is created: the payload lies in scratch space until it has been compared.
    pub dry_run: bool,
    /// This machine's clock.
    pub now: Timestamp,
}

impl EncodeOptions {
    /// Memory for sorting unless something else is asked for, in bytes.
    pub const SORT_MEMORY: usize = 128 << 20;

    /// The filters, for people.
    pub(super) fn selection(&self) -> String {
        self.scope.describe(self.adapters.as_deref().unwrap_or(&Protocol::IN_DUMPS))
    }

    /// Where the payload of a dry run lies.
    pub(super) fn dry_scratch(&self) -> Option<Arc<dyn Scratch>> {
        self.dry_run.then(|| self.resources.scratch())
    }

    /// The filters, if there are any.
    pub(super) fn narrowed_selection(&self) -> Option<String> {
        self.scope.is_narrowed().then(|| self.selection())
    }
}

impl Default for EncodeOptions {
    fn default() -> Self {
        EncodeOptions {
            adapters: None,
            scope: Arc::default(),
            last_commit_ts: None,
            allow_future_timestamps: false,
            form: WrittenForm::default(),
            self_test: true,
            resources: Resources::DEFAULT,
            sort_memory: EncodeOptions::SORT_MEMORY,
            sink: DirOptions::default(),
            strict: false,
            reference_bytes: false,
            keeps_unknown_types: false,
            fs_tar: None,
            accept_losses: false,
            parents: false,
            allow_empty: false,
            dry_run: false,
            encoder_version: program(),
            now: crate::time::now(),
        }
    }
}
