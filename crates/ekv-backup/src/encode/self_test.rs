//! Does the payload decode to the dump that it was made from? Source: `docs/format/restore.md`, section 5.
//!
//! The payload is read back from its file and decoded by the code of `decode`. The digests of its events are compared with those of the
//! events that were encoded, thing by thing; what people did to the layout of a text is not among either.

use std::sync::Arc;

use ekv_adapters::{Family, Outcome, fs, redis, s3, sqs};
use ekv_model::{Class, Finding, Findings, Result};
use ekv_snapshot::server_file::FramedPayload;
use ekv_snapshot::{CommitTs, FooterPolicy, Input, RestorablePayload, Written};
use ekv_spill::Scratch;
use sha2::{Digest, Sha256};

use super::differences::Differences;
use super::plan::Plan;
use super::stage::{PAYLOAD, Stage};
use super::{EncodeOptions, WrittenForm};
use crate::culprit;
use crate::digest::{Digester, Digests, Sequences};
use crate::loaded::ReadOptions;
use crate::pipe::{Books, Events};
use crate::progress::{Phase, Progress};
use crate::restore::format_sha256;
use crate::{EventOptions, Store, StoreEvents};

/// What becomes of records that a dump cannot have come from.
const NOT_OF_A_DUMP: [Outcome; 5] =
    [Outcome::Shadowed, Outcome::Orphaned, Outcome::Expired, Outcome::Lost, Outcome::NotDecoded];

/// What is odd about keys and values of users, not about the payload.
const OF_VALUES: [Finding; 13] = [
    crate::events::ADAPTER_WITHOUT_DATA,
    ekv_dump::DYNAMODB_NAME_COLLISION,
    redis::findings::EXPIRED_KEYS,
    redis::findings::ZERO_EXPIRY,
    redis::findings::NAN_SCORE,
    redis::findings::HLL_PAYLOAD,
    s3::findings::ETAG_MISMATCH,
    sqs::findings::NAME_MISMATCH,
    sqs::findings::ODD_SETTINGS,
    sqs::findings::OTHER_PARTITION,
    fs::findings::UNKNOWN_TYPE,
    fs::findings::UNKNOWN_FIELDS,
    ekv_snapshot::findings::NO_CHECKSUM,
];

/// Families of which each record has one in an index that decode does not need, but the server does.
const ONE_TO_ONE: [(Family, Family); 3] = [
    (Family::ZSetMember, Family::ZSetScore),
    (Family::SqsMessage, Family::SqsVisibility),
    (Family::SqsMessage, Family::SqsAge),
];

/// What a self test says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What is wrong; nothing if the payload is right.
    pub(super) differences: Differences,
}

/// Compares the staged payload with the `digests` of what was encoded.
pub(super) fn self_test(
    stage: &mut dyn Stage,
    plan: &Plan,
    options: &EncodeOptions,
    form: WrittenForm,
    (written, digests): (&Written, Digests),
    progress: &dyn Progress,
) -> Result<Verdict> {
    let scratch = options.resources.scratch_or(stage.scratch());
    let input = staged_input(stage, form)?;
    let mut verdict = Verdict::default();
    check_records(&input, form, plan.commit_ts, written, progress)
        .or_else(|error| note_data_error(error, &mut verdict.differences))?;
    if verdict.differences.count > 0 {
        return Ok(verdict);
    }
    match decode_again(&input, &plan.event_options(), &scratch, &mut verdict.differences, progress) {
        Ok(decoded) => {
            digests.compare(decoded, |thing, difference| verdict.differences.thing(&thing, difference))?;
        }
        Err(error) => note_data_error(error, &mut verdict.differences)?,
    }
    Ok(verdict)
}

/// The staged payload, to be read from its file.
pub(super) fn staged_input(stage: &mut dyn Stage, form: WrittenForm) -> Result<Input> {
    let file = stage.open_staged(PAYLOAD)?;
    let name = format!("the new payload for {}", stage.target(PAYLOAD));
    let examined = file.metadata().map_err(|source| ekv_snapshot::Error::io("examine the file", source).in_file(&name));
    let len = examined?.len();
    let footer = match form {
        WrittenForm::Payload => FooterPolicy::Optional,
        WrittenForm::File => FooterPolicy::Required,
    };
    Ok(Input { source: Arc::new(file), len, name, footer, token_crc32c: None })
}

/// An error about data is a difference; any other ends the run.
fn note_data_error(error: ekv_model::Error, differences: &mut Differences) -> Result<()> {
    if error.class() != Class::Data {
        return Err(error);
    }
    let mut line = format!("the payload cannot be decoded: {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(source) = cause {
        line.push_str(&format!(": {source}"));
        cause = source.source();
    }
    differences.note(line);
    Ok(())
}

/// Reads the payload record by record: all rules of a restorable payload, and those that only `encode` keeps.
fn check_records(
    input: &Input,
    form: WrittenForm,
    commit_ts: CommitTs,
    written: &Written,
    progress: &dyn Progress,
) -> Result<()> {
    progress.begin(Phase::ReadBack, Some(input.len));
    let mut framed = match form {
        WrittenForm::Payload => None,
        WrittenForm::File => FramedPayload::open(input)?,
    };
    let payload = framed.as_ref().map_or(input, |framed| &framed.payload).clone();
    let mut reader = RestorablePayload::new(&payload, progress);
    let mut sha256 = Sha256::new();
    while let Some(piece) = reader.next_piece()? {
        sha256.update(piece);
        if let Some(framed) = &mut framed {
            framed.frame.update(piece);
        }
    }
    if let Some(framed) = framed {
        framed.finish()?;
    }
    let totals = reader.totals();
    let expect = |what: &'static str, found: String, expected: String| match found == expected {
        true => Ok(()),
        false => Err(ekv_model::Error::new(Class::Data, format!("{what}: found {found}, expected {expected}"))),
    };
    expect("SHA-256", format_sha256(&sha256.finalize().into()), format_sha256(&written.payload_sha256))?;
    expect("timestamp of the header", totals.last_commit_ts.0.to_string(), commit_ts.0.to_string())?;
    expect("number of records", totals.records.to_string(), written.records.to_string())?;
    expect("records with an expiry of the store", totals.store_expiries.to_string(), 0.to_string())?;
    if let Some((oldest, newest)) = totals.commit_ts_bounds {
        expect("timestamp of the oldest record", oldest.0.to_string(), commit_ts.0.to_string())?;
        expect("timestamp of the newest record", newest.0.to_string(), commit_ts.0.to_string())?;
    }
    Ok(())
}

/// Decodes the payload.
fn decode_again(
    input: &Input,
    options: &EventOptions,
    scratch: &Arc<dyn Scratch>,
    differences: &mut Differences,
    progress: &dyn Progress,
) -> Result<Digests> {
    // What was selected may be nothing at all: whether that is wanted was decided before.
    let read = ReadOptions { allow_empty: true, ..ReadOptions::default() };
    let store = Store::of_input(input.clone(), &read, scratch, progress)?;
    let mut digester = Digester::new(scratch, Sequences::Stated);
    let mut events = StoreEvents::of(&store, options, progress)?;
    let Books { tally, findings, .. } = events.pour(&mut digester, Phase::SelfTest, scratch, progress)?;
    for family in Family::ALL {
        let outcomes = tally.of(*family);
        for outcome in NOT_OF_A_DUMP {
            let records = outcomes.get(outcome);
            if records > 0 {
                differences.note(format_args!("{records} records of {}: {}", family.name(), outcome.name()));
            }
        }
    }
    for (family, index) in ONE_TO_ONE {
        let count = |family: Family| store.state.families.get(family.number()).map_or(0, |totals| totals.visible);
        if count(family) != count(index) {
            let (name, index_name) = (family.name(), index.name());
            differences.note(format_args!("{} records of {name}, {} of {index_name}", count(family), count(index)));
        }
    }
    note_findings(&findings, differences);
    digester.finish()
}

/// Notes what is odd about a payload of which nothing should be.
fn note_findings(findings: &Findings, differences: &mut Differences) {
    for (finding, totals) in findings.iter().filter(|(finding, _)| !OF_VALUES.contains(finding)) {
        let first = totals.examples.first().map(|example| format!("; first: {}", culprit::line(finding.name, example)));
        let (name, meaning, count) = (finding.name, finding.meaning, totals.count);
        differences.note(format_args!("{name}: {meaning} ({count}{})", first.unwrap_or_default()));
    }
}
