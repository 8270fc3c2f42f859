//! Inputs to begin with: pieces of real snapshots and of the dumps made from them, and small files of every other format.

use std::collections::{BTreeMap, BTreeSet};

use ekv_adapters::{Family, Owner, Router};
use ekv_backup::restore::EncodeInfo;
use ekv_files::archive::{Compression, ZstdLevel};
use ekv_files::sink::MemoryEntries;
use ekv_model::Protocol;
use ekv_node::raft::peers::{Peer, Peers, Suffrage};
use ekv_node::raft::wal;
use ekv_node::snapfile::{ConfState, SnapMetadata, Token};
use ekv_testkit::fixtures::{ALL_3, FS_9, KnownSnapshot, REDIS_1};
use ekv_testkit::{SnapshotBuilder, intent_body, lock_body, scan_input, vectors, visible_at};

use crate::dump::{self, Options};
use crate::records::{self, Record};
use crate::targets::{PATHS, SECOND_GROUP, dump_input, to_archive};

/// Longest body of a record in a seed, in bytes.
const BODY_LEN_MAX: usize = 600;
/// Most bytes of one seed made of records.
const SEED_LEN_MAX: usize = 4096;
/// Records of one family in a seed.
const FAMILY_RECORDS_MAX: usize = 6;
/// Seeds with records of the same families.
const ALIKE_MAX: usize = 2;

/// What stands before the queue's name in the keys of messages of partitioned queues.
const PARTITIONED: &[u8] = b"p|";

/// Visible records of a real snapshot that are short enough.
fn real_records(snapshot: &KnownSnapshot) -> Vec<Record> {
    let (scan, file) = scan_input(&ekv_testkit::memory_input(snapshot.bytes())).unwrap();
    let visible = visible_at(&file, scan.effective_last_commit_ts.0).unwrap();
    let short = visible.into_iter().filter(|(_, (body, _))| body.len() <= BODY_LEN_MAX);
    short.map(|(user_key, (body, _))| Record::live(&user_key, &body)).collect()
}

/// Seeds of the records of one owner: what belongs to one key, table, bucket or queue stays together.
fn records_of(snapshot: &KnownSnapshot, owner: Owner) -> Vec<Vec<u8>> {
    let router = Router::default();
    let mut groups: BTreeMap<Vec<u8>, Vec<(Family, Record)>> = BTreeMap::new();
    for record in real_records(snapshot) {
        let family = router.family_of(&record.user_key);
        if family.owner() == owner {
            let rest = &record.user_key[family.prefix().len()..];
            groups.entry(scope(family, rest).to_vec()).or_default().push((family, record));
        }
    }
    let mut alike: BTreeMap<BTreeSet<Family>, usize> = BTreeMap::new();
    let mut seeds = Vec::new();
    for group in groups.into_values() {
        let families: BTreeSet<Family> = group.iter().map(|(family, _)| *family).collect();
        let known = alike.entry(families).or_default();
        *known += 1;
        let mut taken: BTreeMap<Family, usize> = BTreeMap::new();
        let few = group.into_iter().filter(|(family, _)| {
            let count = taken.entry(*family).or_default();
            *count += 1;
            *count <= FAMILY_RECORDS_MAX
        });
        let mut input = vec![0];
        for (_, record) in few {
            let next = records::to_input(&[record]);
            if input.len() + next.len() <= SEED_LEN_MAX {
                input.extend(next);
            }
        }
        if *known <= ALIKE_MAX && input.len() > 1 {
            seeds.push(input);
        }
    }
    seeds
}

/// What the records of one key, table, bucket or queue have in common behind the prefix of their family.
fn scope(family: Family, rest: &[u8]) -> &[u8] {
    use Family as F;
    let counted = [F::HashField, F::HashMeta, F::HashDelta, F::SetMember, F::SetMeta, F::SetDelta, F::ZSetMember]
        .into_iter()
        .chain([F::ZSetMeta, F::ZSetDelta, F::ZSetScore, F::StreamMeta, F::StreamEntry, F::ListDelta])
        .any(|counted| counted == family);
    if counted && let Some((len, key)) = rest.split_first_chunk() {
        return &key[..usize::try_from(u32::from_be_bytes(*len)).unwrap().min(key.len())];
    }
    match family {
        F::ListItem | F::ListClaim => &rest[..rest.len().saturating_sub(8)],
        _ if family.owner() == Owner::Protocol(Protocol::Redis) => rest,
        _ if rest.starts_with(PARTITIONED) => scope(family, &rest[PARTITIONED.len()..]),
        _ => &rest[..rest.iter().position(|byte| matches!(byte, b'|' | 0)).unwrap_or(rest.len())],
    }
}

pub(crate) fn records_of_redis() -> Vec<Vec<u8>> {
    records_of(&REDIS_1, Owner::Protocol(Protocol::Redis))
}

pub(crate) fn records_of_dynamodb() -> Vec<Vec<u8>> {
    records_of(&ALL_3, Owner::Protocol(Protocol::DynamoDb))
}

pub(crate) fn records_of_s3() -> Vec<Vec<u8>> {
    records_of(&ALL_3, Owner::Protocol(Protocol::S3))
}

pub(crate) fn records_of_sqs() -> Vec<Vec<u8>> {
    records_of(&ALL_3, Owner::Protocol(Protocol::Sqs))
}

/// A file system whole: what belongs to one file is everywhere.
pub(crate) fn records_of_fs() -> Vec<Vec<u8>> {
    let router = Router::default();
    let is_own = |record: &Record| {
        let owner = router.family_of(&record.user_key).owner();
        owner == Owner::Protocol(Protocol::Fs) && record.user_key.len() < 64
    };
    let records: Vec<Record> = real_records(&FS_9).into_iter().filter(is_own).collect();
    let root = records.iter().filter(|record| record.user_key.windows(8).any(|bytes| bytes == 1_u64.to_be_bytes()));
    let root: Vec<Record> = root.take(FAMILY_RECORDS_MAX).cloned().collect();
    let some: Vec<Record> = records.into_iter().take(20).collect();
    [(0, root), (8, some)].map(|(bits, records)| [&[bits], &records::to_input(&records)[..]].concat()).into()
}

pub(crate) fn records_of_all() -> Vec<Vec<u8>> {
    let owners = [
        Owner::Protocol(Protocol::DynamoDb),
        Owner::Protocol(Protocol::S3),
        Owner::Protocol(Protocol::Sqs),
        Owner::Store,
        Owner::Unknown,
    ];
    let mut seeds: Vec<Vec<u8>> = owners.iter().flat_map(|owner| records_of(&ALL_3, *owner)).collect();
    seeds.extend(records_of_redis());
    seeds.extend(records_of_fs());
    seeds
}

/// Snapshots with little in them, and the documented ones.
fn small_snapshots() -> Vec<Vec<u8>> {
    let mut all = vec![
        vectors::fresh_node(),
        vectors::interleaved(),
        vectors::versions(),
        vectors::header_v2(),
        vectors::empty_payload(),
        vectors::zero_bytes(),
        vectors::timestamp_oracle(),
        vectors::memory_store(),
        b"EKVSSTI1".to_vec(),
        SnapshotBuilder::new().put(b"!redis|str|k", 5, b"\xff\x01\0v").delete(b"a", 6).build(),
        SnapshotBuilder::new().bare().put(b"k", 5, b"v").meta_row("min_retained_ts", 3).build(),
    ];
    let few = records::parse(&records_of_redis().first().cloned().unwrap_or_default()[1..]);
    all.push(records::snapshot(&few).build());
    all
}

pub(crate) fn containers() -> Vec<Vec<u8>> {
    small_snapshots()
}

/// Payloads without header and footer, behind the byte that chooses both.
pub(crate) fn payloads() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for bytes in [vectors::interleaved(), vectors::versions()] {
        seeds.extend((0..8).map(|form| [&[form][..], &bytes[16..bytes.len() - 4]].concat()));
    }
    for form in 0..8 {
        seeds.push([&[form][..], &vectors::memory_store()].concat());
        seeds.push([&[form][..], b"EKVSSTI1\x10\0\0\0{\"files\":[]}     "].concat());
    }
    seeds
}

pub(crate) fn compressed() -> Vec<Vec<u8>> {
    let mut seeds = small_snapshots();
    let packed: Vec<_> = seeds.iter().map(|bytes| zstd::encode_all(&bytes[..], 1).unwrap()).collect();
    seeds.extend(packed);
    seeds
}

/// Records of transactions in every state.
pub(crate) fn transactions() -> Vec<Vec<u8>> {
    let start_ts = Record::live(b"", b"").commit_ts();
    let key = |prefix: &[u8], rest: &[u8]| [prefix, rest].concat();
    let stamped = |prefix: &[u8]| [prefix, b"k", &start_ts.to_be_bytes()].concat();
    let lock = Record::live(&key(b"!txn|lock|", b"k"), &lock_body(start_ts, true, b"k"));
    let intent = |value: Option<&[u8]>| Record::live(&key(b"!txn|int|", b"k"), &intent_body(start_ts, value));
    let commit = Record::live(&stamped(b"!txn|cmt|"), &[&[1], &(start_ts + 1).to_be_bytes()[..]].concat());
    let rollback = Record::live(&stamped(b"!txn|rb|"), &[1]);
    let old = Record::live(b"k", b"old");
    let groups = [
        vec![lock.clone(), intent(Some(b"new")), commit.clone(), old.clone()],
        vec![lock.clone(), intent(None), commit.clone(), old.clone()],
        vec![lock.clone(), intent(Some(b"new")), rollback, old.clone()],
        vec![lock.clone(), intent(Some(b"new")), old.clone()],
        vec![lock, commit, old],
    ];
    groups.iter().map(|group| [&[0][..], &records::to_input(group)].concat()).collect()
}

/// Records of two groups with a routing catalog.
pub(crate) fn nodes() -> Vec<Vec<u8>> {
    let route = |id: u64, start: &[u8], end: Option<&[u8]>| {
        let len = |part: &[u8]| u64::try_from(part.len()).unwrap().to_be_bytes();
        let mut body = [&[1][..], &id.to_be_bytes(), &id.to_be_bytes(), &[0], &[0; 8], &len(start), start].concat();
        match end {
            None => body.push(0),
            Some(end) => body.extend([&[1][..], &len(end), end].concat()),
        }
        Record::live(&[b"!dist|route|", &id.to_be_bytes()[..]].concat(), &body)
    };
    let routes = [route(1, b"", Some(b"m")), route(2, b"m", None)];
    let mut seeds = Vec::new();
    for input in transactions().into_iter().chain(records_of_all()).filter(|input| input.len() < 1500) {
        let mut group: Vec<Record> = records::parse(&input[1..]);
        let copies: Vec<Record> = group.iter().cloned().map(|r| Record { time: SECOND_GROUP, ..r }).collect();
        group.extend(copies);
        group.extend(routes.clone());
        seeds.push([&[0][..], &records::to_input(&group)].concat());
    }
    seeds.truncate(40);
    seeds
}

/// A dump of a few kilobytes with data of every protocol, from real records.
pub fn small_dump() -> MemoryEntries {
    let owners = [records_of_dynamodb(), records_of_s3(), records_of_sqs(), records_of_redis()];
    let few = owners.iter().flat_map(|seeds| seeds.iter().take(12));
    let records: Vec<Record> = few.flat_map(|input| records::parse(&input[1..])).collect();
    dump::decode(&records::snapshot(&records).input(), Options::of(0b0101_1100)).unwrap().entries
}

/// Dumps of the records of the other targets.
fn small_dumps() -> Vec<MemoryEntries> {
    let inputs = records_of_redis().into_iter().chain(records_of_all()).filter(|input| input.len() < 3000);
    let decoded = inputs.map(|input| {
        let snapshot = records::snapshot(&records::parse(&input[1..]));
        dump::decode(&snapshot.input(), Options::default()).unwrap().entries
    });
    decoded.collect()
}

pub(crate) fn dumps() -> Vec<Vec<u8>> {
    small_dumps().iter().map(dump_input).filter(|input| input.len() <= 12_000).collect()
}

/// Archives of our writer and of another one, plain and compressed.
pub(crate) fn archives() -> Vec<Vec<u8>> {
    let long = "k".repeat(200);
    let paths = ["MANIFEST.json", "redis/db_0/strings/k.bin", &long];
    let mut files: MemoryEntries =
        paths.iter().map(|path| (path.as_bytes().to_vec(), Some(b"content".to_vec()))).collect();
    for directory in ["redis", "redis/db_0", "redis/db_0/strings"] {
        files.insert(directory.as_bytes().to_vec(), None);
    }
    let mut other = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(7);
    header.set_mode(0o644);
    header.set_cksum();
    for path in paths {
        other.append_data(&mut header.clone(), path, &b"content"[..]).unwrap();
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    other.append_link(&mut link, "link", "MANIFEST.json").unwrap();
    let plain = [to_archive(&files, Compression::None), other.into_inner().unwrap()];
    let mut seeds: Vec<Vec<u8>> =
        (0..4_u8).flat_map(|bits| plain.iter().map(move |tar| [&[bits][..], tar].concat())).collect();
    seeds.push([&[0][..], &to_archive(&files, Compression::Zstd(ZstdLevel::DEFAULT))].concat());
    seeds
}

/// Contents of the files of small dumps whose path ends like one of these.
fn files(ends: &[&str]) -> Vec<Vec<u8>> {
    let mut found = BTreeSet::new();
    for (path, content) in small_dumps().into_iter().flatten() {
        let Some(content) = content else { continue };
        if content.len() <= 2048 && ends.iter().any(|end| path.ends_with(end.as_bytes())) {
            found.insert(content);
        }
    }
    found.into_iter().take(100).collect()
}

pub(crate) fn lines() -> Vec<Vec<u8>> {
    let kinds: [(u8, &[&str]); 3] = [(0, &["KEYMAP.jsonl"]), (1, &["CHECKSUMS"]), (2, &["_ttl.jsonl"])];
    let of_kind = kinds.iter().flat_map(|(kind, ends)| {
        files(ends).into_iter().map(|content| [&[*kind][..], &content].concat()).collect::<Vec<_>>()
    });
    of_kind.collect()
}

pub(crate) fn manifests() -> Vec<Vec<u8>> {
    files(&["MANIFEST.json"])
}

pub(crate) fn json() -> Vec<Vec<u8>> {
    files(&[".json", ".jsonl"])
}

pub(crate) fn encode_infos() -> Vec<Vec<u8>> {
    let info = EncodeInfo {
        encoder_version: "v".to_owned(),
        encoder_key_format_version: EncodeInfo::KEY_FORMAT_VERSION,
        wall_time_iso: "2026-01-01T00:00:00Z".to_owned(),
        adapters_enabled: vec!["redis".to_owned()],
        last_commit_ts: 7,
        ..EncodeInfo::default()
    };
    vec![info.to_bytes().unwrap()]
}

pub(crate) fn names() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = PATHS.iter().map(|path| path.as_bytes().to_vec()).collect();
    seeds.push("0123456789abcdef0123456789abcdef__x/é".as_bytes().to_vec());
    seeds.push(b"%2E%2E b64.YQ CON".to_vec());
    seeds.extend(small_dumps().into_iter().flatten().map(|(path, _)| path).take(100));
    seeds
}

pub(crate) fn keys() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Family::ALL.iter().map(|family| family.prefix().to_vec()).collect();
    let mut of_family: BTreeMap<Family, usize> = BTreeMap::new();
    let router = Router::default();
    for record in real_records(&ALL_3) {
        let known = of_family.entry(router.family_of(&record.user_key)).or_default();
        *known += 1;
        if *known <= 2 {
            seeds.push(record.user_key);
        }
    }
    seeds.extend(["-1.50e-3|0", "12|12.0", "1e9|-2E+7"].map(|text| text.as_bytes().to_vec()));
    seeds
}

fn position() -> SnapMetadata {
    let conf_state = ConfState { voters: vec![1, 2, 3], learners: vec![4], ..ConfState::default() };
    SnapMetadata { term: 3, index: 7, conf_state }
}

pub(crate) fn snaps() -> Vec<Vec<u8>> {
    let snap = ekv_node::snapfile::encode(&position(), Token { index: 7, crc32c: 0x1234_5678 }).unwrap();
    // Behind the field of the checksum and the head of the message: two bytes and a length each.
    let message = snap.iter().position(|byte| *byte == 0x12).map_or(&snap[..], |at| &snap[at + 2..]);
    vec![[&[0][..], &snap].concat(), [&[1][..], message].concat()]
}

pub(crate) fn wals() -> Vec<Vec<u8>> {
    let mut whole = wal::encode(&position());
    whole.truncate(512);
    let records: &[u8] =
        b"\x01\x04\0\x01\0\x05\x04\x08\x00\x10\x00\x05\x04\x08\x07\x10\x03\x03\x04\x08\x03\x18\x07\x02\x02\x08\x01";
    vec![[&[0][..], &whole].concat(), records.to_vec()]
}

pub(crate) fn peers() -> Vec<Vec<u8>> {
    let peer = |id: &str, suffrage| Peer {
        node_id: ekv_node::raft::node_id(id),
        suffrage,
        raft_id: id.to_owned(),
        address: format!("{id}:1"),
    };
    let peers = vec![peer("n1", Suffrage::Voter), peer("n2", Suffrage::Learner)];
    let file = Peers { index: 7, peers, bootstrap_seed_active: false };
    vec![file.encode().unwrap(), b"n1=host-1:50051,n2=host-2:50051".to_vec()]
}
