//! Encrypted values and the sidecars that hold their keys.

use std::sync::Arc;

use ekv_model::NoMonitor;
use ekv_snapshot::{DataKeys, OneFamily, ScanOptions, SecretKey, findings, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::{SnapshotBuilder, encrypted_value, sidecar, visible_at};

const KEY: [u8; 32] = [7; 32];
const KEK: [u8; 32] = [9; 32];
const RAW_KEY: &[u8] = b"k\xff\xff\xff\xff\xff\xff\xff\xfa";
const PLAIN: &[u8] = b"plain text";

/// The first byte says what the others are: a sidecar, or a stored value.
pub(super) fn run(input: &[u8]) {
    let Some((what, bytes)) = input.split_first() else { return };
    if what % 2 == 0 {
        // What is accepted opened under the key of the seeds.
        let _ = DataKeys::new().add_sidecar(bytes, &SecretKey::new(KEK));
        return;
    }
    let mut keys = DataKeys::new();
    keys.add(11, &SecretKey::new(KEY)).unwrap();
    let options = ScanOptions { keys: Some(Arc::new(keys)), looks_for_rebadged: true, ..ScanOptions::default() };
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let snapshot = SnapshotBuilder::new().put(b"clear", 5, b"as it is").raw(RAW_KEY, bytes);
    let (scan, file) = scan(&snapshot.input(), &options, &mut OneFamily, &scratch, &NoMonitor).unwrap();
    let visible = visible_at(&file, u64::MAX).unwrap();
    assert_eq!(visible[&b"clear"[..]].0, b"as it is");
    let is_encrypted = bytes.first().is_some_and(|flags| flags & 0xfe == 2);
    let shown = visible.get(&b"k"[..]).map(|(body, _)| body.as_slice());
    if is_encrypted && shown.is_some() {
        assert_eq!(bytes, encrypted_value(11, &KEY, RAW_KEY, 0, PLAIN), "only what was sealed opens");
        assert_eq!(shown, Some(PLAIN));
    }
    let lost = [findings::BROKEN_VALUE, findings::ENCRYPTED_VALUE, findings::DAMAGED_VALUE];
    let lost: u64 = lost.iter().map(|finding| scan.findings.count(*finding)).sum();
    assert!(lost == 1 || shown.is_some() || bytes[0] == 1 || bytes[1..9] != [0; 8], "it is told");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let value = encrypted_value(11, &KEY, RAW_KEY, 0, PLAIN);
    let mut rebadged = value.clone();
    rebadged[0] = 0;
    vec![
        [&[0][..], sidecar(&KEK, &[(11, "storage", KEY), (12, "raft", KEY)]).as_bytes()].concat(),
        [&[1][..], &value].concat(),
        [&[1][..], &rebadged].concat(),
        [&[1][..], &encrypted_value(12, &KEY, RAW_KEY, 1, b"")].concat(),
    ]
}
