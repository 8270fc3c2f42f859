//! The whole decode in memory, and what must hold of its result.

use std::collections::BTreeSet;
use std::sync::Arc;

use ekv_adapters::{fs, redis, s3, sqs};
use ekv_backup::pipe::Events;
use ekv_backup::{EventOptions, Phase, ReadOptions, Store, StoreEvents, TxnView};
use ekv_dump::manifest::{DynamodbLayout, Exclusions, Manifest, Origin, SnapshotOrigin, format_wall_time};
use ekv_dump::replay::{Checking, ReadPosition, ReplayOptions, replay};
use ekv_dump::verify::verify;
use ekv_dump::{DumpWriter, Scopes, SqsVisibility, TreeOptions, TreeTarget};
use ekv_files::sink::{MemoryDump, MemoryEntries, MemorySink};
use ekv_files::source::MemorySource;
use ekv_model::{Body, Class, Findings, Map, NoMonitor, Protocol, Severity};
use ekv_snapshot::{CommitTs, Input, RecordSink, Writer, WrittenForm};
use ekv_spill::{Scratch, SystemScratch};
use jiff::Timestamp;

/// Memory for each external sort, in bytes.
const SORT_BUDGET: usize = 1 << 20;

/// Options of a decode.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) redis: redis::Options,
    pub(crate) s3: s3::Options,
    pub(crate) sqs: sqs::Options,
    pub(crate) fs: fs::Options,
    pub(crate) tree: TreeOptions,
    pub(crate) view: TxnView,
}

impl Options {
    /// Options from the bits of a byte.
    pub(crate) fn of(bits: u8) -> Options {
        let is_set = |bit: u8| bits >> bit & 1 == 1;
        Options {
            redis: redis::Options {
                database: 0,
                expired: if is_set(0) { redis::Expired::Drop } else { redis::Expired::Keep },
                bare_keys: if is_set(1) { redis::BareKeys::Ignore } else { redis::BareKeys::Strings },
            },
            s3: s3::Options { include_incomplete_uploads: is_set(2), include_orphans: is_set(3) },
            sqs: sqs::Options { include_orphans: is_set(3), include_side_records: is_set(4) },
            fs: fs::Options { include_orphans: is_set(3) },
            tree: TreeOptions {
                dynamodb_layout: if is_set(5) { DynamodbLayout::Jsonl } else { DynamodbLayout::PerItem },
                extended: is_set(6),
                sqs_visibility: if is_set(4) { SqsVisibility::Keep } else { SqsVisibility::Reset },
                holes_max: Some(1 << 16),
                ..TreeOptions::default()
            },
            view: if is_set(7) { TxnView::Live } else { TxnView::Protocol },
        }
    }
}

/// A dump in memory.
pub(crate) struct Dump {
    pub(crate) entries: MemoryEntries,
    pub(crate) findings: Findings,
    pub(crate) read_ts: CommitTs,
}

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

/// Decodes a snapshot; `None` if it is refused, which no well-formed snapshot may be.
///
/// # Panics
/// If a record is not accounted for exactly once, if the dump does not verify, or if there is an error of another class than `Data`.
pub(crate) fn decode(input: &Input, options: Options) -> Option<Dump> {
    let scratch = scratch();
    let read = ReadOptions { view: options.view, allow_empty: true, ..ReadOptions::default() };
    let store = match Store::of_input(input.clone(), &read, &scratch, &NoMonitor) {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(error.class(), Class::Data, "{error}: bytes in memory can only be damaged");
            return None;
        }
    };
    let dump = MemoryDump::new();
    let writer = DumpWriter::new(Box::new(MemorySink::new(&dump)));
    let mut tree = TreeTarget::with_options(writer, options.tree);
    let Options { redis, s3, sqs, fs, .. } = options;
    let wanted = EventOptions { redis, s3, sqs, fs, include_unknown: true, ..EventOptions::default() };
    let poured = StoreEvents::of(&store, &wanted, &NoMonitor)
        .and_then(|mut events| events.pour(&mut tree, Phase::Decode, &scratch, &NoMonitor));
    let books = poured.expect("damage to records is a finding, not an error");
    let unaccounted = books.findings.iter().find(|(finding, _)| finding.name == "records_unaccounted");
    assert!(unaccounted.is_none(), "visible records without an outcome: {:?}", books.report.families);
    let (writer, scopes) = tree.finish().expect("a dump in memory is finished");
    let read_ts = CommitTs(store.header().read_ts);
    let manifest = manifest(&scopes, options, read_ts).to_bytes::<()>(None).expect("a manifest is written");
    writer.finish(&manifest).expect("a dump in memory is published");
    let entries = dump.entries().expect("the dump was published");
    check_sound(&entries);
    Some(Dump { entries, findings: books.findings, read_ts })
}

fn manifest(scopes: &Scopes, options: Options, read_ts: CommitTs) -> Manifest {
    let all = Map::only(&Protocol::ALL);
    Manifest {
        elastickv_version: "fuzz".to_owned(),
        cluster_id: String::new(),
        snapshot_index: 0,
        last_commit_ts: read_ts.0,
        wall_time_iso: format_wall_time(Timestamp::UNIX_EPOCH),
        origin: Origin::Snapshot(SnapshotOrigin { fsm_path: "fuzz.fsm".to_owned(), fsm_crc32c: String::new() }),
        adapters: scopes.to_adapters(&all),
        exclusions: Exclusions {
            include_incomplete_uploads: options.s3.include_incomplete_uploads,
            include_orphans: options.s3.include_orphans || options.sqs.include_orphans,
            preserve_sqs_visibility: options.tree.sqs_visibility == SqsVisibility::Keep,
            include_sqs_side_records: options.sqs.include_side_records,
            rename_s3_collisions: scopes.has_s3_meta_suffix_rename,
        },
        dynamodb_layout: options.tree.dynamodb_layout,
    }
}

/// What was written is what `verify` calls sound.
fn check_sound(entries: &MemoryEntries) {
    let verification = verify(&mut MemorySource::new(entries.clone()), &scratch(), SORT_BUDGET, &NoMonitor);
    let verification = verification.expect("a dump that was just written can be verified");
    assert!(verification.is_sound(), "a dump that was just written is not sound: {}", verification.problems);
}

/// Verifies a dump that anyone may have made, and encodes each protocol of it; what can be encoded is sound and gives each key once.
pub(crate) fn read(entries: &MemoryEntries) {
    let verification = verify(&mut MemorySource::new(entries.clone()), &scratch(), SORT_BUDGET, &NoMonitor);
    let protocols = [
        ("redis", Map::only(&[Protocol::Redis])),
        ("dynamodb", Map::only(&[Protocol::DynamoDb])),
        ("s3", Map::only(&[Protocol::S3])),
        ("sqs", Map::only(&[Protocol::Sqs])),
        ("fs", Map::only(&[Protocol::Fs])),
    ];
    for (directory, included) in protocols {
        let mut keys = UserKeys::default();
        if encode(entries, included, &mut keys).is_ok() {
            assert!(!keys.is_repeated, "encoded, but with two records for one key");
            let verification = verification.as_ref().expect("what can be encoded can be verified");
            let problems = &verification.problems.first;
            let first = problems.iter().find(|problem| problem.path.starts_with(directory.as_bytes()));
            assert!(first.is_none(), "encoded, but not sound: {}", first.map(ToString::to_string).unwrap_or_default());
        }
    }
}

/// Remembers which user keys there were.
#[derive(Default)]
struct UserKeys {
    seen: BTreeSet<Vec<u8>>,
    is_repeated: bool,
}

impl RecordSink for UserKeys {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> ekv_model::Result<()> {
        self.is_repeated |= !self.seen.insert(user_key.to_vec());
        parts.iter().try_for_each(|part| part.for_each_chunk(|_| Ok(())))
    }
}

/// Replays protocols of a dump as records.
fn encode(entries: &MemoryEntries, included: Map<bool>, sink: &mut dyn RecordSink) -> ekv_files::Result<()> {
    let options =
        ReplayOptions { included, scope: Arc::default(), checking: Checking::All, memory_budget: SORT_BUDGET };
    let scratch = scratch();
    let mut encoder = ekv_adapters::Encoder::new(sink, &scratch);
    let mut source = MemorySource::new(entries.clone());
    replay(&mut source, &scratch, &options, &mut encoder, &ReadPosition::default(), &NoMonitor).map(|_| ())
}

/// Redis keys survive the way from files to records and back.
pub(crate) fn check_redis_round_trip(dump: &Dump, options: Options) {
    let scratch = scratch();
    let mut writer =
        Writer::new(&scratch, dump.read_ts, SORT_BUDGET).expect("a timestamp that was read can be written");
    let included = Map::only(&[Protocol::Redis]);
    if let Err(error) = encode(&dump.entries, included, &mut writer) {
        panic!("a dump that was just written cannot be encoded: {}", chain(&error));
    }
    let mut payload = Vec::new();
    writer.finish(WrittenForm::File, &mut payload, &NoMonitor).expect("records in memory are written");
    let again = decode(&ekv_testkit::memory_input(payload), options).expect("what was encoded can be decoded");
    assert_eq!(again.findings.count_of(Severity::Loss), 0, "what was encoded has losses: {:?}", again.findings);
    let (before, after) = (redis_files(&dump.entries), redis_files(&again.entries));
    assert!(before == after, "{}", difference(&before, &after));
}

fn redis_files(entries: &MemoryEntries) -> MemoryEntries {
    entries.iter().filter(|(path, _)| path.starts_with(b"redis")).map(|(p, c)| (p.clone(), c.clone())).collect()
}

fn difference(before: &MemoryEntries, after: &MemoryEntries) -> String {
    let shown = |entries: &MemoryEntries, path: &[u8]| match entries.get(path) {
        None => "absent".to_owned(),
        Some(None) => "a directory".to_owned(),
        Some(Some(content)) => content.escape_ascii().to_string(),
    };
    let mut paths = before.keys().chain(after.keys());
    let path = paths.find(|path| before.get(*path) != after.get(*path)).expect("something differs");
    format!("{} was\n  {}\nand became\n  {}", path.escape_ascii(), shown(before, path), shown(after, path))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
