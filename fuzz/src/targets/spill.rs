//! The external sorter and the spool against vectors.

use std::sync::Arc;

use ekv_spill::{Scratch, Sorter, Spool, SystemScratch};

/// `budget u8`, then records `key length u8 | payload length u8 | key | payload`.
pub(super) fn run(input: &[u8]) {
    let Some((budget, mut input)) = input.split_first() else { return };
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let budget = usize::from(*budget) * 16;
    let mut sorter = Sorter::new(Arc::clone(&scratch), budget);
    let mut spool = Spool::new(scratch, budget);
    let mut expected = Vec::new();
    let mut written = Vec::new();
    while let Some((&[key_len, payload_len], rest)) = input.split_first_chunk() {
        let (key, rest) = rest.split_at(usize::from(key_len).min(rest.len()));
        let (payload, rest) = rest.split_at(usize::from(payload_len).min(rest.len()));
        sorter.push(key, payload).expect("scratch space");
        spool.write_all(payload).expect("scratch space");
        expected.push((key.to_vec(), payload.to_vec()));
        written.extend_from_slice(payload);
        input = rest;
    }
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let mut sorted = sorter.finish().expect("scratch space");
    let mut got = Vec::new();
    while let Some((key, payload)) = sorted.next().expect("scratch space") {
        got.push((key.to_vec(), payload.to_vec()));
    }
    assert_eq!(got, expected, "ordered by key, equal keys in the order they came");
    let mut read = Vec::new();
    let spooled = spool.into_reader().expect("scratch space");
    let copied: ekv_spill::Result<()> = spooled.for_each_chunk(|chunk| {
        read.extend_from_slice(chunk);
        Ok(())
    });
    copied.expect("scratch space");
    assert_eq!(read, written);
}
