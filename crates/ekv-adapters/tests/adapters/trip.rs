//! Records, dumps in memory, and the ways between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_adapters::sqs::{self, Options};
use ekv_adapters::{EncodeOptions, Encoder, Router, Run, fs};
use ekv_dump::manifest::{Exclusions, Manifest, Origin, SnapshotOrigin};
use ekv_dump::replay::{Checking, ReadPosition, ReplayOptions, Replayed, replay};
use ekv_dump::{DumpWriter, FsFormat, SqsVisibility, TreeOptions, TreeTarget};
use ekv_files::checksums::{CHECKSUMS_FILE, write_line};
use ekv_files::sink::{MemoryDump, MemoryEntries, MemorySink};
use ekv_files::source::MemorySource;
use ekv_model::Scope;
use ekv_model::{Body, Consumer, Findings, Map, NoMonitor, Protocol, Result};
use ekv_snapshot::{CommitTs, RecordSink, ScanOptions, View, Writer, WrittenForm, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::{SnapshotBuilder, memory_input};
use sha2::{Digest, Sha256};

pub(crate) const COMMIT_TS: u64 = 117_660_826_174_947_328;

/// The protocols that are decoded.
const DECODED: [Protocol; 2] = [Protocol::Sqs, Protocol::Fs];

/// Values by user key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

impl RecordSink for Records {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> Result<()> {
        let value = ekv_testkit::whole_value(parts)?;
        assert!(self.0.insert(user_key.to_vec(), value).is_none(), "{} twice", user_key.escape_ascii());
        Ok(())
    }
}

impl Records {
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let mut builder = SnapshotBuilder::new().bare().last_commit_ts(COMMIT_TS);
        for (user_key, value) in &self.0 {
            builder = builder.put(user_key, COMMIT_TS, value);
        }
        builder.build()
    }

    /// The records as texts, to be shown where they differ.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.0.iter().map(|(key, value)| format!("{} = {}", key.escape_ascii(), value.escape_ascii())).collect()
    }
}

/// What a dump holds beyond the default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    pub(crate) extended: bool,
    pub(crate) keeps_visibility: bool,
    pub(crate) has_side_records: bool,
    pub(crate) has_orphans: bool,
    pub(crate) fs_format: FsFormat,
}

impl Mode {
    pub(crate) const FULL: Mode = Mode {
        extended: true,
        keeps_visibility: true,
        has_side_records: true,
        has_orphans: false,
        fs_format: FsFormat::Tree,
    };

    fn tree_options(self) -> TreeOptions {
        let sqs_visibility = if self.keeps_visibility { SqsVisibility::Keep } else { SqsVisibility::Reset };
        TreeOptions { extended: self.extended, sqs_visibility, fs_format: self.fs_format, ..TreeOptions::default() }
    }

    fn manifest(self, scopes: &ekv_dump::Scopes) -> Manifest {
        Manifest {
            elastickv_version: String::new(),
            cluster_id: String::new(),
            snapshot_index: 0,
            last_commit_ts: COMMIT_TS,
            wall_time_iso: "2026-11-22T15:45:07Z".to_owned(),
            origin: Origin::Snapshot(SnapshotOrigin::default()),
            adapters: scopes.to_adapters(&Map::only(&DECODED)),
            exclusions: Exclusions {
                include_orphans: self.has_orphans,
                preserve_sqs_visibility: self.keeps_visibility,
                include_sqs_side_records: self.has_side_records,
                ..Exclusions::default()
            },
            dynamodb_layout: ekv_dump::manifest::DynamodbLayout::default(),
        }
    }
}

pub(crate) fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

/// A dump in memory that can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dump {
    pub(crate) entries: MemoryEntries,
}

impl Dump {
    /// What a decode of a snapshot writes.
    pub(crate) fn of_snapshot(snapshot: Vec<u8>, mode: Mode) -> (Dump, Findings) {
        Dump::of_snapshot_in(snapshot, mode, Scope::everything())
    }

    /// The same of what is selected.
    pub(crate) fn of_snapshot_in(snapshot: Vec<u8>, mode: Mode, scope: Scope) -> (Dump, Findings) {
        let scratch = scratch();
        let input = memory_input(snapshot);
        let (scan, file) = scan(&input, &ScanOptions::default(), &mut Router::default(), &scratch, &NoMonitor).unwrap();
        let view = View::of_file(&file, scan.effective_last_commit_ts);
        let mut findings = Findings::default();
        let dump = Dump::write(mode, |target| {
            let mut run = Run::new(&view, &scan.families, target, &NoMonitor, scratch);
            run.select(Arc::new(scope));
            let options = Options { include_orphans: mode.has_orphans, include_side_records: mode.has_side_records };
            sqs::decode(&mut run, &options).unwrap();
            fs::decode(&mut run, fs::Options { include_orphans: mode.has_orphans }).unwrap();
            findings = run.into_books().1;
        });
        (dump, findings)
    }

    pub(crate) fn of(records: &Records, mode: Mode) -> Dump {
        Dump::of_snapshot(records.snapshot(), mode).0
    }

    /// What a target writes that gets events from `emit`.
    pub(crate) fn write(mode: Mode, emit: impl FnOnce(&mut dyn Consumer)) -> Dump {
        let memory = MemoryDump::new();
        let writer = DumpWriter::new(Box::new(MemorySink::new(&memory)));
        let mut target = TreeTarget::with_options(writer, mode.tree_options());
        emit(&mut target);
        let (writer, scopes) = target.finish().unwrap();
        writer.finish(&mode.manifest(&scopes).to_bytes::<()>(None).unwrap()).unwrap();
        Dump { entries: memory.entries().unwrap() }
    }

    pub(crate) fn replay_to(&self, selection: Arc<Scope>, target: &mut dyn Consumer) -> ekv_files::Result<Replayed> {
        let mut source = MemorySource::new(self.entries.clone());
        let options = ReplayOptions {
            included: Map::only(&DECODED),
            scope: selection,
            checking: Checking::All,
            memory_budget: 1 << 16,
        };
        replay(&mut source, &scratch(), &options, target, &ReadPosition::default(), &NoMonitor)
    }

    /// What comes of the dump when its events are written again.
    pub(crate) fn rewritten(&self, mode: Mode) -> Dump {
        Dump::write(mode, |target| {
            self.replay_to(Arc::default(), target).unwrap();
        })
    }

    pub(crate) fn encode_with(&self, options: EncodeOptions, selection: Arc<Scope>) -> ekv_files::Result<Records> {
        let mut records = Records::default();
        let mut encoder = Encoder::with_options(&mut records, &scratch(), options);
        self.replay_to(selection, &mut encoder)?;
        Ok(records)
    }

    pub(crate) fn encode(&self) -> Records {
        self.encode_with(EncodeOptions::default(), Arc::default()).unwrap()
    }

    pub(crate) fn error(&self) -> String {
        self.encode_with(EncodeOptions::default(), Arc::default()).unwrap_err().to_string()
    }

    /// The payload that is made of the dump.
    pub(crate) fn payload(&self, options: EncodeOptions) -> Vec<u8> {
        self.payload_at(COMMIT_TS, options)
    }

    /// The same, committed at another time.
    pub(crate) fn payload_at(&self, commit_ts: u64, options: EncodeOptions) -> Vec<u8> {
        let mut writer = Writer::new(&scratch(), CommitTs(commit_ts), 1 << 20).unwrap();
        let mut encoder = Encoder::with_options(&mut writer, &scratch(), options);
        self.replay_to(Arc::default(), &mut encoder).unwrap();
        let mut payload = Vec::new();
        writer.finish(WrittenForm::Payload, &mut payload, &NoMonitor).unwrap();
        payload
    }

    pub(crate) fn text(&self, path: &str) -> &str {
        let content = self.entries.get(path.as_bytes()).unwrap_or_else(|| panic!("{path}"));
        std::str::from_utf8(content.as_deref().unwrap()).unwrap()
    }

    /// Changes or adds a file, with the directories above it, and signs the dump anew.
    pub(crate) fn with(mut self, path: &str, content: &[u8]) -> Self {
        let mut directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        while !directory.is_empty() {
            self.entries.entry(directory.as_bytes().to_vec()).or_insert(None);
            directory = directory.rsplit_once('/').map_or("", |(directory, _)| directory);
        }
        self.entries.insert(path.as_bytes().to_vec(), Some(content.to_vec()));
        self.signed()
    }

    /// Removes a file or directory and what is below it, and signs the dump anew.
    pub(crate) fn without(mut self, path: &str) -> Self {
        let below = format!("{path}/").into_bytes();
        self.entries.retain(|known, _| known != path.as_bytes() && !known.starts_with(&below));
        self.signed()
    }

    /// Replaces a text in a file, and signs the dump anew.
    pub(crate) fn edited(self, path: &str, from: &str, to: &str) -> Self {
        let text = self.text(path);
        assert!(text.contains(from), "{from:?} is not in {text}");
        let text = text.replacen(from, to, 1);
        self.with(path, text.as_bytes())
    }

    fn signed(mut self) -> Self {
        self.entries.remove(CHECKSUMS_FILE.as_bytes());
        let mut out = Vec::new();
        for (path, content) in &self.entries {
            if let Some(content) = content {
                write_line(&Sha256::digest(content).into(), path, &mut out);
            }
        }
        self.entries.insert(CHECKSUMS_FILE.as_bytes().to_vec(), Some(out));
        self
    }
}

impl Dump {
    /// What a check finds wrong with the dump.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut source = MemorySource::new(self.entries.clone());
        let verified = ekv_dump::verify::verify(&mut source, &scratch(), 1 << 16, &NoMonitor).unwrap();
        verified.problems.first.iter().map(ToString::to_string).collect()
    }

    /// The files below a directory, by their paths in it.
    pub(crate) fn files(&self, directory: &str) -> BTreeMap<String, Vec<u8>> {
        let own = self.entries.iter().filter_map(|(path, content)| {
            let name = path.strip_prefix(directory.as_bytes())?;
            Some((name.escape_ascii().to_string(), content.clone()?))
        });
        own.collect()
    }
}
