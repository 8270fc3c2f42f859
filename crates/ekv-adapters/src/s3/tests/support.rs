//! Stores of buckets and objects, and their dumps in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_dump::{DumpWriter, Scopes, TreeOptions, TreeTarget};
use ekv_files::sink::{MemoryDump, MemorySink};
use ekv_model::{Consumer, Finding, Findings, NoMonitor, Protocol};
use ekv_snapshot::{CommitTs, FamilyTotals, Input, ScanOptions, View, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::SnapshotBuilder;
use md5::{Digest, Md5};

use crate::s3::keys::{ChunkPlace, push_segment, put_bucket, put_chunk, put_chunk_blob, put_group, put_object};
use crate::s3::{Options, decode};
use crate::{Family, Outcome, Owner, Router, Run, Tally};

/// Every version in a store has this commit timestamp unless a test says otherwise.
pub(super) const TS: u64 = 117_660_674_738_946_190;

/// A part as a record lists it, with the chunks to store for it.
#[derive(Clone, Default)]
pub(super) struct TestPart {
    pub(super) part_no: u64,
    pub(super) version: u64,
    pub(super) chunks: Vec<Vec<u8>>,
}

/// Builds a snapshot of buckets.
#[derive(Clone, Default)]
pub(super) struct Store(pub(super) SnapshotBuilder);

pub(super) fn bucket_key(family: Family, bucket: &str) -> Vec<u8> {
    let mut key = Vec::new();
    put_bucket(&mut key, family, bucket);
    key
}

/// Bucket, generation and object as they stand in keys.
pub(super) fn group(bucket: &str, generation: u64, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_group(&mut out, bucket, generation, key);
    out
}

pub(super) fn head_key(bucket: &str, generation: u64, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_object(&mut out, &group(bucket, generation, key));
    out
}

pub(super) fn chunk_key(family: Family, group: &[u8], upload_id: &str, place: [u64; 3]) -> Vec<u8> {
    let (mut key, mut upload) = (Vec::new(), Vec::new());
    push_segment(upload_id.as_bytes(), &mut upload);
    let [part_no, chunk_no, version] = place;
    put_chunk(&mut key, family, group, &upload, ChunkPlace { part_no, chunk_no, version });
    key
}

pub(super) fn blob_key(group: &[u8], upload_id: &str, place: [u64; 3]) -> Vec<u8> {
    chunk_key(Family::S3Blob, group, upload_id, place)
}

pub(super) fn chunk_blob_key(digest: [u8; 32]) -> Vec<u8> {
    let mut key = Vec::new();
    put_chunk_blob(&mut key, &digest);
    key
}

pub(super) fn md5_hex(bytes: &[u8]) -> String {
    ekv_text::hex::hex(&Md5::digest(bytes))
}

/// The record of an object whose parts are plain.
pub(super) fn head(upload_id: &str, etag: &str, parts: &[TestPart]) -> String {
    let size: usize = parts.iter().flat_map(|part| &part.chunks).map(Vec::len).sum();
    let parts: Vec<String> = parts.iter().map(part_json).collect();
    format!(
        r#"{{"upload_id":"{upload_id}","etag":"{etag}","size_bytes":{size},"last_modified_hlc":{TS},"parts":[{}]}}"#,
        parts.join(",")
    )
}

fn part_json(part: &TestPart) -> String {
    let sizes: Vec<String> = part.chunks.iter().map(|chunk| chunk.len().to_string()).collect();
    format!(
        r#"{{"part_no":{},"etag":"e","size_bytes":0,"chunk_count":{},"chunk_sizes":[{}],"part_version":{}}}"#,
        part.part_no,
        sizes.len(),
        sizes.join(","),
        part.version
    )
}

impl Store {
    pub(super) fn put(self, key: &[u8], value: impl AsRef<[u8]>) -> Self {
        Store(self.0.put(key, TS, value.as_ref()))
    }

    pub(super) fn bucket(self, name: &str, generation: u64) -> Self {
        let meta = format!(r#"{{"bucket_name":"{name}","generation":{generation},"created_at_hlc":{TS}}}"#);
        self.put(&bucket_key(Family::S3Bucket, name), meta)
            .put(&bucket_key(Family::S3Generation, name), generation.to_be_bytes())
    }

    /// Stores chunks and record of an object in parts.
    pub(super) fn parts(self, bucket: &str, generation: u64, key: &[u8], etag: &str, parts: &[TestPart]) -> Self {
        let group = group(bucket, generation, key);
        let mut store = self;
        for part in parts {
            for (chunk, chunk_no) in part.chunks.iter().zip(0..) {
                store = store.put(&blob_key(&group, "u", [part.part_no, chunk_no, part.version]), chunk);
            }
        }
        store.put(&head_key(bucket, generation, key), head("u", etag, parts))
    }

    /// Stores an object of one chunk, or of none if it is empty.
    pub(super) fn object(self, bucket: &str, generation: u64, key: &[u8], body: &[u8]) -> Self {
        let chunks = if body.is_empty() { Vec::new() } else { vec![body.to_vec()] };
        let part = TestPart { part_no: 1, version: 0, chunks };
        self.parts(bucket, generation, key, &md5_hex(body), &[part])
    }

    pub(super) fn dump(&self) -> Dump {
        self.dump_with(Options::default(), TreeOptions::default(), &[])
    }

    pub(super) fn dump_with(&self, options: Options, tree: TreeOptions, blob_sources: &[Store]) -> Dump {
        let blob_sources: Vec<View> = blob_sources.iter().map(|store| store.view().0).collect();
        let memory = MemoryDump::new();
        let mut tree = TreeTarget::with_options(DumpWriter::new(Box::new(MemorySink::new(&memory))), tree);
        let (findings, tally) = self.decode_into(options, &blob_sources, &mut tree).unwrap();
        let (writer, scopes) = tree.finish().unwrap();
        writer.finish(b"").unwrap();
        let files = memory.entries().unwrap().into_iter().filter_map(|(path, content)| {
            let path = String::from_utf8(path).unwrap();
            content.filter(|_| path.starts_with("s3/")).map(|content| (path, content))
        });
        Dump { files: files.collect(), findings, tally, scopes }
    }

    /// Decodes and checks that every visible record is accounted for.
    pub(super) fn decode_into(
        &self,
        options: Options,
        blob_sources: &[View],
        target: &mut dyn Consumer,
    ) -> ekv_model::Result<(Findings, Tally)> {
        let (view, totals) = self.view();
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut run = Run::new(&view, &totals, target, &NoMonitor, scratch);
        decode(&mut run, &options, blob_sources)?;
        let (tally, findings) = run.into_books();
        for family in Family::ALL.iter().filter(|family| family.owner() == Owner::Protocol(Protocol::S3)) {
            let visible = totals.get(family.number()).map_or(0, |totals| totals.visible);
            assert_eq!(tally.of(*family).total(), visible, "{}", family.name());
        }
        Ok((findings, tally))
    }

    fn view(&self) -> (View, Vec<FamilyTotals>) {
        view_of(&self.0.input())
    }
}

/// What a snapshot shows at its end.
pub(super) fn view_of(input: &Input) -> (View, Vec<FamilyTotals>) {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let (scan, file) = scan(input, &ScanOptions::default(), &mut Router::default(), &scratch, &NoMonitor).unwrap();
    (View::of_file(&file, CommitTs(scan.effective_last_commit_ts.0)), scan.families)
}

/// What was written, without MANIFEST.json and CHECKSUMS, and the books.
pub(super) struct Dump {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) findings: Findings,
    pub(super) tally: Tally,
    pub(super) scopes: Scopes,
}

impl Dump {
    pub(super) fn paths(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// Paths of bodies, without the directory of the bucket.
    pub(super) fn bodies(&self, bucket: &str) -> Vec<&str> {
        let paths = self.files.keys().filter_map(|path| path.strip_prefix(&format!("s3/{bucket}/")));
        let is_own = |path: &str| ["_bucket.json", "KEYMAP.jsonl"].contains(&path);
        paths.filter(|path| !is_own(path) && !path.ends_with(".elastickv-meta.json")).collect()
    }

    pub(super) fn text(&self, path: &str) -> &str {
        std::str::from_utf8(&self.files[path]).unwrap()
    }

    pub(super) fn count(&self, finding: Finding) -> u64 {
        self.findings.count(finding)
    }

    /// Details of the first occurrences of a finding.
    pub(super) fn details(&self, finding: Finding) -> Vec<String> {
        let totals = self.findings.iter().find(|(found, _)| **found == finding).map(|(_, totals)| totals);
        totals.into_iter().flat_map(|totals| &totals.examples).map(|example| example.detail.clone()).collect()
    }

    pub(super) fn outcome(&self, family: Family, outcome: Outcome) -> u64 {
        self.tally.of(family).get(outcome)
    }

    /// Whether nothing was odd.
    pub(super) fn is_clean(&self) -> bool {
        self.findings.iter().next().is_none()
    }
}
