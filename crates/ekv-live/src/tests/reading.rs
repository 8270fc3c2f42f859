//! Keys read from a real server that answers, here and there, what only others do.

use ekv_rdb::FieldExpiry;

use super::links::{Fault, ScriptedDial};
use super::*;
use crate::KeyRead;

/// Reads keys of a server whose answers `decide` changes; what became of each, and the events.
fn read_through(
    server: &RedisServer,
    decide: impl Fn(&[Vec<u8>]) -> Fault + Clone + 'static,
    field_expiry: Option<FieldExpiry>,
    keys: &[&[u8]],
) -> (Vec<KeyRead>, Text) {
    let place = place(server);
    let open = || Connection::open(&ScriptedDial::new(decide.clone()), &place).unwrap();
    let (mut ahead, mut after) = (open(), open());
    let mut reader = KeyReader::new(&mut ahead, &mut after, &scratch(), 0, (7, 0)).with_field_expiry(field_expiry);
    let (mut text, mut became) = (Text::default(), Vec::new());
    reader.ask(keys).unwrap();
    while let Some((_, read)) = reader.take(&mut text).unwrap() {
        became.push(read);
    }
    (became, text)
}

fn answer(text: &str) -> Fault {
    Fault::Answer(text.as_bytes().to_vec())
}

#[test]
fn what_becomes_of_each_key_is_told_and_none_is_mixed_with_another() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    for key in [&b"a"[..], b"module", b"moved", b"z"] {
        client.call(&[b"SET", key, key]);
    }
    client.call(&[b"XADD", b"x", b"1-1", b"f", b"v"]);
    client.call(&[b"XGROUP", b"CREATE", b"x", b"g", b"0"]);
    let decide = |words: &[Vec<u8>]| match (words[0].as_slice(), words.get(1).map(Vec::as_slice)) {
        (b"TYPE", Some(b"module")) => answer("+ReJSON-RL\r\n"),
        (b"TYPE" | b"PEXPIRETIME", Some(b"moved")) => answer("-MOVED 1 127.0.0.1:1\r\n"),
        _ => Fault::None,
    };
    let keys: [&[u8]; 6] = [b"a", b"module", b"absent", b"moved", b"x", b"z"];
    let (became, text) = read_through(&server, decide, None, &keys);
    let whole = |groups| KeyRead::Whole { groups, expiring_fields: 0 };
    let foreign = KeyRead::Foreign("ReJSON-RL".to_owned());
    assert_eq!(became, [whole(0), foreign, KeyRead::Gone, KeyRead::Elsewhere, whole(1), whole(0)]);
    assert!(text.text.starts_with("text a\n") && text.text.ends_with("END\ntext z\n"), "{}", text.text);
}

#[test]
fn hash_whose_fields_expire_one_by_one_is_left_out_or_kept_as_asked_and_told() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    for number in 0..2500 {
        client.call(&[b"HSET", b"h", format!("{number}").as_bytes(), b"v"]);
    }
    client.call(&[b"HSET", b"plain", b"f", b"v"]);
    // No server here has the command: of `h` the first field of each page expires.
    let decide = |words: &[Vec<u8>]| {
        if words[0] != b"HPEXPIRETIME" {
            return Fault::None;
        }
        let count: usize = std::str::from_utf8(&words[3]).unwrap().parse().unwrap();
        assert_eq!((words[2].as_slice(), words.len()), (&b"FIELDS"[..], count + 4));
        let times = (0..count).map(|at| if at == 0 && words[1] == b"h" { ":4000000000123\r\n" } else { ":-1\r\n" });
        answer(&format!("*{count}\r\n{}", times.collect::<String>()))
    };
    let (became, text) = read_through(&server, decide, Some(FieldExpiry::Lose), &[b"h", b"plain"]);
    let KeyRead::FieldsExpire(fields @ 2..10) = became[0] else { panic!("{became:?}") };
    assert_eq!(became[1], KeyRead::Whole { groups: 0, expiring_fields: 0 });
    assert_eq!(text.text, "Hash\nf=v\nEND\n");
    let (became, text) = read_through(&server, decide, Some(FieldExpiry::Drop), &[b"h"]);
    assert_eq!(became, [KeyRead::Whole { groups: 0, expiring_fields: fields }]);
    assert_eq!(text.text.lines().count(), 2502);
}

#[test]
fn page_of_long_values_goes_through_a_file() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    let long = vec![b'v'; 700_000];
    for number in 0..20 {
        client.call(&[b"HSET", b"h", format!("{number:02}").as_bytes(), &long]);
    }
    let (became, text) = read_through(&server, |_| Fault::None, None, &[b"h"]);
    assert_eq!(became, [KeyRead::Whole { groups: 0, expiring_fields: 0 }]);
    let names: Vec<&str> = text.text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert_eq!(names, (0..20).map(|number| format!("{number:02}")).collect::<Vec<_>>());
    assert_eq!(text.text.len(), "Hash\nEND\n".len() + 20 * (4 + long.len()));
}

#[test]
fn score_that_is_no_number_is_an_error() {
    let Some(server) = RedisServer::start() else { return };
    server.client().call(&[b"ZADD", b"z", b"1", b"m"]);
    let decide = |words: &[Vec<u8>]| match words[0].as_slice() {
        b"ZSCAN" => answer("*2\r\n$1\r\n0\r\n*2\r\n$1\r\nm\r\n$1\r\nx\r\n"),
        _ => Fault::None,
    };
    let place = place(&server);
    let open = || Connection::open(&ScriptedDial::new(decide), &place).unwrap();
    let (mut ahead, mut after) = (open(), open());
    let mut reader = KeyReader::new(&mut ahead, &mut after, &scratch(), 0, (7, 0));
    let error = reader.read(&[b"z"], &mut Text::default()).unwrap_err();
    assert!(matches!(error, crate::Error::Unexpected { .. }), "{error}");
}
