//! From files to a sorted payload. Source: `docs/format/restore.md`, section 3.

use ekv_adapters::{EncodeOptions as RecordOptions, Encoder};
use ekv_model::{Finding, FindingTotals, Findings, Result};
use ekv_snapshot::{Writer, Written};
use ekv_tree::replay::{Place, ReplayOptions, Replayed, replay};
use ekv_tree::source::ScopedSource;

use super::normal_form::ExtendedCheck;
use super::plan::{Plan, refuse_if_strict};
use super::stage::{PAYLOAD, Stage, write_file};
use super::{EncodeOptions, EncodeRefusal};
use crate::progress::{ByteCounter, Follower, Phase, Progress};
use crate::{Adapter, WrittenForm};

/// What was read and written.
pub(super) struct Encoded {
    pub(super) replayed: Replayed,
    pub(super) written: Written,
    /// Whether the dump was written with `--extended`.
    pub(super) is_extended: bool,
}

/// How the dump is read: half as much memory as the records have.
pub(super) fn replay_options(plan: &Plan, options: &EncodeOptions) -> ReplayOptions {
    ReplayOptions {
        included: Adapter::included(&plan.adapters),
        selection: options.selection.clone(),
        memory_budget: options.sort_memory / 3,
    }
}

/// Reads the dump and writes the payload into the stage.
pub(super) fn write_payload(
    source: &mut dyn ScopedSource,
    stage: &mut dyn Stage,
    plan: &Plan,
    options: &EncodeOptions,
    form: WrittenForm,
    progress: &dyn Progress,
) -> Result<Encoded> {
    let scratch = options.resources.scratch_or(stage.scratch());
    let replay_options = replay_options(plan, options);
    let budget = options.sort_memory.saturating_sub(replay_options.memory_budget);
    let mut writer = Writer::new(&scratch, plan.commit_ts, budget)?;
    progress.begin(Phase::Encode, None);
    let record_options = RecordOptions { reference_bytes: options.reference_bytes };
    let mut encoder = Encoder::with_options(&mut writer, &scratch, record_options);
    let mut target = ExtendedCheck::new(&mut encoder);
    let counter = ByteCounter::new(progress);
    let replayed =
        replay(source, &scratch, &replay_options, &mut target, &Place::default(), &mut |bytes| counter.add(bytes))?;
    let is_extended = target.is_extended;
    if replayed.manifest != plan.manifest {
        return Err(EncodeRefusal::DumpChanged.into());
    }
    refuse_if_strict(options, &warnings_of(&replayed.findings))?;
    progress.begin(Phase::WritePayload, None);
    let follower = Follower::new(progress);
    let written = write_file(stage, PAYLOAD, |output| Ok(writer.finish(form, output, &follower)?))?;
    Ok(Encoded { replayed, written, is_extended })
}

/// What stays in the dump, as warnings.
pub(super) fn warnings_of(findings: &Findings) -> Vec<String> {
    let warning = |(finding, totals): (&Finding, &FindingTotals)| {
        let first = totals.examples.first().map_or_else(String::new, |example| {
            let key = example.key.as_deref().map(|key| format!("{} ", ekv_snapshot::escape(key)));
            format!("; first: {}{}", key.unwrap_or_default(), example.detail)
        });
        format!("{}: {} ({}{first})", finding.name, finding.meaning, totals.count)
    };
    findings.iter().map(warning).collect()
}
