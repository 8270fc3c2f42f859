//! Does the payload decode to the dump that it was made from? Source: `docs/format/restore.md`, section 5.
//!
//! The payload is read back from its file and decoded by the code of `decode`, into a sink that keeps names and digests only. They are
//! compared with the digests of the dump, which were taken from the very bytes that were encoded. Where they differ, people may have
//! laid out a text in their own way; so the dump is read once more, and what a decode would have written in its place is compared.

use std::sync::Arc;

use ekv_adapters::{Family, Outcome, redis, s3, sqs};
use ekv_dump::replay::{Difference, Listing, is_document};
use ekv_files::source::ScopedSource;
use ekv_model::{Class, Finding, Findings, Result};
use ekv_snapshot::server_file::FramedPayload;
use ekv_snapshot::{CommitTs, FooterPolicy, Input, RestorablePayload, Written};
use ekv_spill::Scratch;
use sha2::{Digest, Sha256};

use super::differences::Differences;
use super::normal_form::{LeftOutFiles, ListedTree, NormalListing, normal_listing};
use super::payload::{Encoded, replay_options};
use super::plan::Plan;
use super::stage::{PAYLOAD, Stage};
use super::{EncodeOptions, EncodeRefusal, WrittenForm};
use crate::load::ReadOptions;
use crate::pipe::{Books, Events};
use crate::progress::{Follower, Phase, Progress};
use crate::restore::format_sha256;
use crate::{DecodeOptions, Store};

/// What becomes of records that a dump cannot have come from.
const NOT_OF_A_DUMP: [Outcome; 5] =
    [Outcome::Shadowed, Outcome::Orphaned, Outcome::Expired, Outcome::Lost, Outcome::NotDecoded];

/// What is odd about keys and values of users, not about the payload.
const OF_VALUES: [Finding; 10] = [
    ekv_dump::DYNAMODB_NAME_COLLISION,
    redis::findings::EXPIRED_KEYS,
    redis::findings::ZERO_EXPIRY,
    redis::findings::NAN_SCORE,
    redis::findings::HLL_PAYLOAD,
    s3::findings::ETAG_MISMATCH,
    sqs::findings::NAME_MISMATCH,
    sqs::findings::ODD_SETTINGS,
    sqs::findings::OTHER_PARTITION,
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
    /// Texts of the dump that are laid out in another way than a decode does it, and objects whose files it names otherwise.
    pub(super) reformatted: u64,
}

/// Compares the staged payload with the dump.
pub(super) fn self_test(
    source: &mut dyn ScopedSource,
    stage: &mut dyn Stage,
    plan: &Plan,
    options: &EncodeOptions,
    form: WrittenForm,
    encoded: &Encoded,
    progress: &dyn Progress,
) -> Result<Verdict> {
    let scratch = options.resources.scratch_or(stage.scratch());
    let input = staged_input(stage, form)?;
    let mut verdict = Verdict::default();
    check_records(&input, form, plan.commit_ts, &encoded.written, progress)
        .or_else(|error| note_data_error(error, &mut verdict.differences))?;
    if verdict.differences.count > 0 {
        return Ok(verdict);
    }
    let decode_options = plan.decode_options(encoded.is_extended && !options.reference_bytes);
    let decoded = match list_decoded(&input, &decode_options, &scratch, &mut verdict.differences, progress) {
        Ok(decoded) => decoded,
        Err(error) => {
            note_data_error(error, &mut verdict.differences)?;
            return Ok(verdict);
        }
    };
    if count_differences(&encoded.replayed.listing, &decoded)? == 0 {
        return Ok(verdict);
    }
    let layout = (decode_options.tree, options.reference_bytes);
    let NormalListing { replayed: again, normal, mut left_out } =
        normal_listing(source, &scratch, &replay_options(plan, options), layout, progress)?;
    if count_differences(&encoded.replayed.listing, &again.listing)? > 0 {
        return Err(EncodeRefusal::DumpChanged.into());
    }
    let mut renamed = RenamedObjects::default();
    again.listing.compare_digests(&normal, |path, difference, digest| {
        match is_document(path) {
            true => verdict.reformatted = verdict.reformatted.saturating_add(1),
            // The normal form lacks it, and so must the payload.
            false if difference == Difference::OnlyFirst && has_left_out(&mut left_out, path)? => {}
            false if renamed.take(path, difference, digest) => {}
            false => verdict.differences.file(path, difference),
        }
        Ok(())
    })?;
    match renamed.is_balanced() {
        true => verdict.reformatted = verdict.reformatted.saturating_add(renamed.count),
        false => verdict.differences.add(renamed.differences),
    }
    normal.compare(&decoded, |path, difference| {
        verdict.differences.file(path, difference);
        Ok(())
    })?;
    Ok(verdict)
}

fn has_left_out(left_out: &mut LeftOutFiles, path: &[u8]) -> ekv_files::Result<bool> {
    left_out.has(path).map_err(ekv_files::Error::from)
}

/// Objects of S3 whose files a decode would name otherwise: an object that is moved out of the way of another one has its own name back
/// where the other one is not there, or not selected; and the reference decoder leaves names in place that ours moves.
#[derive(Default)]
struct RenamedObjects {
    /// Files with their old names.
    count: u64,
    /// Sums of the digests of files with old names, less those of files with new names, word by word.
    sums: [u64; 4],
    /// What they are if they do not go together.
    differences: Differences,
}

impl RenamedObjects {
    /// Takes a file that only one side has; false if it is something else.
    fn take(&mut self, path: &[u8], difference: Difference, digest: &[u8; 32]) -> bool {
        if !path.starts_with(b"s3/") || difference == Difference::Contents {
            return false;
        }
        let (words, _) = digest.as_chunks::<8>();
        for (sum, word) in self.sums.iter_mut().zip(words) {
            let word = u64::from_le_bytes(*word);
            *sum = match difference {
                Difference::OnlyFirst => sum.wrapping_add(word),
                _ => sum.wrapping_sub(word),
            };
        }
        self.count = self.count.saturating_add(u64::from(difference == Difference::OnlyFirst));
        self.differences.file(path, difference);
        true
    }

    /// Whether every content that has lost a name has got another one.
    fn is_balanced(&self) -> bool {
        self.sums == [0; 4] && self.differences.count == self.count.saturating_mul(2)
    }
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
    let follower = Follower::new(progress);
    let mut framed = match form {
        WrittenForm::Payload => None,
        WrittenForm::File => FramedPayload::open(input)?,
    };
    let payload = framed.as_ref().map_or(input, |framed| &framed.payload).clone();
    let mut reader = RestorablePayload::new(&payload, &follower);
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

/// Decodes the payload and lists the files of the dump that it would become.
fn list_decoded(
    input: &Input,
    options: &DecodeOptions,
    scratch: &Arc<dyn Scratch>,
    differences: &mut Differences,
    progress: &dyn Progress,
) -> Result<Listing> {
    // What was selected may be nothing at all: whether that is wanted was decided before.
    let read = ReadOptions { allow_empty: true, ..ReadOptions::default() };
    let store = Store::of_input(input.clone(), &read, scratch, progress)?;
    let mut listed = ListedTree::new(scratch, options.tree);
    let Books { tally, findings, .. } =
        store.events(&options.events, progress)?.pour(&mut listed.tree, scratch, progress)?;
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
    listed.finish()
}

/// Notes what is odd about a payload of which nothing should be.
fn note_findings(findings: &Findings, differences: &mut Differences) {
    for (finding, totals) in findings.iter().filter(|(finding, _)| !OF_VALUES.contains(finding)) {
        let first = totals.examples.first().map(|example| {
            let key = example.key.as_deref().map(|key| format!("{} ", ekv_snapshot::escape(key)));
            format!("; first: {}{}", key.unwrap_or_default(), example.detail)
        });
        let (name, meaning, count) = (finding.name, finding.meaning, totals.count);
        differences.note(format_args!("{name}: {meaning} ({count}{})", first.unwrap_or_default()));
    }
}

fn count_differences(first: &Listing, second: &Listing) -> Result<u64> {
    let mut count = 0_u64;
    first.compare(second, |_: &[u8], _: Difference| {
        count = count.saturating_add(1);
        Ok(())
    })?;
    Ok(count)
}
