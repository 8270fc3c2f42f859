//! What will be encoded, decided from the manifest alone. Source: `docs/format/restore.md`, sections 2.2 and 3.2.

use ekv_dump::manifest::{Account, Manifest, StoredManifest};
use ekv_files::source::ScopedSource;
use ekv_model::Result;
use ekv_snapshot::CommitTs;

use super::{EncodeOptions, EncodeRefusal};
use crate::losses::{LossAccount, first_losses};
use crate::restore::timestamp::{check_last_commit_ts, timestamp_warning};
use crate::{EventOptions, Protocol};

/// Losses that a refusal names.
const FIRST_LOSSES: usize = 10;

/// What will be encoded.
pub(super) struct Plan {
    pub(super) manifest: Manifest,
    /// In the order of [`Protocol::IN_DUMPS`].
    pub(super) adapters: Vec<Protocol>,
    /// The one commit timestamp of all records.
    pub(super) commit_ts: CommitTs,
    pub(super) warnings: Vec<String>,
    /// What the report in the manifest says.
    pub(super) account: Account,
    /// What was accepted although it is not as it should be; no warning of strict mode, since the user has asked for it.
    pub(super) accepted: Option<String>,
}

impl Plan {
    /// Decides what the options mean for this dump.
    pub(super) fn of(stored: StoredManifest, source: &mut dyn ScopedSource, options: &EncodeOptions) -> Result<Plan> {
        let StoredManifest { manifest, account, .. } = stored;
        if account.loss_count > 0 && !options.accept_losses {
            let first = first_losses(source, &account, FIRST_LOSSES);
            return Err(EncodeRefusal::Losses { account: account.into(), first }.into());
        }
        let adapters = choose_adapters(&manifest, options.adapters.as_deref())?;
        let commit_ts = CommitTs(options.last_commit_ts.unwrap_or(manifest.last_commit_ts));
        if commit_ts.0 < manifest.last_commit_ts {
            return Err(
                EncodeRefusal::TimestampLowered { given: commit_ts.0, manifest: manifest.last_commit_ts }.into()
            );
        }
        check_last_commit_ts(commit_ts, options.now, options.allow_future_timestamps)?;
        if options.reference_bytes && manifest.exclusions.preserve_sqs_visibility && adapters.contains(&Protocol::Sqs) {
            return Err(EncodeRefusal::ReferenceVisibility.into());
        }
        let warnings: Vec<String> = timestamp_warning(commit_ts).into_iter().collect();
        refuse_if_strict(options, &warnings)?;
        let accepted = (account.loss_count > 0).then(|| {
            format!("what the decode of the dump lost is missing, as accepted: {}", LossAccount::from(account.clone()))
        });
        Ok(Plan { manifest, adapters, commit_ts, warnings, account, accepted })
    }

    /// What of the payload is compared with the dump. What no client can see (orphans, unfinished uploads, bookkeeping of SQS) is not
    /// among it: it stays in the dump, or is made anew.
    pub(super) fn event_options(&self) -> EventOptions {
        EventOptions::of(self.adapters.clone())
    }
}

/// The adapters that were asked for, all of which the dump must hold; without a wish all that it holds.
pub(crate) fn choose_adapters(
    manifest: &Manifest,
    wanted: Option<&[Protocol]>,
) -> Result<Vec<Protocol>, EncodeRefusal> {
    let present: Vec<Protocol> =
        Protocol::IN_DUMPS.into_iter().filter(|protocol| manifest.adapters.has(*protocol)).collect();
    let Some(wanted) = wanted else { return Ok(present) };
    match wanted.iter().find(|adapter| !present.contains(adapter)) {
        Some(adapter) => Err(EncodeRefusal::AdapterAbsent {
            adapter: adapter.name(),
            present: present.iter().map(|adapter| adapter.name()).collect(),
        }),
        None => Ok(present.into_iter().filter(|adapter| wanted.contains(adapter)).collect()),
    }
}

/// The error for the first warning, in strict mode.
pub(super) fn refuse_if_strict(options: &EncodeOptions, warnings: &[String]) -> Result<(), EncodeRefusal> {
    match warnings.first().filter(|_| options.strict) {
        Some(warning) => Err(EncodeRefusal::Strict { warning: warning.clone() }),
        None => Ok(()),
    }
}
