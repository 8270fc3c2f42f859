//! A snapshot of a real server.

use ekv_backup::{DecodeOptions, EventOptions, Protocol};
use ekv_testkit::fixtures;

use crate::sqs::support::dump;

#[test]
fn real_snapshot_gives_the_queues_of_the_reference_decoder_byte_for_byte() {
    let options = DecodeOptions { events: EventOptions::of(vec![Protocol::Sqs]), ..DecodeOptions::default() };
    let dump = dump(&fixtures::read("all-3.fsm"), &options);
    let reference = fixtures::archive("all-3.reference-tree.tar");
    let reference = reference
        .into_iter()
        .filter_map(|(path, content)| path.strip_prefix("sqs/").map(|path| (path.to_owned(), content)));
    let reference: std::collections::BTreeMap<_, _> = reference.collect();
    assert_eq!(reference.len(), 4);
    assert_eq!(dump.files, reference);
    assert_eq!(dump.report.losses, 0);
}
