//! What an item's message means.

use super::*;

fn of_attribute(value: Vec<u8>) -> String {
    of_item(&item(&[("h", s("k")), ("x", value)]))
}

/// The log of an item with hash key `k`, without that.
fn of_item(value: &[u8]) -> String {
    let snapshot = with_table(SnapshotBuilder::new(), "t", false, [2, 0, 1]);
    let decoded = decode(&snapshot.put(&ordered("t", 1, &[('S', b"k")]), TS, value));
    assert_eq!(decoded.lines.len(), 3, "{:?}", decoded.findings);
    decoded.lines[1].strip_prefix("h=S:k").unwrap().trim_start().to_owned()
}

#[test]
fn every_kind_of_value_arrives_as_stored() {
    let set =
        |number, members: &[&[u8]]| field(number, &members.iter().map(|m| field(1, m)).collect::<Vec<_>>().concat());
    let list = |values: &[Vec<u8>]| field(9, &values.iter().map(|v| field(1, v)).collect::<Vec<_>>().concat());
    let map = |entries: &[(&str, Vec<u8>)]| {
        field(10, &entries.iter().map(|(name, value)| entry(name, value)).collect::<Vec<_>>().concat())
    };
    for (value, expected) in [
        (s("a\u{e9}"), "x=S:a\\xc3\\xa9"),
        (n(" 7 "), "x=N: 7"),
        (b(b"\0\xff"), "x=B:\\x00\\xff"),
        (number(4, 1), "x=true"),
        (number(4, 0), "x=false"),
        (number(5, 1), "x=null:true"),
        (number(5, 0), "x=null:false"),
        (Vec::new(), "x=missing"),
        (set(6, &[b"b", b"a", b"b"]), "x=String(b,a,b,)"),
        (set(7, &[b"2", b"1.0", b"1"]), "x=Number(2,1.0,1,)"),
        (set(8, &[b"\xff", b""]), "x=Binary(\\xff,,)"),
        (set(6, &[]), "x=String()"),
        (list(&[]), "x=[ )"),
        (map(&[]), "x={ )"),
        (list(&[s("a"), list(&[n("1")]), map(&[("k", list(&[]))]), Vec::new()]), "x=[ S:a [ N:1 ) { k=[ ) ) missing )"),
        (map(&[("b", s("1")), ("", s("2")), ("a", map(&[("z", s("3"))]))]), "x={ =S:2 a={ z=S:3 ) b=S:1 )"),
    ] {
        assert_eq!(of_attribute(value), expected);
    }
}

#[test]
fn repeated_members_replace_or_merge_as_the_format_says() {
    let strings =
        |texts: &[&str]| field(6, &texts.iter().map(|text| field(1, text.as_bytes())).collect::<Vec<_>>().concat());
    let x = |parts: &[Vec<u8>]| of_attribute(parts.concat());
    assert_eq!(x(&[s("a"), s("b")]), "x=S:b");
    assert_eq!(x(&[s("a"), n("1")]), "x=N:1");
    assert_eq!(x(&[strings(&["a"]), strings(&["b"])]), "x=String(a,b,)");
    assert_eq!(x(&[strings(&["a"]), field(99, b"?"), strings(&["b"])]), "x=String(a,b,)");
    assert_eq!(x(&[strings(&["a"]), s("c"), strings(&["b"])]), "x=String(b,)");
    assert_eq!(x(&[number(4, 0), number(4, 7)]), "x=true");
    let map = |name: &str, value: &str| field(10, &entry(name, &s(value)));
    assert_eq!(x(&[map("b", "1"), map("a", "2"), map("b", "3")]), "x={ a=S:2 b=S:3 )");

    let twice = item(&[("x", s("old")), ("h", s("k")), ("x", s("new"))]);
    assert_eq!(of_item(&twice), "x=S:new");
    // An entry whose value comes in two pieces, one without a value, one without a name, one with two names.
    let in_pieces = field(1, &[field(1, b"x"), field(2, &strings(&["a"])), field(2, &strings(&["b"]))].concat());
    let no_value = field(1, &field(1, b"y"));
    let no_name = field(1, &field(2, &s("?")));
    let two_names = field(1, &[field(1, b"first"), field(2, &s("!")), field(1, b"z")].concat());
    let odd = [item(&[("h", s("k"))]), in_pieces, no_value, no_name, two_names].concat();
    let snapshot = with_table(SnapshotBuilder::new(), "t", false, [2, 0, 1]);
    let decoded = decode(&snapshot.put(&ordered("t", 1, &[('S', b"k")]), TS, &odd));
    assert_eq!(decoded.lines[1], "=S:? h=S:k x=String(a,b,) y=missing z=S:!");
}

#[test]
fn unknown_fields_are_skipped_whatever_their_type() {
    let group = [varint(20 << 3 | 3), number(1, 5), field(2, b"in"), vec![0x1b, 0x1c], varint(20 << 3 | 4)].concat();
    let unknown = [number(90, u64::MAX), field(91, b"?"), [varint(92 << 3 | 1), vec![0; 8]].concat()].concat();
    let unknown = [unknown, [varint(93 << 3 | 5), vec![0; 4]].concat(), group].concat();
    let value = [item(&[("h", s("k")), ("x", [s("a"), unknown.clone()].concat())]), unknown].concat();
    assert_eq!(of_item(&value), "x=S:a");
    // A known number with another wire type is an unknown field too.
    assert_eq!(of_attribute([s("a"), number(2, 5), field(4, b"no")].concat()), "x=S:a");
}

#[test]
fn a_real_value_with_many_shapes_is_read_as_the_live_server_reads_it() {
    let hex = "004449010a0f0a00120b0a09656d7074796e616d650a0a0a03636e7412031201310a080a02656212021a000a080a02656c\
               12024a000a080a02656d120252000a0b0a02656e120512036162630a070a0166120220000a170a0468746d6c120f0a0d3c\
               6120687265663d2278223e260a0d0a02696412070a0576616c73320a130a026e73120d3a0b0a01320a03312e300a01310a\
               110a027373120b32090a01620a01610a0162";
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    let value = [bytes, entry("h", &s("k"))].concat();
    let snapshot = with_table(SnapshotBuilder::new(), "t", false, [2, 0, 1]);
    let decoded = decode(&snapshot.put(&ordered("t", 1, &[('S', b"k")]), TS, &value));
    let expected = "=S:emptyname cnt=N:1 eb=B: el=[ ) em={ ) en=N:abc f=false h=S:k html=S:<a href=\\\"x\\\">& id=S:vals2 \
                    ns=Number(2,1.0,1,) ss=String(b,a,b,)";
    assert_eq!(decoded.lines[1], expected);
}

#[test]
fn items_of_megabytes_are_read_with_the_same_result() {
    let long = "z".repeat(3 << 20);
    let list: Vec<u8> = (0..20_000).flat_map(|i| field(1, &n(&i.to_string()))).collect();
    let attributes = [("x", s(&long)), ("h", s("k")), ("l", field(9, &list)), ("y", b(long.as_bytes())), ("a", s("é"))];
    let expected_list: String = (0..20_000).map(|i| format!("N:{i} ")).collect();
    let expected = format!("a=S:\\xc3\\xa9 h=S:k l=[ {expected_list}) x=S:<3145728 bytes> y=B:<3145728 bytes>");
    let snapshot = with_table(SnapshotBuilder::new(), "t", false, [2, 0, 1]);
    let decoded = decode(&snapshot.put(&ordered("t", 1, &[('S', b"k")]), TS, &item(&attributes)));
    assert!(decoded.lines[1] == expected, "{:?}", decoded.findings);
}
