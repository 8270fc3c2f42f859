//! A snapshot with a footer: any changed bit and any cut is noticed before anything is decoded.

use std::io;
use std::sync::Arc;

use ekv_model::Class;
use ekv_snapshot::{FooterPolicy, Input, MemoryInput, ReadAt, findings};
use ekv_testkit::fixtures::REDIS_1;
use ekv_testkit::{Cases, SnapshotBuilder, input_of, scan_input, vectors};

/// Bytes of which one is changed.
struct Changed {
    bytes: MemoryInput,
    at: u64,
    mask: u8,
}

impl ReadAt for Changed {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let n = self.bytes.read_at(buf, offset)?;
        let at = self.at.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = at.and_then(|at| buf[..n].get_mut(at)) {
            *byte ^= self.mask;
        }
        Ok(n)
    }
}

fn shared(bytes: &[u8]) -> MemoryInput {
    MemoryInput(bytes.into())
}

fn wide(at: usize) -> u64 {
    u64::try_from(at).unwrap()
}

/// An error where a footer must be there. Elsewhere a file whose footer now looks like something else may pass, with a finding: the length
/// of the last value takes the footer in, or the file ends between two records.
fn assert_noticed(input: Input, context: &str) {
    for footer in [FooterPolicy::Optional, FooterPolicy::Required] {
        match scan_input(&Input { footer, ..input.clone() }) {
            Ok((scan, _)) => {
                assert_eq!(footer, FooterPolicy::Optional, "{context} is accepted");
                assert_eq!(scan.findings.count(findings::NO_CHECKSUM), 1, "{context} is accepted in silence");
            }
            Err(error) => assert_eq!(error.class(), Class::Data, "{context}: {error}"),
        }
    }
}

fn check_changes(name: &str, bytes: &[u8], masks: &[u8], cases: Cases) {
    let shared = shared(bytes);
    cases.run(&format!("changed bytes of {name}"), bytes.len() * masks.len(), |case| {
        let (at, mask) = (case / masks.len(), masks[case % masks.len()]);
        let source = Changed { bytes: shared.clone(), at: wide(at), mask };
        assert_noticed(
            input_of(Arc::new(source), wide(bytes.len())),
            &format!("{name}, byte {at} changed by {mask:#04x}"),
        );
    });
}

fn check_cuts(name: &str, bytes: &[u8], cases: Cases) {
    let shared = shared(bytes);
    cases.run(&format!("cuts of {name}"), bytes.len(), |len| {
        assert_noticed(input_of(Arc::new(shared.clone()), wide(len)), &format!("{name} cut at {len}"));
    });
}

const BITS: [u8; 8] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80];

/// Each kind of small file.
fn small() -> [(&'static str, Vec<u8>); 7] {
    let built =
        SnapshotBuilder::new().put(b"!redis|str|k", 5, b"\xff\x01\0v").delete(b"a", 6).meta_row("applied_index", 3);
    [
        ("fresh node", vectors::fresh_node()),
        ("interleaved versions", vectors::interleaved()),
        ("versions and rows of the store", vectors::versions()),
        ("version 2 header", vectors::header_v2()),
        ("two records", built.build()),
        ("no SST file", vectors::sst_fresh_node()),
        ("one SST file", vectors::sst_small()),
    ]
}

#[test]
fn every_changed_bit_and_every_cut_of_small_snapshots_is_noticed() {
    for (name, bytes) in small() {
        assert!(scan_input(&ekv_testkit::memory_input(bytes.clone())).is_ok(), "{name}");
        check_changes(name, &bytes, &BITS, Cases::All);
        check_cuts(name, &bytes, Cases::All);
    }
}

#[test]
fn a_sample_of_changed_bytes_and_cuts_of_a_real_snapshot_is_noticed() {
    let bytes = REDIS_1.bytes();
    check_changes("redis-1", &bytes, &[0x01, 0x80], Cases::Sample(4001));
    check_cuts("redis-1", &bytes, Cases::Sample(4001));
}

#[test]
#[ignore = "long form: a quarter of an hour, run by `cargo xtask long`"]
fn all_changed_bytes_of_a_real_snapshot_are_noticed() {
    check_changes("redis-1", &REDIS_1.bytes(), &[0x01, 0x80], Cases::All);
}

#[test]
#[ignore = "long form: minutes, run by `cargo xtask long`"]
fn all_cuts_of_a_real_snapshot_are_noticed() {
    check_cuts("redis-1", &REDIS_1.bytes(), Cases::All);
}
