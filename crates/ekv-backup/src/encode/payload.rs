//! From files to a sorted payload. Source: `docs/format/restore.md`, section 3.

use std::sync::Arc;

use ekv_adapters::sqs::{self, StoredOddities};
use ekv_adapters::{EncodeOptions as RecordOptions, Encoder, Restorable};
use ekv_dump::replay::{Checking, ReplayOptions, Replayed};
use ekv_files::source::ScopedSource;
use ekv_model::{Map, Result};
use ekv_snapshot::{Writer, Written};

use super::observed::{Observed, Seen};
use super::plan::{Plan, refuse_if_strict};
use super::reference::Stored;
use super::stage::{PAYLOAD, Stage, write_file};
use super::{EncodeOptions, EncodeRefusal};
use crate::digest::{Digester, Digests, Sequences};
use crate::losses::{LossFile, Losses};
use crate::pipe::Events;
use crate::progress::{Phase, Progress};
use crate::selection::{unmatched_warning, warnings_of};
use crate::{DumpEvents, WrittenForm};

/// What was read and written.
pub(super) struct Encoded {
    pub(super) replayed: Replayed,
    pub(super) written: Written,
    pub(super) seen: Seen,
    /// Things of the dump that no server can restore.
    pub(super) lost: Losses,
}

/// How the dump is read: half as much memory as the records have.
pub(super) fn replay_options(plan: &Plan, options: &EncodeOptions) -> ReplayOptions {
    ReplayOptions {
        included: Map::only(&plan.adapters),
        scope: Arc::clone(&options.scope),
        checking: Checking::All,
        memory_budget: options.sort_memory / 3,
    }
}

/// Reads the dump and writes the payload into the stage; the digests are those of everything that was encoded.
pub(super) fn write_payload(
    source: &mut dyn ScopedSource,
    stage: &mut dyn Stage,
    plan: &Plan,
    options: &EncodeOptions,
    form: WrittenForm,
    progress: &dyn Progress,
) -> Result<(Encoded, Digests)> {
    let scratch = options.resources.scratch_or(stage.scratch());
    let replay_options = replay_options(plan, options);
    let budget = options.sort_memory.saturating_sub(replay_options.memory_budget);
    let mut writer = Writer::new(&scratch, plan.commit_ts, budget)?;
    let stored = StoredOddities {
        settings: plan.account.tells_of(sqs::findings::ODD_SETTINGS),
        partitions: plan.account.tells_of(sqs::findings::OTHER_PARTITION),
    };
    let record_options = RecordOptions {
        reference_bytes: options.reference_bytes,
        keeps_unknown_types: options.keeps_unknown_types,
        stored,
    };
    let mut encoder = Encoder::with_options(&mut writer, &scratch, record_options);
    let mut digester = Digester::before(&scratch, Sequences::Highest, &mut encoder);
    let mut stored = Stored { consumer: &mut digester, reference_bytes: options.reference_bytes };
    let losses = LossFile::new(&options.resources.scratch());
    let mut restorable = Restorable::new(&mut stored, Some(losses.clone()), record_options);
    let now_ms = u64::try_from(options.now.as_millisecond()).unwrap_or(0);
    let mut target = Observed::new(&mut restorable, &options.scope, now_ms);
    let mut events = DumpEvents::of(source, &plan.manifest, replay_options);
    let mut replayed = events.pour(&mut target, Phase::Encode, &scratch, progress)?;
    let seen = target.finish(replayed.beyond_limit);
    replayed.findings.merge(restorable.into_findings());
    let digests = digester.finish()?;
    replayed.findings.merge(encoder.take_findings());
    if replayed.manifest != plan.manifest {
        return Err(EncodeRefusal::DumpChanged.into());
    }
    if options.scope.is_narrowed() && seen.unmatched.things() == 0 && !options.allow_empty {
        let (selected, hint) = (options.selection(), options.scope.hint());
        return Err(EncodeRefusal::NothingSelected { selected, hint }.into());
    }
    let lost = losses.finish(&replayed.findings)?;
    if options.strict && !lost.is_empty() {
        return Err(EncodeRefusal::NotRestorable { lost: Arc::new(lost) }.into());
    }
    let unmatched = unmatched_warnings(&seen, options);
    refuse_if_strict(options, &warnings_of(&replayed.findings).into_iter().chain(unmatched).collect::<Vec<_>>())?;
    progress.begin(Phase::WritePayload, None);
    let written = write_file(stage, PAYLOAD, |output| Ok(writer.finish(form, output, progress)?))?;
    if written.records == 0 && !options.allow_empty {
        let adapters = options.adapters.is_some().then(|| plan.adapters.iter().map(|adapter| adapter.name()).collect());
        return Err(EncodeRefusal::NothingThere { adapters: adapters.unwrap_or_default(), lost: lost.count() }.into());
    }
    Ok((Encoded { replayed, written, seen, lost }, digests))
}

/// What is said about filters that match nothing while others do, and of adapters that were asked for and have nothing.
pub(super) fn unmatched_warnings(seen: &Seen, options: &EncodeOptions) -> Vec<String> {
    let absent = options.adapters.iter().flatten().filter(|adapter| !seen.adapters.contains(adapter));
    let absent: Vec<&str> = absent.map(|adapter| adapter.name()).collect();
    let absent = (!absent.is_empty() && !options.scope.is_narrowed())
        .then(|| format!("the dump holds no data of {}, which --adapter names", absent.join(", ")));
    unmatched_warning(&seen.unmatched).into_iter().chain(absent).collect()
}
