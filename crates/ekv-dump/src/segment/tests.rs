//! Tables of `docs/format/tree.md`, sections 2.3, 2.4, 2.6, 11.1 and 11.2, and the properties of section 13.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn times(count: usize, text: &str) -> Vec<u8> {
    text.repeat(count).into_bytes()
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Key and expected segment of every row of section 11.1, in its order.
fn golden_redis_names() -> Vec<(Vec<u8>, Vec<u8>)> {
    let plain: &[(&[u8], &str)] = &[
        (b"plain", "plain"),
        (b"", ""),
        (b".", "."),
        (b"..", ".."),
        (b"...", "..."),
        (b"a/b", "a%2Fb"),
        (b"/abs", "%2Fabs"),
        (b"a\\b", "a%5Cb"),
        (b"a:b", "a%3Ab"),
        (b"with space", "with%20space"),
        (b"trail.", "trail."),
        (b"trail ", "trail%20"),
        (b" lead", "%20lead"),
        (b"-dash", "-dash"),
        (b"~tilde", "%7Etilde"),
        (b"100%", "100%25"),
        (b"%41", "%2541"),
        (b"%2F", "%252F"),
        (b"a+b", "a%2Bb"),
        (b"a=b&c", "a%3Db%26c"),
        (b"quote\"'", "quote%22%27"),
        (b"<>|*?", "%3C%3E%7C%2A%3F"),
        (b"\x00", "%00"),
        (b"nul\x00mid", "nul%00mid"),
        (b"\xff\xfe", "%FF%FE"),
        (b"\x7f", "%7F"),
        (b"new\nline", "new%0Aline"),
        (b"cr\rx", "cr%0Dx"),
        (b"tab\t", "tab%09"),
        ("日本".as_bytes(), "%E6%97%A5%E6%9C%AC"),
        (b"\xc3\xa9", "%C3%A9"),
        (b"e\xcc\x81", "e%CC%81"),
        (b"CON", "CON"),
        (b"con", "con"),
        (b"nul.txt", "nul.txt"),
        (b"COM1", "COM1"),
        (b"Case", "Case"),
        (b"case", "case"),
        (b"CASE", "CASE"),
        (b"b64.", "0e3246de4838b88fa1b243cce26975b5__b64."),
        (b"b64.foo", "72ef1a090c013093607ce5a62f598cf4__b64.foo"),
        (b"B64.foo", "B64.foo"),
        (b"xb64.foo", "xb64.foo"),
        (b"b64", "b64"),
        (
            b"0123456789abcdef0123456789abcdef__x",
            "c6adf9bb73b31df7b339106a031c285a__0123456789abcdef0123456789abcdef__x",
        ),
        (
            b"0123456789ABCDEF0123456789ABCDEF__x",
            "601bfe86e4c408111961665d9694b88c__0123456789ABCDEF0123456789ABCDEF__x",
        ),
        (b"0123456789abcdef0123456789abcdef__", "0afa068f3ae67297fd9dbfe7f1681186__0123456789abcdef0123456789abcdef__"),
        (b"0123456789abcdef0123456789abcdef_x", "0123456789abcdef0123456789abcdef_x"),
        (b"0123456789abcdef0123456789abcde__x", "0123456789abcdef0123456789abcde__x"),
        (b"0123456789abcdef0123456789abcdefg__", "0123456789abcdef0123456789abcdefg__"),
        (b"session:{user}:42", "session%3A%7Buser%7D%3A42"),
        (b"foo.bin", "foo.bin"),
        (b"KEYMAP.jsonl", "KEYMAP.jsonl"),
        (b"strings_ttl.jsonl", "strings_ttl.jsonl"),
        (b".bin.tmp-1", ".bin.tmp-1"),
        (b".DS_Store", ".DS_Store"),
        (b"desktop.ini", "desktop.ini"),
        (b"$MFT", "%24MFT"),
        (b"a\xc3\x28", "a%C3%28"),
    ];
    let k64 = times(64, "k");
    let long: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (times(239, "k"), times(239, "k")),
        (times(240, "k"), times(240, "k")),
        (times(241, "k"), join(&[b"74bb436be223189a34bf2ce2b5ccebf5__", &k64])),
        (times(80, "/"), times(80, "%2F")),
        (times(81, "/"), join(&[b"2a5bc5b1b5314ecd2a310f8d021df0d1__", &times(64, "%2F")])),
        (join(&[&times(238, "k"), b"/"]), join(&[b"1c715f7dc13f121dc38d4cbc58240fdb__", &k64])),
        (join(&[&times(237, "k"), b"/"]), join(&[&times(237, "k"), b"%2F"])),
        (vec![0xff; 300], join(&[b"5263250339d3961c91f0bb1150e95ff8__", &times(64, "%FF")])),
        (join(&[&times(64, "a"), &times(200, "/")]), join(&[b"ca44fd23686cbfb522c1838496e70d4f__", &times(64, "a")])),
    ];
    plain.iter().map(|(key, name)| (key.to_vec(), name.as_bytes().to_vec())).chain(long).collect()
}

#[test]
fn golden_redis_keys_give_their_names_and_names_give_their_keys() {
    for (key, name) in golden_redis_names() {
        let mut out = b"strings/".to_vec();
        let encoding = encode_segment_into(&key, &mut out);
        assert_eq!(out, join(&[b"strings/", &name]), "key {}", key.escape_ascii());
        match decode_segment(&name).unwrap() {
            Decoded::Raw(raw) => {
                assert_eq!((raw, encoding), (key, Encoding::Percent));
            }
            Decoded::Fallback => {
                assert_eq!(encoding, Encoding::Fallback, "key {}", key.escape_ascii());
                assert_eq!(sha_fallback(&key), name);
            }
            Decoded::Binary(_) => panic!("no Redis key has the binary form: {}", name.escape_ascii()),
        }
    }
}

#[test]
fn fallback_triggers_hold_at_their_borders() {
    let hex = "0123456789abcdef0123456789ABCDEF";
    let cases: Vec<(Vec<u8>, bool)> = vec![
        (times(240, "k"), false),
        (times(241, "k"), true),
        (times(80, "/"), false),
        (times(81, "/"), true),
        (join(&[&times(237, "k"), b"/"]), false),
        (join(&[&times(238, "k"), b"/"]), true),
        (b"b64.".to_vec(), true),
        (b"B64.x".to_vec(), false),
        (b"xb64.".to_vec(), false),
        (b"b64".to_vec(), false),
        (format!("{hex}__").into_bytes(), true),
        (format!("{}__", &hex[1..]).into_bytes(), false),
        (format!("{hex}_x").into_bytes(), false),
        (format!("{hex}g__").into_bytes(), false),
    ];
    for (raw, fallback) in cases {
        let mut out = Vec::new();
        assert_eq!(encode_segment_into(&raw, &mut out) == Encoding::Fallback, fallback, "{}", raw.escape_ascii());
    }
}

#[test]
fn binary_attributes_take_base64_up_to_177_bytes() {
    let name = |raw: &[u8]| {
        let mut out = Vec::new();
        encode_binary_segment_into(raw, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(name(b""), "b64.");
    assert_eq!(name(b"\x00"), "b64.AA");
    assert_eq!(name(b"abc"), "b64.YWJj");
    assert_eq!(name(b"\xfb\xff"), "b64.-_8");
    assert_eq!(name(&[b'x'; 177]).len(), SEGMENT_LEN_MAX);
    assert_eq!(name(&[b'x'; 178]), format!("844b36dcd4dad4077f034379dbc7e02c__{}", "x".repeat(64)));
    for raw in [&b""[..], b"\x00", b"abc", b"\xfb\xff", &[b'x'; 177]] {
        assert_eq!(decode_segment(name(raw).as_bytes()), Ok(Decoded::Binary(raw.to_vec())));
    }
}

#[test]
fn dots_are_escaped_only_where_they_stand_alone() {
    assert_eq!(component(b"."), b"%2E");
    assert_eq!(component(b".."), b"%2E%2E");
    assert_eq!(component(b"..."), b"...");
    assert_eq!(decode_component(b"%2E"), Ok(Decoded::Raw(b".".to_vec())));
    assert_eq!(decode_component(b"%2E%2E"), Ok(Decoded::Raw(b"..".to_vec())));
    for name in [&b"."[..], b"..", b"", b"%2E%2E%2E", b"a%2E", b"%2e"] {
        assert_eq!(decode_component(name), Err(SegmentError::NotCanonical), "{}", name.escape_ascii());
    }
    assert_eq!(decode_segment(b"%2E"), Err(SegmentError::NotCanonical));
}

#[test]
fn names_that_no_encoder_writes_are_refused() {
    let too_long = times(241, "k");
    let cases: &[(&[u8], SegmentError)] = &[
        (b"%", SegmentError::Escape { byte_offset: 0 }),
        (b"a%4", SegmentError::Escape { byte_offset: 1 }),
        (b"%zz", SegmentError::Escape { byte_offset: 0 }),
        (b"a b", SegmentError::Unescaped { byte: b' ', byte_offset: 1 }),
        (b"~", SegmentError::Unescaped { byte: b'~', byte_offset: 0 }),
        (b"\xc3\xa9", SegmentError::Unescaped { byte: 0xc3, byte_offset: 0 }),
        (b"a/b", SegmentError::Unescaped { byte: b'/', byte_offset: 1 }),
        (b"b64.!!!", SegmentError::Base64),
        (b"b64.padding=", SegmentError::Base64),
        (b"b64.AB", SegmentError::Base64),
        (b"b64.AA\n", SegmentError::Base64),
        (b"%2f", SegmentError::NotCanonical),
        (b"%41", SegmentError::NotCanonical),
        (b"%62%36%34.x", SegmentError::NotCanonical),
        (b"0123456789ABCDEF0123456789ABCDEF__x", SegmentError::NotCanonical),
        (b"0123456789abcdef0123456789abcdef__%2f", SegmentError::NotCanonical),
        (b"0123456789abcdef0123456789abcdef__a b", SegmentError::NotCanonical),
        (&too_long, SegmentError::TooLong { len: 241 }),
    ];
    for (name, error) in cases {
        assert_eq!(decode_segment(name), Err(*error), "{}", name.escape_ascii());
    }
    let shown_too_long = join(&[b"0123456789abcdef0123456789abcdef__", &times(65, "k")]);
    assert_eq!(decode_segment(&shown_too_long), Err(SegmentError::NotCanonical));
}

#[test]
fn huge_names_give_bounded_output() {
    let raw = vec![b'/'; 1 << 20];
    let mut out = Vec::new();
    assert_eq!(encode_segment_into(&raw, &mut out), Encoding::Fallback);
    assert_eq!(out.len(), 226);
    assert!(out.capacity() <= 1024, "capacity {}", out.capacity());
}

/// Names that lean towards the special forms.
fn raw_name() -> impl Strategy<Value = Vec<u8>> {
    let hex = "[0-9a-fA-F]{31,33}_{1,2}[a-z]{0,3}".prop_map(String::into_bytes);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(prop::sample::select(b"ab./%_-~ \x00".to_vec()), 0..260),
        hex,
        "(b64|B64)\\.?[A-Za-z0-9_-]{0,8}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn every_name_round_trips_or_is_its_own_fallback(raw in raw_name()) {
        let mut name = Vec::new();
        let encoding = encode_segment_into(&raw, &mut name);
        prop_assert!(name.len() <= SEGMENT_LEN_MAX);
        prop_assert!(!name.contains(&b'/') && !name.contains(&0));
        let expected = match encoding {
            Encoding::Fallback => { prop_assert_eq!(&name, &sha_fallback(&raw)); Decoded::Fallback }
            _ => Decoded::Raw(raw),
        };
        prop_assert_eq!(decode_segment(&name), Ok(expected));
    }

    #[test]
    fn components_are_never_special_and_round_trip(raw in raw_name()) {
        let name = component(&raw);
        prop_assert!(name != b"." && name != b".." && (raw.is_empty() || !name.is_empty()));
        if !raw.is_empty() {
            match decode_component(&name).unwrap() {
                Decoded::Raw(again) => prop_assert_eq!(again, raw),
                other => prop_assert_eq!(other, Decoded::Fallback),
            }
        }
    }

    #[test]
    fn different_names_get_different_segments(raws in prop::collection::btree_set(raw_name(), 0..40)) {
        let names: BTreeSet<_> = raws.iter().map(|raw| encode_segment(raw)).collect();
        prop_assert_eq!(names.len(), raws.len());
        let names: BTreeSet<_> = raws.iter().map(|raw| component(raw)).collect();
        prop_assert_eq!(names.len(), raws.len());
    }

    #[test]
    fn accepted_names_are_what_the_encoder_writes(name in prop_oneof![raw_name(), "[A-Za-z0-9%._-]{0,12}".prop_map(String::into_bytes)]) {
        match decode_segment(&name) {
            Ok(Decoded::Raw(raw)) => prop_assert_eq!(encode_segment(&raw), name),
            Ok(Decoded::Binary(raw)) => {
                let mut again = Vec::new();
                encode_binary_segment_into(&raw, &mut again);
                prop_assert_eq!(again, name);
            }
            Ok(Decoded::Fallback) => prop_assert!(has_fallback_shape(&name)),
            Err(_) => {}
        }
    }
}
