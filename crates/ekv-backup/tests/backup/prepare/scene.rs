//! A payload, its info file, and a place for the data directory.

use std::fs;
use std::path::PathBuf;

use ekv_backup::restore::{EncodeInfo, PrepareOptions, PrepareReport, RestoreTarget, SelfTest, prepare_restore};
use ekv_backup::{Class, Error, NoProgress};
use ekv_testkit::SnapshotBuilder;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The timestamp of the documented payload.
pub(crate) const T: u64 = 111_411_200_000_000_007;

/// A directory with `m.fsm` and `m.fsm.encode_info.json`; the data directory is to be `n1` in it.
pub(crate) struct Scene {
    pub(crate) dir: TempDir,
    pub(crate) info: EncodeInfo,
    pub(crate) options: PrepareOptions,
}

impl Scene {
    /// The documented payload with its info file.
    pub(crate) fn golden() -> Scene {
        Scene::of(&golden_payload())
    }

    /// Any payload with an info file that fits it.
    pub(crate) fn of(payload: &[u8]) -> Scene {
        let info = EncodeInfo {
            encoder_version: "dev".into(),
            encoder_key_format_version: 1,
            wall_time_iso: "2026-11-22T15:45:07.071404613Z".into(),
            input_root: "mtree".into(),
            output_fsm_path: "m.fsm".into(),
            output_fsm_sha256: Sha256::digest(payload).into(),
            last_commit_ts: last_commit_ts(payload),
            last_commit_ts_overridden: false,
            manifest_last_commit_ts: last_commit_ts(payload),
            manifest_cluster_id: "lab".into(),
            adapters_enabled: vec!["redis".into()],
            self_test: SelfTest { ran: true, matched: true },
            selection: None,
            losses: 0,
            not_restorable: 0,
        };
        let mut options = PrepareOptions::new("n1=127.0.0.1:2380".parse().unwrap(), RestoreTarget::FreshCluster);
        options.now = Timestamp::from_millisecond(1_800_000_000_000).unwrap();
        let scene = Scene { dir: tempfile::tempdir().unwrap(), info, options };
        fs::write(scene.path("m.fsm"), payload).unwrap();
        scene.write_info();
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the info file anew.
    pub(crate) fn write_info(&self) {
        fs::write(self.path("m.fsm.encode_info.json"), self.info.to_bytes().unwrap()).unwrap();
    }

    pub(crate) fn prepare(&self) -> Result<PrepareReport, Error> {
        prepare_restore(&self.path("m.fsm"), None, &self.path("n1"), &self.options, &NoProgress)
    }

    /// Prepares, which must fail with this class, and leave everything as it was.
    pub(crate) fn refusal(&self, class: Class) -> Error {
        let before = self.entries();
        let error = self.prepare().unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert_eq!(self.entries(), before, "{error}");
        error
    }

    /// Names in the directory.
    pub(crate) fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// `m.fsm` of section 13.
pub(crate) fn golden_payload() -> Vec<u8> {
    SnapshotBuilder::new().bare().put(b"!redis|str|a/b", T, b"\xff\x01\x00hi").build()
}

fn last_commit_ts(payload: &[u8]) -> u64 {
    payload.get(8..16).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}
