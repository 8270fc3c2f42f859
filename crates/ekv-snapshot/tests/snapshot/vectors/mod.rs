//! The documented files and test cases of `docs/format/snapshot.md`, sections 17 and 18, through the public interface.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod encryption;
mod envelope;
mod golden;
mod limits;
mod records;
mod sst;
mod visibility;

use ekv_snapshot::{Error, FooterPolicy, RecordFile, Scan};
use ekv_testkit::scan_as;

use FooterPolicy::{Optional, Required};

/// Scans a file that must be accepted.
fn accepted(bytes: &[u8], footer: FooterPolicy) -> (Scan, RecordFile) {
    scan_as(bytes, footer).unwrap_or_else(|error| panic!("{error}"))
}

/// Scans a file that must be refused.
fn refused(bytes: &[u8], footer: FooterPolicy) -> Error {
    match scan_as(bytes, footer) {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

/// The name of an error's kind.
fn kind(error: &Error) -> String {
    let text = format!("{:?}", error.kind());
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// An error in `test.fsm`, of a kind, at a byte offset, at a raw key.
#[track_caller]
fn assert_error(error: &Error, expected: &str, byte_offset: u64, raw_key: Option<&[u8]>) {
    assert_eq!(kind(error), expected, "{error}");
    let location = error.location();
    assert_eq!(location.file, "test.fsm", "{error}");
    assert_eq!(location.byte_offset, Some(byte_offset), "{error}");
    assert_eq!(location.raw_key.as_deref(), raw_key, "{error}");
}

/// How often the finding with this name occurred.
fn finding(scan: &Scan, name: &str) -> u64 {
    scan.findings.iter().find(|(finding, _)| finding.name == name).map_or(0, |(_, totals)| totals.count)
}
