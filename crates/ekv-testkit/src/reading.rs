//! Both passes over a snapshot, with defaults.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::NoMonitor;
use ekv_snapshot::{
    CommitTs, FooterPolicy, Input, OneFamily, Range, RecordFile, Result, Scan, ScanOptions, View, scan,
};
use ekv_spill::{Scratch, SystemScratch};

/// Body and commit timestamp of what is visible, by user key.
pub type Visible = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

/// Pass 1 with default options.
///
/// # Errors
/// As [`scan`].
pub fn scan_input(input: &Input) -> Result<(Scan, RecordFile)> {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    scan(input, &ScanOptions::default(), &mut OneFamily, &scratch, &NoMonitor)
}

/// Pass 1 over bytes as the file `test.fsm` with the given footer policy.
///
/// # Errors
/// As [`scan`].
pub fn scan_as(bytes: &[u8], footer: FooterPolicy) -> Result<(Scan, RecordFile)> {
    scan_input(&Input { footer, ..crate::memory_input(bytes.to_vec()) })
}

/// Pass 2: everything that is visible at a timestamp.
///
/// # Errors
/// As [`View::scan_range`] and `RangeScan::next_visible`.
pub fn visible_at(file: &RecordFile, read_ts: u64) -> Result<Visible> {
    let mut all = Visible::new();
    let mut scan = View::of_file(file, CommitTs(read_ts)).scan_range(Range::default())?;
    while let Some(found) = scan.next_visible()? {
        let mut body = vec![0; usize::try_from(found.body.len()).unwrap()];
        let got = found.body.input().fill_at(found.body.byte_offset(), &mut body)?;
        assert_eq!(got, body.len(), "the body ends early");
        if let Some(whole) = found.body.whole() {
            assert_eq!(whole, body, "the body in memory is not the one in the file");
        }
        let known = all.insert(found.user_key.to_vec(), (body, found.commit_ts.0));
        assert!(known.is_none(), "user key {:?} is visible twice", found.user_key);
    }
    Ok(all)
}
