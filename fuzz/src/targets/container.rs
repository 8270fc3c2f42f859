//! Raw bytes as a snapshot file: every envelope and payload form.

use std::collections::BTreeMap;

use ekv_model::{Class, NoMonitor};
use ekv_snapshot::format::{MVCC2_MAGIC, PAYLOAD_HEADER_LEN, PAYLOAD_MAGIC};
use ekv_snapshot::{FooterPolicy, Form, Input, RestorablePayload, split_raw_key};
use ekv_testkit::{FaultyInput, ReadFault, input_of, memory_input, scan_as, scan_input, seal, visible_at};

use crate::dump::{Options, decode};

/// The bytes as they are.
pub(super) fn run(input: &[u8]) {
    check(input);
}

/// The bytes as a payload: checksums inside and around it are made right, so that mutations get past them.
pub(super) fn run_resealed(input: &[u8]) {
    let Some((form, payload)) = input.split_first() else { return };
    let mut payload = payload.to_vec();
    if payload.starts_with(MVCC2_MAGIC) && payload.len() >= 16 {
        // The checksum in the header of an `EKVMVCC2` payload covers all that follows it.
        let crc = crc32fast::hash(&payload[16..]).to_le_bytes();
        payload[12..16].copy_from_slice(&crc);
    }
    let header: &[u8] = match form % 4 {
        0 => b"",
        1 => b"EKVTHLC1\0\0\x01\xa2\x03\x91\0\x05",
        _ => b"EKVTHLC2\0\x18\0\0\x01\xa2\x03\x91\0\x05\0\0\0\0\0\0\0N\0\0\0\0\0\0\0\x09",
    };
    let bytes = [header, &payload].concat();
    check(&if form & 4 == 0 { seal(bytes) } else { bytes });
}

fn check(bytes: &[u8]) {
    let required = scan_as(bytes, FooterPolicy::Required).is_ok();
    let input = memory_input(bytes.to_vec());
    let scanned = match scan_input(&input) {
        Ok(scanned) => Some(scanned),
        Err(error) => {
            assert_eq!(error.class(), Class::Data, "{error}: bytes in memory can only be damaged");
            assert!(!required, "refused, and accepted where a footer must be: {error}");
            None
        }
    };
    check_short_reads(bytes, scanned.is_some());
    let restorable = restorable_records(&input);
    let Some((scan, file)) = scanned else {
        // Only a payload without header is restorable; then the scan may still see a wrong footer in its last four bytes.
        return;
    };
    if scan.envelope.form == Form::Store && scan.envelope.header.is_empty() && scan.envelope.footer_crc32c.is_none() {
        if let Some(records) = restorable {
            assert_eq!(scan.totals.entries, records, "a restorable payload has the records that the scan counts");
        }
        check_model(bytes, scan.effective_last_commit_ts.0, &file);
    }
    for read_ts in [0, scan.effective_last_commit_ts.0, u64::MAX] {
        visible_at(&file, read_ts).expect("a sound snapshot is read");
    }
    // What ends without a footer after its header may have been cut, and is not decoded.
    let is_unproven = !scan.envelope.header.is_empty() && scan.envelope.footer_crc32c.is_none();
    let input = if is_unproven { memory_input(seal(bytes.to_vec())) } else { input };
    decode(&input, Options::default()).expect("what was scanned is decoded");
}

/// What is read does not depend on how many bytes each read returns.
fn check_short_reads(bytes: &[u8], is_sound: bool) {
    if bytes.len() <= 1024 {
        let len = u64::try_from(bytes.len()).unwrap();
        let source = FaultyInput::new(bytes.to_vec(), ReadFault::OneByte);
        let short = scan_input(&input_of(std::sync::Arc::new(source), len));
        assert_eq!(short.is_ok(), is_sound, "short reads change the result");
    }
}

/// The number of records of a payload that a node could begin from.
fn restorable_records(input: &Input) -> Option<u64> {
    let mut payload = RestorablePayload::new(input, &NoMonitor);
    let mut handed_out = 0;
    while let Some(piece) = payload.next_piece().ok()? {
        handed_out += piece.len();
    }
    assert_eq!(u64::try_from(handed_out).unwrap(), input.len, "each byte is handed out once");
    Some(payload.totals().records)
}

/// The newest visible version of each key, found the simple way.
fn check_model(bytes: &[u8], read_ts: u64, file: &ekv_snapshot::RecordFile) {
    assert!(bytes.starts_with(PAYLOAD_MAGIC));
    let mut rest = &bytes[usize::try_from(PAYLOAD_HEADER_LEN).unwrap()..];
    let mut newest: BTreeMap<&[u8], (u64, &[u8])> = BTreeMap::new();
    let mut has_damage = false;
    while !rest.is_empty() {
        let (raw_key, value);
        (raw_key, rest) = take(rest);
        (value, rest) = take(rest);
        let is_store_row =
            ["_meta_last_commit_ts", "_meta_min_retained_ts", "_meta_pending_min_retained_ts", "_meta_applied_index"]
                .iter()
                .any(|row| row.as_bytes() == raw_key);
        let Some((user_key, commit_ts)) = split_raw_key(raw_key).filter(|_| !is_store_row) else { continue };
        has_damage |= value.len() < 9 || value[0] & !1 != 0 || user_key.starts_with(b"!s3|chunkblob|");
        let known = newest.get(user_key).is_some_and(|(ts, _)| *ts > commit_ts.0);
        if commit_ts.0 <= read_ts && !known {
            newest.insert(user_key, (commit_ts.0, value));
        }
    }
    if has_damage {
        return;
    }
    let expected = newest.into_iter().filter_map(|(user_key, (commit_ts, value))| {
        let expire_at = u64::from_le_bytes(*value[1..].first_chunk().unwrap());
        let is_visible = value[0] == 0 && (expire_at == 0 || expire_at > read_ts);
        is_visible.then(|| (user_key.to_vec(), (value[9..].to_vec(), commit_ts)))
    });
    assert_eq!(visible_at(file, read_ts).unwrap(), expected.collect(), "the visible versions");
}

fn take(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = bytes.split_first_chunk().unwrap();
    rest.split_at(usize::try_from(u64::from_le_bytes(*len)).unwrap())
}
