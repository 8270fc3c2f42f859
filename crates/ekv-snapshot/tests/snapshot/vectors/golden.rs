//! Bytes and numbers of files that real servers wrote.

use ekv_snapshot::{Form, Header, findings};
use ekv_testkit::fixtures::SNAPSHOTS;
use ekv_testkit::vectors::{self, hex};
use ekv_testkit::{SnapshotBuilder, visible_at};
use sha2::{Digest, Sha256};

use super::{Required, accepted};

#[test]
fn fresh_node_file_has_the_documented_bytes() {
    let file = vectors::fresh_node();
    assert_eq!(file.len(), 36);
    assert_eq!(SnapshotBuilder::new().build(), file);
    let sha256: Vec<u8> = Sha256::digest(&file).to_vec();
    assert_eq!(sha256, hex("72c7aa5ad9ef4bb4a1eb45368cc0e5e39dd4c1c396332dcbece12854f668720f"));
}

#[test]
fn group_zero_is_an_ordinary_empty_snapshot_with_a_ceiling() {
    let file = hex("454b5654484c4331000001a203e74848454b565042424c310000000000000000a333d7ee");
    let (scan, records) = accepted(&file, Required);
    assert_eq!(scan.envelope.header, Header::V1 { ceiling_ms: 0x01a2_03e7_4848 });
    assert_eq!((scan.envelope.form, scan.envelope.footer_crc32c), (Form::Store, Some(0xa333_d7ee)));
    assert!(records.is_empty());
}

#[test]
fn snapshots_of_real_servers_have_the_documented_numbers() {
    for known in SNAPSHOTS {
        let bytes = known.bytes();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), known.len, "{}", known.name);
        let (scan, file) = accepted(&bytes, Required);
        assert_eq!(scan.envelope.header, Header::V1 { ceiling_ms: known.ceiling_ms }, "{}", known.name);
        assert_eq!(scan.envelope.footer_crc32c, Some(known.footer_crc32c), "{}", known.name);
        assert_eq!(scan.last_commit_ts.0, known.last_commit_ts, "{}", known.name);
        assert_eq!(scan.effective_last_commit_ts.0, known.last_commit_ts, "{}", known.name);
        assert_eq!(scan.watermarks.last_commit_ts, Some(known.last_commit_ts), "{}", known.name);
        assert_eq!(scan.totals.entries, known.entries, "{}", known.name);
        let totals = scan.families[0];
        assert_eq!((totals.user_keys, totals.visible), (known.user_keys, known.visible), "{}", known.name);
        assert_eq!((totals.damaged, totals.store_expired, totals.newer), (0, 0, 0), "{}", known.name);
        let sum = totals.older + totals.newer + totals.deleted + totals.store_expired + totals.damaged + totals.visible;
        assert_eq!((totals.records, totals.records + scan.totals.unversioned_rows), (sum, known.entries));
        assert_eq!(scan.findings.iter().count(), 0, "{}: {:?}", known.name, scan.findings.count(findings::NO_CHECKSUM));
        let visible = visible_at(&file, known.last_commit_ts).unwrap();
        assert_eq!(u64::try_from(visible.len()).unwrap(), known.visible, "{}", known.name);
    }
}
