//! Dumps in memory for the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_files::checksums::write_line;
use ekv_files::source::{Refusal, Source, Visitor};
use ekv_files::{DumpPath, Error, Result};
use ekv_model::{NoMonitor, Protocol};
use ekv_spill::{Scratch, SystemScratch};
use sha2::{Digest, Sha256};

use crate::keymap::{self, KeymapKind};
use crate::manifest::{Adapters, DynamodbLayout, Exclusions, Manifest, Origin, SnapshotOrigin};
use crate::segment::{encode_segment, sha_fallback};
use crate::verify::{Problem, Verification, verify};

/// A dump in memory: directories follow from the files, or are added.
#[derive(Clone)]
pub(super) struct Tree {
    pub(super) files: BTreeMap<Vec<u8>, Vec<u8>>,
    directories: Vec<&'static str>,
    pub(super) refused: Vec<(&'static str, Refusal)>,
}

impl Source for Tree {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let mut directories: Vec<Vec<u8>> = self.directories.iter().map(|path| path.as_bytes().to_vec()).collect();
        for path in self.files.keys() {
            let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            directories.extend(slashes.map(|(at, _)| path[..at].to_vec()));
        }
        directories.sort();
        directories.dedup();
        for path in directories {
            visitor.directory(&DumpPath::new(&path)?)?;
        }
        for (path, content) in &self.files {
            visitor.file(&DumpPath::new(path)?, &mut &content[..])?;
        }
        for (path, refusal) in &self.refused {
            visitor.refused(&DumpPath::new(path.as_bytes())?, *refusal)?;
        }
        Ok(())
    }
}

impl Tree {
    /// A dump with these files and a fitting manifest and CHECKSUMS.
    pub(super) fn new(manifest: &Manifest, files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(path, content)| (path.as_bytes().to_vec(), content.to_vec())).collect();
        let mut tree = Tree { files, directories: Vec::new(), refused: Vec::new() };
        tree.files.insert(b"MANIFEST.json".to_vec(), manifest.to_bytes::<()>(None).unwrap());
        tree.sign();
        tree
    }

    /// Adds or changes a file and makes CHECKSUMS fit.
    pub(super) fn with(mut self, path: &str, content: &[u8]) -> Self {
        self.files.insert(path.as_bytes().to_vec(), content.to_vec());
        self.sign();
        self
    }

    /// Removes a file and makes CHECKSUMS fit.
    pub(super) fn without(mut self, path: &str) -> Self {
        assert!(self.files.remove(path.as_bytes()).is_some(), "{path}");
        self.sign();
        self
    }

    pub(super) fn with_directory(mut self, path: &'static str) -> Self {
        self.directories.push(path);
        self
    }

    fn sign(&mut self) {
        self.files.remove(&b"CHECKSUMS"[..]);
        let mut out = Vec::new();
        self.files.iter().for_each(|(path, content)| write_line(&Sha256::digest(content).into(), path, &mut out));
        self.files.insert(b"CHECKSUMS".to_vec(), out);
    }

    pub(super) fn verify(&self) -> Result<Verification> {
        verify(&mut self.clone(), &scratch(), 1 << 20, &NoMonitor)
    }

    /// All problems, a line each.
    pub(super) fn problems(&self) -> Vec<String> {
        let problems = self.verify().unwrap().problems;
        assert_eq!(problems.count, u64::try_from(problems.first.len()).unwrap());
        problems.first.iter().map(Problem::to_string).collect()
    }

    pub(super) fn error(&self) -> Error {
        self.verify().unwrap_err()
    }
}

pub(super) fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

pub(super) fn manifest() -> Manifest {
    Manifest {
        elastickv_version: "ekv-backup/0.1.0".to_owned(),
        cluster_id: String::new(),
        snapshot_index: 0,
        last_commit_ts: 0,
        wall_time_iso: "2026-11-22T15:45:07Z".to_owned(),
        origin: Origin::Snapshot(SnapshotOrigin::default()),
        adapters: Adapters::default()
            .with(Protocol::DynamoDb, ["events", "users"])
            .with(Protocol::S3, ["bkt"])
            .with(Protocol::Redis, ["0"])
            .with(Protocol::Sqs, ["..", "q.fifo"]),
        exclusions: Exclusions {
            include_incomplete_uploads: true,
            include_orphans: true,
            include_sqs_side_records: true,
            ..Exclusions::default()
        },
        dynamodb_layout: DynamodbLayout::PerItem,
    }
}

pub(super) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Fallback name of the key that the dumps of these tests hold.
pub(super) fn long_name() -> String {
    text(encode_segment(&[b'k'; 241]))
}

pub(super) fn keymap_line(encoded: &str, original: &[u8], kind: KeymapKind) -> String {
    let mut out = Vec::new();
    keymap::write_line(encoded, original, kind, &mut out);
    text(out)
}

pub(super) fn long_record() -> String {
    keymap_line(&long_name(), &[b'k'; 241], KeymapKind::ShaFallback)
}

/// A dump with something of everything.
pub(super) fn full() -> Tree {
    let fallback = text(sha_fallback(b"dir/"));
    let s3_keymap = [
        keymap_line(&fallback, b"dir/", KeymapKind::ShaFallback),
        keymap_line("a/b.elastickv-leaf-data", b"a/b", KeymapKind::S3LeafData),
        keymap_line("x.elastickv-meta.json.user-data", b"x.elastickv-meta.json", KeymapKind::MetaSuffixRename),
    ]
    .concat();
    let chunk = "s3/bkt/_orphans/gone%2Fkey/gen-7/up%2Fload_0000000000000001_0000000000000000_01a203c3171c0003.bin";
    let ttl = format!("{{\"key\":\"ttl\",\"expire_at_ms\":1}}\n{{\"key\":\"{}\",\"expire_at_ms\":2}}\n", long_name());
    Tree::new(
        &manifest(),
        &[
            ("redis/db_0/KEYMAP.jsonl", long_record().as_bytes()),
            (&format!("redis/db_0/strings/{}.bin", long_name()), b"v"),
            ("redis/db_0/strings/ttl.bin", b"hello"),
            ("redis/db_0/strings/.bin", b""),
            ("redis/db_0/strings/...bin", b"dots"),
            ("redis/db_0/strings_ttl.jsonl", ttl.as_bytes()),
            ("redis/db_0/hll/h%2F.bin", b"registers"),
            ("redis/db_0/hll_ttl.jsonl", b"{\"key\":\"h%2F\",\"expire_at_ms\":3}\n"),
            ("redis/db_0/hashes/h.json", b"{}"),
            ("redis/db_0/lists/l.json", b"{}"),
            ("redis/db_0/sets/s.json", b"{}"),
            ("redis/db_0/zsets/z.json", b"{}"),
            ("redis/db_0/streams/st.jsonl", b"{}\n"),
            ("dynamodb/users/_schema.json", b"{}"),
            ("dynamodb/users/items/user%2F3.json", b"{}"),
            ("dynamodb/users/items/b64.AA.json", b"{}"),
            ("dynamodb/users/items/.json", b"{}"),
            ("dynamodb/users/items/%2E%2E.json", b"{}"),
            ("dynamodb/events/_schema.json", b"{}"),
            ("dynamodb/events/items/b64.AAH_/-3%2F2.json", b"{}"),
            ("dynamodb/events/items/%2E/.json", b"{}"),
            ("s3/bkt/_bucket.json", b"{}"),
            ("s3/bkt/KEYMAP.jsonl", s3_keymap.as_bytes()),
            ("s3/bkt/a/b.elastickv-leaf-data", b"leaf"),
            ("s3/bkt/a/b.elastickv-leaf-data.elastickv-meta.json", b"{}"),
            ("s3/bkt/a/b/c d\n.txt", b"body"),
            ("s3/bkt/a/b/c d\n.txt.elastickv-meta.json", b"{}"),
            ("s3/bkt/x.elastickv-meta.json.user-data", b"{}"),
            ("s3/bkt/x.elastickv-meta.json.user-data.elastickv-meta.json", b"{}"),
            (&format!("s3/bkt/{fallback}"), b""),
            (&format!("s3/bkt/{fallback}.elastickv-meta.json"), b"{}"),
            ("s3/bkt/_incomplete_uploads/records.jsonl", b"{}\n"),
            (chunk, b"chunk"),
            ("sqs/q.fifo/_queue.json", b"{}"),
            ("sqs/q.fifo/messages.jsonl", b"{}\n"),
            ("sqs/q.fifo/_internals/side_records.jsonl", b"{}\n"),
            ("sqs/%2E%2E/_queue.json", b"{}"),
            ("sqs/Z29uZQ.orphan/messages.jsonl", b"{}\n"),
            ("sqs/Z29uZQ.orphan/_internals/side_records.jsonl", b"{}\n"),
        ],
    )
}

/// A dump without anything, for all adapters.
pub(super) fn empty() -> Tree {
    let all = Protocol::ALL.into_iter();
    let adapters = all.fold(Adapters::default(), |adapters, protocol| adapters.with(protocol, [""; 0]));
    Tree::new(&Manifest { adapters, ..manifest() }, &[])
}

/// The same, as the reference decoder would have written it.
pub(super) fn reference() -> Tree {
    let manifest = Manifest {
        elastickv_version: "dev".to_owned(),
        adapters: empty().verify().unwrap().manifest.adapters,
        exclusions: Exclusions::default(),
        ..manifest()
    };
    Tree::new(&manifest, &[])
}
