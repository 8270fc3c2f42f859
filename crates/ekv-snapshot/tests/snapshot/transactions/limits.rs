//! Large records, and stopping.

use std::sync::Arc;

use ekv_model::{Cancelled, Monitor, NoMonitor};
use ekv_snapshot::txn::{ReadPoint, TxnGroup, TxnOptions, TxnView, resolve};
use ekv_snapshot::{CommitTs, OneFamily, ScanOptions, View, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::SnapshotBuilder;

use crate::transactions::case::nobody;

#[test]
fn large_values_and_primary_keys_pass_through() {
    let (value, primary) = (vec![b'v'; 300_000], vec![b'p'; 200_000]);
    let snapshot = SnapshotBuilder::new().prepare(b"k", 200, &primary, Some(&value)).commit_record(&primary, 200, 300);
    let (pass, file) = {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        scan(&snapshot.input(), &ScanOptions::default(), &mut OneFamily, &scratch, &NoMonitor).unwrap()
    };
    let group = TxnGroup { file, group_id: None, last_commit_ts: pass.effective_last_commit_ts };
    let options =
        TxnOptions { view: TxnView::Protocol, read_point: ReadPoint::NewestOfEach, owner_of: &nobody, losses: None };
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let resolved = resolve(&[group], &options, &scratch, &NoMonitor).unwrap();
    let overlay = resolved.groups[0].overlay.as_ref().unwrap();
    let view = View::of_file(overlay, CommitTs::MAX);
    let mut lookup = view.lookup();
    let found = lookup.get(b"k").unwrap().unwrap();
    assert_eq!((found.commit_ts, found.body.len()), (CommitTs(300), 300_000));
    found
        .body
        .body()
        .for_each_chunk(|chunk| {
            assert!(chunk.iter().all(|b| *b == b'v'));
            Ok(())
        })
        .unwrap();
}

#[test]
fn monitor_that_wants_to_stop_ends_the_work() {
    struct Stop;
    impl Monitor for Stop {
        fn advance(&self, _: u64) -> Result<(), Cancelled> {
            Err(Cancelled)
        }
    }
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let mut snapshot = SnapshotBuilder::new();
    for i in 0..2_000_u32 {
        snapshot = snapshot.lock(&i.to_be_bytes(), 200, b"p");
    }
    let (_, file) = scan(&snapshot.input(), &ScanOptions::default(), &mut OneFamily, &scratch, &NoMonitor).unwrap();
    let group = TxnGroup { file, group_id: None, last_commit_ts: CommitTs(200) };
    let options =
        TxnOptions { view: TxnView::Protocol, read_point: ReadPoint::NewestOfEach, owner_of: &nobody, losses: None };
    let error = resolve(&[group], &options, &scratch, &Stop).err().unwrap();
    assert!(matches!(error.kind(), ekv_snapshot::ErrorKind::Cancelled));
}
