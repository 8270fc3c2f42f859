//! Header, footer, payload forms.

use ekv_snapshot::{Envelope, ErrorKind, Form, Header, Input, findings};
use ekv_testkit::vectors::{self, hex};
use ekv_testkit::{memory_input, reseal, scan_input, seal, visible_at};

use super::{Optional, Required, accepted, assert_error, finding, kind, refused};

fn without_header(file: &[u8]) -> Vec<u8> {
    file[16..].to_vec()
}

fn without_footer(file: &[u8]) -> Vec<u8> {
    file[..file.len() - 4].to_vec()
}

fn offset_of_end(file: &[u8]) -> u64 {
    u64::try_from(file.len()).unwrap()
}

#[test]
fn fresh_node_holds_no_record() {
    let (scan, file) = accepted(&vectors::fresh_node(), Required);
    let envelope =
        Envelope { header: Header::V1 { ceiling_ms: 0 }, form: Form::Store, footer_crc32c: Some(0x601f_f484) };
    assert_eq!(scan.envelope, envelope);
    assert_eq!((scan.totals.entries, scan.last_commit_ts.0, scan.effective_last_commit_ts.0), (0, 0, 0));
    assert!(file.is_empty() && visible_at(&file, 1).unwrap().is_empty());
}

#[test]
fn header_with_extensions_is_read_and_its_extensions_are_ignored() {
    let (scan, file) = accepted(&vectors::header_v2(), Required);
    assert_eq!(scan.envelope.header, Header::V2 { ceiling_ms: 1002, cutover_index: 78, counted_len: 24 });
    assert_eq!((scan.last_commit_ts.0, scan.totals.entries), (5, 0));
    assert!(file.is_empty());
}

#[test]
fn empty_payloads_and_oracle_states_hold_no_record() {
    let cases = [
        (vectors::empty_payload(), Header::V1 { ceiling_ms: 5 }, Form::Empty, Some(0x55dc_3387)),
        (vectors::zero_bytes(), Header::Bare, Form::Empty, Some(0)),
        (
            vectors::timestamp_oracle(),
            Header::Bare,
            Form::TimestampOracle { ceiling_ms: 0x01a2_03e7_4848 },
            Some(0x7445_c7d1),
        ),
    ];
    for (bytes, header, form, footer_crc32c) in cases {
        let (scan, file) = accepted(&bytes, Required);
        assert_eq!(scan.envelope, Envelope { header, form, footer_crc32c });
        assert!(file.is_empty() && scan.families.is_empty());
    }
}

#[test]
fn smallest_files_without_a_checksum_are_accepted_only_where_none_is_required() {
    let bare = [&b"EKVPBBL1"[..], &7_u64.to_le_bytes()].concat();
    for bytes in
        [Vec::new(), bare, without_footer(&vectors::timestamp_oracle()), without_footer(&vectors::empty_payload())]
    {
        let (scan, file) = accepted(&bytes, Optional);
        assert!(file.is_empty());
        assert_eq!(scan.findings.count(findings::NO_CHECKSUM), 1);
        assert_error(&refused(&bytes, Required), "FooterMissing", offset_of_end(&bytes), None);
    }
}

#[test]
fn payload_of_one_to_seven_bytes_is_truncated_magic() {
    for len in [1, 2, 3, 5, 6, 7] {
        assert_error(&refused(&b"EKVPBBL1"[..len], Optional), "TruncatedMagic", 0, None);
        let with_header = [&vectors::empty_payload()[..16], &b"EKVPBBL1"[..len]].concat();
        assert_error(&refused(&with_header, Optional), "TruncatedMagic", 16, None);
    }
}

#[test]
fn payload_of_no_known_form_is_unknown_magic() {
    let text = b"this is not a snapshot at all";
    assert_error(&refused(text, Optional), "UnknownMagic", 0, None);
    let with_header = [&vectors::empty_payload()[..16], text].concat();
    assert_error(&refused(&with_header, Optional), "UnknownMagic", 16, None);
    // The clock of a timestamp oracle has 48 bits: any other eight bytes are not its state.
    for eight in [&b"garbage!"[..], &seal(b"garbage!".to_vec())] {
        assert_error(&refused(eight, Optional), "UnknownMagic", 0, None);
    }
}

#[test]
fn header_lengths_out_of_bounds_are_refused() {
    for (len, found) in [(15_u16, 15), (1025, 1025), (0, 0), (u16::MAX, u16::MAX)] {
        let mut file = vectors::header_v2();
        file[8..10].copy_from_slice(&len.to_be_bytes());
        for (bytes, policy) in [(file.clone(), Optional), (reseal(file), Required)] {
            let error = refused(&bytes, policy);
            assert_error(&error, "HeaderLength", 0, None);
            assert!(matches!(error.kind(), ErrorKind::HeaderLength { found: f } if *f == found));
        }
    }
    for len in [16_u16, 1024] {
        let counted = vec![0; usize::from(len)];
        let file = [&b"EKVTHLC2"[..], &len.to_be_bytes(), &counted, &vectors::fresh_node()[16..32]].concat();
        assert_eq!(accepted(&seal(file), Required).0.envelope.header.len(), 10 + u64::from(len));
    }
}

#[test]
fn unknown_header_versions_are_refused() {
    for version in [b'0', b'3', b'9', 0, 0xff] {
        let mut file = vectors::versions();
        file[7] = version;
        for (bytes, policy) in [(file.clone(), Optional), (reseal(file), Required)] {
            let error = refused(&bytes, policy);
            assert_error(&error, "HeaderVersion", 0, None);
            assert!(matches!(error.kind(), ErrorKind::HeaderVersion { found } if *found == char::from(version)));
        }
    }
}

#[test]
fn file_that_ends_inside_its_header_is_refused() {
    let v1 = vectors::empty_payload();
    let v2 = vectors::header_v2();
    for bytes in (8..16).map(|len| &v1[..len]).chain((8..34).map(|len| &v2[..len])) {
        assert_error(&refused(bytes, Optional), "HeaderTruncated", 0, None);
    }
}

#[test]
fn header_and_footer_are_independent_of_each_other() {
    let file = vectors::versions();
    let bare = without_footer(&without_header(&file));
    let expected = visible_at(&accepted(&file, Required).1, 30).unwrap();
    let cases = [
        (reseal(without_header(&file)), Header::Bare, 0),
        (without_footer(&file), Header::V1 { ceiling_ms: 1000 }, 1),
        (bare, Header::Bare, 1),
    ];
    for (bytes, header, warnings) in cases {
        let (scan, records) = accepted(&bytes, Optional);
        assert_eq!(scan.envelope.header, header);
        assert_eq!(finding(&scan, "snapshot_no_checksum"), warnings);
        assert_eq!(visible_at(&records, 30).unwrap(), expected);
    }
}

#[test]
fn changed_footer_or_body_byte_is_a_checksum_error_at_the_footer() {
    let file = vectors::versions();
    let footer_at = offset_of_end(&file) - 4;
    let (last, value) = (file.len() - 1, file.len() - 5);
    let key = file.windows(2).position(|pair| pair == b"a\xff").unwrap();
    for (at, policy) in
        [(last, Optional), (last, Required), (value, Optional), (value, Required), (key, Required), (20, Required)]
    {
        let mut changed = file.clone();
        changed[at] ^= 0x10;
        assert_error(&refused(&changed, policy), "FooterCrc", footer_at, None);
    }
}

#[test]
fn checksum_error_wins_over_structural_errors_and_names_them() {
    let file = vectors::versions();
    // Of the last entry: its value length lies 8 bytes before its 10 bytes of value.
    let value_len_at = file.len() - 4 - 10 - 8;
    let cases = [
        (7, "unknown header version"),
        (16, "unknown payload magic"),
        (33, "truncated: key and value length needs 60963 bytes"),
        (34, "truncated: key and value length needs 15597603 bytes"),
        (35, "key length 3992977427 exceeds"),
        (value_len_at, "truncated: value needs 263 bytes"),
        (value_len_at + 3, "value length 3992977418 exceeds"),
    ];
    for (at, parse_error) in cases {
        let mut changed = file.clone();
        changed[at] = 0xee;
        let error = refused(&changed, Required);
        assert_error(&error, "FooterCrc", offset_of_end(&file) - 4, None);
        let text = error.to_string();
        assert!(text.contains(&format!("also: {parse_error}")), "byte {at}: {text}");
    }
}

#[test]
fn file_cut_by_less_than_a_footer_is_truncated() {
    let file = vectors::versions();
    let footer_at = offset_of_end(&file) - 4;
    for cut in [1, 2, 3] {
        let bytes = &file[..file.len() - cut];
        let error = refused(bytes, Optional);
        assert_error(&error, "Truncated", footer_at, None);
        let left = 4 - u64::try_from(cut).unwrap();
        assert!(matches!(error.kind(), ErrorKind::Truncated { available, .. } if *available == left), "{error}");
        // Where a footer must be there, its comparison comes first and names the cut as well.
        let error = refused(bytes, Required);
        assert!(kind(&error) == "FooterCrc" && error.to_string().contains("truncated"), "{error}");
    }
}

#[test]
fn file_cut_by_exactly_its_footer_is_accepted_only_where_none_is_required() {
    let file = vectors::versions();
    let cut = without_footer(&file);
    assert_error(&refused(&cut, Required), "FooterMissing", offset_of_end(&cut), None);
    assert_eq!(accepted(&cut, Optional).0.findings.count(findings::NO_CHECKSUM), 1);
    assert_eq!(accepted(&file, Optional).0.findings.count(findings::NO_CHECKSUM), 0);
}

#[test]
fn bytes_after_the_footer_are_an_error() {
    let file = vectors::versions();
    let footer_at = offset_of_end(&file) - 4;
    for extra in [1, 2, 3] {
        let longer = [&file[..], &vec![0; extra]].concat();
        assert_error(&refused(&longer, Optional), "Truncated", footer_at, None);
    }
    let error = refused(&[&file[..], &[0; 4]].concat(), Optional);
    assert!(["KeyTooLarge", "Truncated"].contains(&kind(&error).as_str()), "{error}");
    assert_eq!(error.location().byte_offset, Some(footer_at));
}

#[test]
fn four_bytes_of_a_length_field_are_a_wrong_footer() {
    // The last entry begins 16 + 9 + 10 bytes before the footer.
    let file = vectors::versions();
    let last_entry = file.len() - 4 - 35;
    let cut = &file[..last_entry + 4];
    for policy in [Optional, Required] {
        assert_error(&refused(cut, policy), "FooterCrc", offset_of_end(cut) - 4, None);
    }
}

#[test]
fn footer_that_differs_from_the_token_is_refused() {
    let with_token =
        |token| Input { token_crc32c: Some(token), footer: Required, ..memory_input(vectors::fresh_node()) };
    assert!(scan_input(&with_token(0x601f_f484)).is_ok());
    let error = scan_input(&with_token(1)).map(drop).unwrap_err();
    assert_error(&error, "TokenCrc", 32, None);
}

#[test]
fn memory_store_stream_is_read_like_any_other() {
    let (scan, file) = accepted(&vectors::memory_store(), Optional);
    assert_eq!((scan.envelope.form, scan.envelope.header), (Form::MemoryStore, Header::Bare));
    assert_eq!((scan.last_commit_ts.0, scan.totals.entries, scan.watermarks.oldest_answerable()), (30, 3, 0));
    let body =
        |read_ts| visible_at(&file, read_ts).unwrap().into_iter().map(|(k, (body, _))| (k, body)).collect::<Vec<_>>();
    assert_eq!(body(15), [(b"a".to_vec(), b"v1".to_vec())]);
    assert_eq!(body(25), [(b"a".to_vec(), b"v2".to_vec())]);
    assert_eq!(body(30), [(b"a".to_vec(), b"v2".to_vec())]);
    assert_eq!(body(98), [(b"a".to_vec(), b"v2".to_vec())]);
    assert_eq!(body(99), []);
}

#[test]
fn memory_store_stream_with_a_changed_byte_is_a_checksum_error() {
    let mut file = vectors::memory_store();
    let at = file.windows(2).position(|pair| pair == b"v1").unwrap();
    file[at] = b'w';
    assert_error(&refused(&file, Optional), "BodyCrc", 0, None);
    let sealed = seal(file);
    assert_error(&refused(&sealed, Required), "BodyCrc", 0, None);
}

#[test]
fn memory_store_stream_takes_header_and_footer_like_any_other() {
    let file = seal([&hex("454b5654484c433100000000000003e8")[..], &vectors::memory_store()].concat());
    let (scan, records) = accepted(&file, Required);
    assert_eq!(scan.envelope.header, Header::V1 { ceiling_ms: 1000 });
    assert!(scan.envelope.footer_crc32c.is_some());
    assert_eq!(visible_at(&records, 15).unwrap().len(), 1);
    assert_error(&refused(&vectors::memory_store(), Required), "FooterMissing", 145, None);
}
