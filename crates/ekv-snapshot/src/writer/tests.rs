use ekv_model::{InMemory, NoMonitor};
use ekv_spill::SystemScratch;
use proptest::prelude::*;

use super::*;
use crate::{FooterPolicy, Input, MemoryInput, OneFamily, ScanOptions, scan};

/// The timestamp of the documented example.
const GOLDEN_TS: CommitTs = CommitTs(111_411_200_000_000_007);

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

fn write(records: &[(&[u8], &[u8])], memory_budget: usize, form: WrittenForm) -> Result<(Vec<u8>, Written)> {
    let mut writer = Writer::new(&scratch(), GOLDEN_TS, memory_budget)?;
    for (user_key, body) in records {
        writer.put(user_key, &[Body::Inline(body)]).unwrap();
    }
    let mut out = Vec::new();
    let written = writer.finish(form, &mut out, &NoMonitor)?;
    Ok((out, written))
}

fn scanned(bytes: &[u8]) -> crate::Scan {
    let input = Input {
        len: len_u64(bytes),
        source: Arc::new(MemoryInput(bytes.into())),
        name: "written".to_owned(),
        footer: FooterPolicy::Optional,
        token_crc32c: None,
    };
    scan(&input, &ScanOptions::default(), &mut OneFamily, &scratch(), &NoMonitor).unwrap().0
}

/// Raw keys in the order of the payload.
fn raw_keys(payload: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &payload[16..];
    let mut keys = Vec::new();
    let take = |rest: &mut &[u8]| {
        let (len, behind) = rest.split_first_chunk::<8>().unwrap();
        let (part, behind) = behind.split_at(usize::try_from(u64::from_le_bytes(*len)).unwrap());
        *rest = behind;
        part.to_vec()
    };
    while !rest.is_empty() {
        keys.push(take(&mut rest));
        take(&mut rest);
    }
    keys
}

#[test]
fn documented_example_is_written_byte_for_byte() {
    let (bytes, written) = write(&[(b"!redis|str|a/b", b"\xff\x01\x00hi")], 1 << 20, WrittenForm::Payload).unwrap();
    let hex = "454b565042424c3107000068e5cf8b0116000000000000002172656469737c7374727c612f62fe74301a97fffff80e0000000000\
               0000000000000000000000ff01006869";
    assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), hex.replace(' ', ""));
    let sha256: String = written.payload_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sha256, "95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d");
    assert_eq!((written.records, written.bytes, written.footer_crc32c), (1, 68, None));
}

#[test]
fn file_form_has_the_documented_header_and_a_footer_that_holds() {
    let (bytes, written) = write(&[(b"!redis|str|a/b", b"\xff\x01\x00hi")], 1 << 20, WrittenForm::File).unwrap();
    assert_eq!(bytes[..16], *b"EKVTHLC1\x00\x00\x01\x8b\xcf\xe5\x68\x01");
    assert_eq!(bytes[84..], [0xcf, 0xe7, 0x1b, 0x90]);
    assert_eq!((written.bytes, written.footer_crc32c), (88, Some(0xcfe7_1b90)));
    assert_eq!(scanned(&bytes).envelope.footer_crc32c, Some(0xcfe7_1b90));
    let (_, payload) = write(&[(b"!redis|str|a/b", b"\xff\x01\x00hi")], 1 << 20, WrittenForm::Payload).unwrap();
    assert_eq!(written.payload_sha256, payload.payload_sha256);
}

#[test]
fn entries_are_ordered_by_the_raw_key_with_any_memory() {
    let suffix = GOLDEN_TS.to_suffix();
    let tailed = [b"a".as_slice(), &suffix].concat();
    let keys: [&[u8]; 7] = [b"b", b"a\xff", b"a", b"ab", b"a\xfe", &tailed, b""];
    let records: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (*key, *key)).collect();
    let mut expected: Vec<Vec<u8>> = keys.iter().map(|key| [key, suffix.as_slice()].concat()).collect();
    expected.sort();
    let (in_memory, _) = write(&records, 1 << 20, WrittenForm::Payload).unwrap();
    let (spilled, _) = write(&records, 1, WrittenForm::Payload).unwrap();
    assert_eq!(raw_keys(&in_memory), expected);
    assert_eq!(in_memory, spilled);
    assert!(expected[0].starts_with(b"ab"), "the longer key comes first when its next byte is below the suffix");
}

#[test]
fn key_that_comes_twice_is_an_error_that_names_it() {
    for budget in [1, 1 << 20] {
        let error = write(&[(b"k", b"1"), (b"j", b""), (b"k", b"2")], budget, WrittenForm::Payload).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::DuplicateKey { user_key } if user_key == b"k"), "{error}");
        let error = write(&[(b"", b"1"), (b"", b"2")], budget, WrittenForm::Payload).unwrap_err();
        assert_eq!(error.to_string(), "two records have the user key ");
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let mut writer = Writer::new(&scratch(), GOLDEN_TS, 1 << 20).unwrap();
    let longest = vec![b'k'; 1 << 20];
    writer.put(&longest, &[]).unwrap();
    let error = writer.put(&[longest.as_slice(), b"k"].concat(), &[]).unwrap_err();
    assert!(error.to_string().starts_with("key length 1048585 exceeds the limit of 1048584 bytes (key kkk"), "{error}");

    struct Zeros(u64);
    impl ByteSource for Zeros {
        fn len(&self) -> u64 {
            self.0
        }
        fn read_exact_at(&self, _: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
            buf.fill(0);
            Ok(())
        }
    }
    let error = writer.put(b"v", &[Body::Streamed(&Zeros(VALUE_LEN_MAX - 8))]).unwrap_err();
    assert!(
        error.to_string().starts_with("value length 268435500 exceeds the limit of 268435499 bytes (key v"),
        "{error}"
    );
    assert_eq!(writer.records(), 1);
}

#[test]
fn last_millisecond_is_refused_and_the_one_before_is_not() {
    for (commit_ts, is_refused) in [(u64::MAX, true), (u64::MAX << 16, true), ((u64::MAX << 16) - 1, false), (0, false)]
    {
        let refused = Writer::new(&scratch(), CommitTs(commit_ts), 0).is_err();
        assert_eq!(refused, is_refused, "{commit_ts}");
    }
}

#[test]
fn long_bodies_in_parts_arrive_whole() {
    let body: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let mut writer = Writer::new(&scratch(), GOLDEN_TS, 1 << 20).unwrap();
    let in_memory = InMemory(&body);
    writer.put(b"b", &[Body::Inline(b"head"), Body::Streamed(&in_memory)]).unwrap();
    writer.put(b"a", &[Body::Streamed(&in_memory), Body::Inline(b"tail")]).unwrap();
    writer.put(b"c", &[Body::Inline(&body[..usize::try_from(INLINE_LEN_MAX).unwrap()])]).unwrap();
    let mut out = Vec::new();
    writer.finish(WrittenForm::Payload, &mut out, &NoMonitor).unwrap();
    let found = |part: &[&[u8]]| {
        let part = part.concat();
        out.windows(part.len()).any(|window| window == part)
    };
    assert!(found(&[b"\0\0\0\0\0\0\0\0\0head", &body]) && found(&[&body, b"tail"]));
    assert_eq!(scanned(&out).totals.entries, 3);
}

#[test]
fn output_that_is_full_is_out_of_space() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from_raw_os_error(28))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let writer = Writer::new(&scratch(), GOLDEN_TS, 0).unwrap();
    let error = writer.finish(WrittenForm::Payload, &mut Full, &NoMonitor).unwrap_err();
    assert_eq!(error.class(), ekv_model::Class::OutOfSpace);
}

proptest! {
    #[test]
    fn what_is_written_is_sorted_and_complete_with_any_memory(
        records in prop::collection::btree_map(prop::collection::vec(prop::sample::select(b"ab\xfe\xff\0".to_vec()), 0..6),
            prop::collection::vec(any::<u8>(), 0..40), 0..40),
        budget in prop::sample::select(vec![1_usize, 300, 1 << 20]),
    ) {
        let records: Vec<(&[u8], &[u8])> = records.iter().rev().map(|(key, body)| (&key[..], &body[..])).collect();
        let (bytes, written) = write(&records, budget, WrittenForm::File).unwrap();
        let scan = scanned(&bytes);
        prop_assert_eq!(scan.totals.entries, u64::try_from(records.len()).unwrap());
        prop_assert_eq!(written.records, scan.totals.entries);
        prop_assert_eq!(scan.last_commit_ts, GOLDEN_TS);
        prop_assert_eq!(scan.effective_last_commit_ts, GOLDEN_TS);
        prop_assert_eq!(scan.families.first().map_or(0, |family| family.visible), written.records);
    }
}
