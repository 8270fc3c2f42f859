use super::*;
use ekv_snapshot::{FooterPolicy, MemoryInput};
use proptest::prelude::*;
use std::sync::Arc;

/// Section 17.1: `0000000000000001-0000000000000001.snap` of a fresh node.
const FRESH: &str = "08cfccf82b12250a11454b5654010000000000000001601ff48412100a0a08c0a9e3aafbe0ded90810011801";
/// Section 17.2: `0000000000000002-00000000000007d1.snap`.
const BUSY: &str = "08a484fcd00812280a11454b56540100000000000007d1df28865912130a0c08c0a9e3aafbe0ded908280010d10f1802";
/// The id of the only voter in both.
const VOTER: u64 = 0x08b3_7b07_b558_d4c0;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn parse(bytes: &[u8]) -> Result<SnapFile> {
    let (source, len) = (Arc::new(MemoryInput(bytes.into())), len_u64(bytes));
    SnapFile::read(&Input { source, len, name: "x.snap".into(), footer: FooterPolicy::Optional, token_crc32c: None })
}

/// A container with a correct checksum around `message`.
fn seal(message: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    put_number(1, u64::from(crc32c::crc32c(message)), &mut file);
    put_bytes(2, message, &mut file);
    file
}

fn message_with(data: &[u8], index: u64) -> Vec<u8> {
    let mut metadata = Vec::new();
    put_number(2, index, &mut metadata);
    put_number(3, 1, &mut metadata);
    let mut message = Vec::new();
    put_bytes(1, data, &mut message);
    put_bytes(2, &metadata, &mut message);
    message
}

fn reason(result: Result<SnapFile>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn documented_files_are_read_and_written_byte_for_byte() {
    let fresh = parse(&bytes(FRESH)).unwrap();
    assert_eq!((fresh.metadata.index, fresh.metadata.term), (1, 1));
    assert_eq!(fresh.metadata.conf_state, ConfState { voters: vec![VOTER], ..ConfState::default() });
    let token = Token { index: 1, crc32c: 0x601f_f484 };
    assert_eq!(fresh.data, SnapData::Token(token));
    assert_eq!(encode(&fresh.metadata, token).unwrap(), bytes(FRESH));

    let busy = parse(&bytes(BUSY)).unwrap();
    assert_eq!((busy.metadata.index, busy.metadata.term), (2001, 2));
    assert_eq!(busy.metadata.conf_state.auto_leave, Some(false));
    let token = Token { index: 2001, crc32c: 0xdf28_8659 };
    assert_eq!(busy.data, SnapData::Token(token));
    assert_eq!(encode(&busy.metadata, token).unwrap(), bytes(BUSY));
}

#[test]
fn any_changed_byte_of_a_documented_file_is_noticed() {
    let good = bytes(BUSY);
    let read = parse(&good).unwrap();
    for position in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[position] ^= 1 << bit;
            assert_ne!(parse(&changed).ok().as_ref(), Some(&read), "bit {bit} of byte {position}");
        }
        assert!(parse(&good[..position]).is_err(), "cut to {position} bytes");
    }
}

#[test]
fn wrong_or_missing_container_checksum_is_refused() {
    let mut changed = bytes(BUSY);
    *changed.last_mut().unwrap() ^= 1;
    assert!(reason(parse(&changed)).contains("checksum mismatch"));

    let mut zero = Vec::new();
    put_number(1, 0, &mut zero);
    put_bytes(2, &message_with(b"", 1), &mut zero);
    assert!(reason(parse(&zero)).contains("no checksum"));
    let without_crc = &zero[2..];
    assert!(reason(parse(without_crc)).contains("no checksum"));
    assert!(reason(parse(b"")).contains("no snapshot message"));
}

#[test]
fn file_whose_checksum_would_be_zero_is_not_written() {
    let metadata = parse(&bytes(FRESH)).unwrap().metadata;
    // The only footer with which the message of this member hashes to 0.
    let unlucky = Token { index: 1, crc32c: 0xa996_d3a2 };
    assert!(matches!(encode(&metadata, unlucky).unwrap_err().kind(), ErrorKind::ZeroChecksum));
    assert!(encode(&metadata, Token { index: 1, crc32c: 0xa996_d3a2 ^ 1 }).is_ok());
}

#[test]
fn token_of_another_version_or_index_is_refused() {
    let mut token = Token { index: 7, crc32c: 1 }.encode();
    let other_index = parse(&seal(&message_with(&token, 8))).unwrap_err();
    assert!(matches!(other_index.kind(), ErrorKind::TokenInvalid { .. }), "{other_index}");
    token[4] = 2;
    let other_version = parse(&seal(&message_with(&token, 7))).unwrap_err();
    assert!(matches!(other_version.kind(), ErrorKind::TokenInvalid { .. }), "{other_version}");
}

#[test]
fn data_that_is_no_token_is_an_inline_payload_found_by_position() {
    let payload = b"EKVTxxxxxxxxxxxxxxxx-longer-than-a-token";
    for data in [&payload[..], b"seventeen bytes!!", b"EKV"] {
        let file = seal(&message_with(data, 3));
        let SnapData::Inline { byte_offset, len } = parse(&file).unwrap().data else { panic!("not inline") };
        let start = usize::try_from(byte_offset).unwrap();
        assert_eq!(&file[start..start + usize::try_from(len).unwrap()], data);
    }
    assert_eq!(parse(&seal(&message_with(b"", 3))).unwrap().data, SnapData::Empty);
}

#[test]
fn unknown_fields_of_every_wire_type_are_passed_over() {
    let mut message = message_with(&Token { index: 5, crc32c: 9 }.encode(), 5);
    put_number(100, u64::MAX, &mut message);
    put_bytes(101, b"future", &mut message);
    message.extend_from_slice(&[7 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8, 7 << 3 | 5, 1, 2, 3, 4]);
    message.extend_from_slice(&[7 << 3 | 3, 8 << 3 | 3, 8, 1, 8 << 3 | 4, 9 << 3 | 2, 1, 0xff, 7 << 3 | 4]);
    assert_eq!(parse(&seal(&message)).unwrap().data, SnapData::Token(Token { index: 5, crc32c: 9 }));
}

#[test]
fn packed_and_single_members_are_read_alike() {
    let mut conf_state = Vec::new();
    put_bytes(1, &[1, 0x80, 1], &mut conf_state);
    put_number(1, 3, &mut conf_state);
    put_number(2, 4, &mut conf_state);
    put_bytes(3, &[5], &mut conf_state);
    put_number(4, 6, &mut conf_state);
    put_number(5, 1, &mut conf_state);
    let mut metadata = Vec::new();
    put_bytes(1, &conf_state, &mut metadata);
    let mut message = Vec::new();
    put_bytes(2, &metadata, &mut message);
    let expected = ConfState {
        voters: vec![1, 128, 3],
        learners: vec![4],
        voters_outgoing: vec![5],
        learners_next: vec![6],
        auto_leave: Some(true),
    };
    assert_eq!(parse(&seal(&message)).unwrap().metadata.conf_state, expected);
}

#[test]
fn endless_member_list_and_padded_file_are_refused() {
    let mut conf_state = Vec::new();
    put_bytes(1, &vec![1; 20_000], &mut conf_state);
    let mut metadata = Vec::new();
    put_bytes(1, &conf_state, &mut metadata);
    let mut message = Vec::new();
    put_bytes(2, &metadata, &mut message);
    assert!(reason(parse(&seal(&message))).contains("too many fields"));

    let mut padded = message_with(b"", 1);
    put_bytes(50, &vec![0; 2 << 20], &mut padded);
    assert!(reason(parse(&seal(&padded))).contains("far more"));
}

#[test]
fn overlong_numbers_and_lengths_are_refused_without_allocating() {
    for hex in ["08ffffffffffffffffffff01", "08ffffffffffffffffff02", "12ffffffffffffffffff01", "00", "0c", "0e"] {
        let error = parse(&bytes(hex)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Invalid { .. }), "{hex}: {error}");
    }
}

proptest! {
    #[test]
    fn written_file_reads_back_equal(
        term in any::<u64>(), index in any::<u64>(), crc32c in any::<u32>(),
        voters in proptest::collection::vec(any::<u64>(), 0..5),
        learners in proptest::collection::vec(any::<u64>(), 0..3),
        auto_leave in any::<Option<bool>>(),
    ) {
        let conf_state = ConfState { voters, learners, auto_leave, ..ConfState::default() };
        let metadata = SnapMetadata { term, index, conf_state };
        let token = Token { index, crc32c };
        let read = parse(&encode(&metadata, token).unwrap()).unwrap();
        prop_assert_eq!(read, SnapFile { metadata, data: SnapData::Token(token) });
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        let _ = parse(&seal(&bytes));
    }
}
