use super::*;
use crate::json::read::tests::InMemory;

use crate::json::read::BUFFER_LEN;

type StoredReader<'t> = super::StoredReader<InMemory<'t>>;

fn read<'t, T>(text: &'t [u8], f: impl FnOnce(&mut StoredReader<'t>) -> Result<T, String>) -> Result<T, String> {
    let mut reader = StoredReader::new(InMemory(text));
    f(&mut reader).and_then(|value| reader.end().map(|()| value))
}

fn string(text: &[u8]) -> Result<String, String> {
    read(text, |reader| reader.string(usize::MAX))
}

#[test]
fn strings_resolve_escapes_and_replace_each_bad_byte_and_each_half_pair() {
    let known: [(&[u8], &str); 11] = [
        (br#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"),
        (br#""\u00e9\ud83d\ude00\uD83D\uDE00""#, "é😀😀"),
        (br#""\ud800""#, "\u{fffd}"),
        (br#""\udc00x""#, "\u{fffd}x"),
        (br#""\ud800\u0041""#, "\u{fffd}A"),
        (br#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
        (br#""\ud800\n""#, "\u{fffd}\n"),
        (b"\"\xe2\x82a\xff\"", "\u{fffd}\u{fffd}a\u{fffd}"),
        (b"\"\xed\xa0\x80\"", "\u{fffd}\u{fffd}\u{fffd}"),
        ("\"é日\u{7f}\u{2028}\"".as_bytes(), "é日\u{7f}\u{2028}"),
        (b" null ", ""),
    ];
    for (text, expected) in known {
        assert_eq!(string(text).as_deref(), Ok(expected), "{}", text.escape_ascii());
    }
}

#[test]
fn malformed_strings_are_refused() {
    let bad: [&[u8]; 9] = [b"", b"\"", b"\"a\nb\"", br#""\x""#, br#""\u12""#, br#""\u12g4""#, b"\"a\"x", b"7", b"\"\\"];
    for text in bad {
        assert!(string(text).is_err(), "{}", text.escape_ascii());
    }
    let long = read(b"\"abcd\"", |reader| reader.string(3));
    assert_eq!(long, Err("line 1, byte 0: the string is longer than 3 bytes".to_owned()));
}

#[test]
fn strings_and_members_survive_every_cut_of_the_window() {
    for pad in [BUFFER_LEN - 30, BUFFER_LEN - 1, BUFFER_LEN, BUFFER_LEN + 1] {
        for shift in 0..30 {
            let text = format!("{}{{\"na\\u00e9m\":\"v\\ud83d\\ude00é\",\"n\":-12345}}", " ".repeat(pad - shift));
            let mut seen = Vec::new();
            read(text.as_bytes(), |reader| {
                reader.object(|reader, name| {
                    seen.push((
                        name.to_owned(),
                        if name == "n" { reader.i64()?.to_string() } else { reader.string(99)? },
                    ));
                    Ok(())
                })
            })
            .unwrap();
            assert_eq!(seen, [("naém".to_owned(), "v😀é".to_owned()), ("n".to_owned(), "-12345".to_owned())]);
        }
    }
}

#[test]
fn integers_are_integer_literals_in_range() {
    for (text, expected) in [("0", 0), ("18446744073709551615", u64::MAX), (" 7 ", 7), ("null", 0)] {
        assert_eq!(read(text.as_bytes(), |reader| reader.u64()), Ok(expected), "{text}");
    }
    for text in ["-1", "-0", "1.0", "1e3", "18446744073709551616", "01", "+1", "\"1\"", "", "true", "[]", "1x"] {
        assert!(read(text.as_bytes(), |reader| reader.u64()).is_err(), "{text}");
    }
    assert_eq!(read(b"-9223372036854775808", |reader| reader.i64()), Ok(i64::MIN));
    assert_eq!(read(b"-0", |reader| reader.i64()), Ok(0));
    assert!(read(b"9223372036854775808", |reader| reader.i64()).is_err());
    let endless = [vec![b'1'; 100_000], b".5e+9".to_vec()].concat();
    assert!(read(&endless, |reader| reader.u64()).is_err());
    assert_eq!(read(&endless, |reader| reader.skip()), Ok(()));
}

#[test]
fn skipping_checks_what_it_passes_over() {
    for text in ["{}", "[]", "[[],{}]", r#"{"a":[1,-2.5e-3,{"b":null}],"c":"\n"}"#, " [ 1 , true ] ", "\"x\"", "-0.0"] {
        assert_eq!(read(text.as_bytes(), |reader| reader.skip()), Ok(()), "{text}");
    }
    for text in [
        "",
        "{",
        "[",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "[1}",
        "{\"a\":1]",
        "[1 2]",
        "nul",
        "1.",
        "-",
        "1e",
        "]",
        ",",
        "{,}",
    ] {
        assert!(read(text.as_bytes(), |reader| reader.skip()).is_err(), "{text}");
    }
}

#[test]
fn nesting_beyond_the_limit_is_refused_without_recursion() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert_eq!(read(nested(10_000).as_bytes(), |reader| reader.skip()), Ok(()));
    let fault = read("[".repeat(5_000_000).as_bytes(), |reader| reader.skip()).unwrap_err();
    assert_eq!(fault, "line 1, byte 10001: objects and arrays are nested more than 10000 deep");
}

#[test]
fn members_are_named_in_any_case_and_null_is_the_zero_value() {
    let mut etag = None;
    read(br#"{"ETag":null,"other":{"etag":[1]},"eTAG":"x"}"#, |reader| {
        reader.object(|reader, name| {
            if is_name(name, "etag") {
                etag = Some(reader.string(9)?);
                return Ok(());
            }
            reader.skip()
        })
    })
    .unwrap();
    assert_eq!(etag.as_deref(), Some("x"));
    assert_eq!(read(b"null", |reader| reader.object(|_, _| panic!("no member"))), Ok(()));
    assert_eq!(read(b"null", |reader| reader.array(|_| panic!("no element"))), Ok(()));
    assert_eq!(
        read(b"[true,false,null]", |reader| {
            let mut seen = Vec::new();
            reader.array(|reader| {
                seen.push(reader.boolean()?);
                Ok(())
            })?;
            Ok(seen)
        }),
        Ok(vec![true, false, false])
    );
}

#[test]
fn copied_values_lose_white_space_outside_strings_and_nothing_else() {
    let copied = |text: &[u8]| {
        read(text, |reader| {
            let mut out = Vec::new();
            reader.copy(|piece| {
                out.extend_from_slice(piece);
                Ok(())
            })?;
            Ok(out)
        })
    };
    let stored = b" { \"a\\u003c \" :\t[ 1 , { } , [ ] , \" \xff\\n \" , true,false , null , -1.5e+3 ]\r\n, \"b\" : { \"c\":1 } } ";
    let compact = b"{\"a\\u003c \":[1,{},[],\" \xff\\n \",true,false,null,-1.5e+3],\"b\":{\"c\":1}}";
    assert_eq!(copied(stored).unwrap(), compact);
    for pad in BUFFER_LEN - 40..BUFFER_LEN {
        let long = [b"[", b"7".repeat(pad).as_slice(), b",\"\xc3\xa9\\ud83d\\ude00\\\\\"]"].concat();
        assert_eq!(copied(&long).unwrap(), long);
    }
}

#[test]
fn bytes_are_base64_with_padding_whose_line_breaks_and_spare_bits_do_not_count() {
    let bytes = |text: &[u8]| read(text, |reader| reader.bytes(8));
    for (text, expected) in [
        (r#""AP8=""#, &[0, 255][..]),
        (r#""A\nP8\r=\n""#, &[0, 255]),
        (r#""AP9=""#, &[0, 255]),
        (r#""""#, &[]),
        ("null", &[]),
    ] {
        assert_eq!(bytes(text.as_bytes()).as_deref(), Ok(expected), "{text}");
    }
    for text in
        [r#""AP8""#, r#""AP8=AP8=""#, r#""AP8=A""#, r#""AP8==""#, r#""-_8=""#, r#""A P8=""#, r#""A""#, r#""=""#, "[1]"]
    {
        assert!(bytes(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(bytes(b"\"AAAAAAAAAAAA\"").unwrap_err(), "line 1, byte 0: the string is longer than 8 bytes");
}

#[test]
fn base64_is_cut_by_windows_and_escapes_without_harm() {
    for pad in 0..4 {
        let long = format!("{}\"{}\\u0041A==\"", " ".repeat(pad), "AAAA".repeat(BUFFER_LEN));
        assert_eq!(read(long.as_bytes(), |reader| reader.bytes(usize::MAX)), Ok(vec![0; 3 * BUFFER_LEN + 1]));
    }
}

#[test]
fn numbers_keep_their_stored_text() {
    for text in ["0", "-0", "25.5", "1e400", "-1.25E-7"] {
        assert_eq!(read(text.as_bytes(), |reader| reader.number()).as_deref(), Ok(text));
    }
    for text in ["1.", ".5", "1e", "-", "NaN", "\"1\"", &"1".repeat(600)] {
        assert!(read(text.as_bytes(), |reader| reader.number()).is_err(), "{text}");
    }
    assert_eq!(read(b"4294967295", |reader| reader.u32()), Ok(u32::MAX));
    assert!(read(b"4294967296", |reader| reader.u32()).is_err());
}
