//! Keys that are hard to carry, and all that a server holds, read key by key and type by type.
//!
//! Source: `docs/format/rdb.md`, section 7.

use super::{Client, Reply};
use crate::vectors::EDGE_NUMBERS;

/// How many keys [`torture`] makes.
pub const TORTURE_KEYS: u64 = 17;

/// Fills a server with keys of every type at the borders of its encodings, two of them in database 3.
pub fn torture(client: &mut Client) {
    let all_bytes: Vec<u8> = (0..768_u16).map(|n| n.to_le_bytes()[0]).collect();
    let all = &all_bytes[..256];
    let long = vec![b'y'; 9000];
    let mut call = |words: &[&[u8]]| {
        let reply = client.call(words);
        assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
    };
    call(&[b"SET", b"", b""]);
    call(&[b"SET", all, &all_bytes, b"PXAT", b"2000000000123"]);
    call(&[b"SET", b"int", b"12345"]);
    for edge in EDGE_NUMBERS {
        call(&[b"RPUSH", b"ll", edge.as_bytes()]);
    }
    call(&[b"RPUSH", b"big", b"", &long, b"x", b"x"]);
    let numbers: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    for chunk in numbers.chunks(2000) {
        let words = |command: &'static [u8], key: &'static [u8]| -> Vec<&[u8]> {
            [command, key].into_iter().chain(chunk.iter().map(String::as_bytes)).collect()
        };
        call(&words(b"RPUSH", b"big"));
        call(&words(b"PFADD", b"pf"));
    }
    call(&[b"SADD", b"se", b"x", b"\x80", b"1", b"2"]);
    for number in &numbers[..2000] {
        call(&[b"SADD", b"ints", number.as_bytes()]);
        call(&[b"HSET", b"he3000", number.as_bytes(), &[number.as_bytes(), b"v"].concat()]);
    }
    call(&[b"HSET", b"he", b"", b"\xff"]);
    call(&[b"PEXPIREAT", b"he", b"2000000000456"]);
    for (score, member) in
        [("inf", "a"), ("-inf", "b"), ("-0", "c"), ("5e-324", "d"), ("0.1", "e"), ("1e21", "f"), ("2", "g")]
    {
        call(&[b"ZADD", b"ze", score.as_bytes(), member.as_bytes()]);
    }
    call(&[b"XADD", b"xs", b"1-1", b"k", b"v", b"k", b"", b"", b"e"]);
    for n in 2..250 {
        call(&[b"XADD", b"xs", format!("{n}-0").as_bytes(), b"f", n.to_string().as_bytes()]);
    }
    call(&[b"XADD", b"xs", b"999-7", b"long", &long[..5000]]);
    call(&[b"XADD", b"xs", b"18446744073709551615-18446744073709551615", b"f", b"v"]);
    call(&[b"XADD", b"xe", b"9-9", b"f", b"v"]);
    call(&[b"XDEL", b"xe", b"9-9"]);
    call(&[b"XADD", b"xg", b"1-1", b"f", b"v"]);
    call(&[b"XADD", b"xg", b"1-2", b"f", b"w"]);
    call(&[b"XADD", b"xg", b"1-3", b"g", b"x"]);
    call(&[b"XGROUP", b"CREATE", b"xg", b"g", b"0"]);
    call(&[b"XREADGROUP", b"GROUP", b"g", b"c1", b"COUNT", b"1", b"STREAMS", b"xg", b">"]);
    call(&[b"XDEL", b"xg", b"1-2"]);
    call(&[b"SET", b"zipped", &vec![b'z'; 100_000]]);
    call(&[b"SET", b"k", b"in 0"]);
    call(&[b"SELECT", b"3"]);
    call(&[b"SET", b"k", b"in 3", b"PXAT", b"2000000000123"]);
    call(&[b"SELECT", b"0"]);
}

/// What a server holds, a line for each key; the sign of a zero score counts for nothing. Servers before Redis 7 tell expiries to some
/// milliseconds, so that the last digit is left out.
pub fn held(client: &mut Client) -> Vec<String> {
    let mut lines = Vec::new();
    for database in 0..16 {
        assert_eq!(client.call(&[b"SELECT", database.to_string().as_bytes()]), Reply::Status("OK".into()));
        for key in client.call(&[b"KEYS", b"*"]).array() {
            let key = key.bytes();
            let Reply::Status(kind) = client.call(&[b"TYPE", &key]) else { panic!() };
            let words: Vec<&[u8]> = match kind.as_str() {
                "string" => vec![b"GET", &key],
                "list" => vec![b"LRANGE", &key, b"0", b"-1"],
                "set" => vec![b"SMEMBERS", &key],
                "hash" => vec![b"HGETALL", &key],
                "zset" => vec![b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"],
                _ => vec![b"XRANGE", &key, b"-", b"+"],
            };
            let shown = match (kind.as_str(), client.call(&words)) {
                ("set", Reply::Array(mut members)) => {
                    members.sort_by_key(|member| format!("{member:?}"));
                    format!("{members:?}")
                }
                ("hash", Reply::Array(fields)) => {
                    let mut pairs: Vec<String> = fields.chunks(2).map(|pair| format!("{pair:?}")).collect();
                    pairs.sort();
                    format!("{pairs:?}")
                }
                ("zset", Reply::Array(members)) => {
                    let pairs = members.chunks(2).map(|pair| {
                        let text = String::from_utf8(pair[1].clone().bytes()).unwrap();
                        format!("{:?} {}", pair[0], text.parse::<f64>().unwrap() + 0.0)
                    });
                    format!("{:?}", pairs.collect::<Vec<_>>())
                }
                (_, reply) => format!("{reply:?}"),
            };
            let last = if kind == "stream" { last_id(client, &key) } else { String::new() };
            let expiry = client.expire_at_ms(&key).map(|at_ms| at_ms / 10);
            lines.push(format!("{database} {} {kind} {expiry:?} {last} {shown}", key.escape_ascii()));
        }
    }
    client.call(&[b"SELECT", b"0"]);
    lines.sort();
    lines
}

fn last_id(client: &mut Client, key: &[u8]) -> String {
    let about = client.call(&[b"XINFO", b"STREAM", key]).array();
    let at = about.iter().position(|name| *name == Reply::Bulk(Some(b"last-generated-id".to_vec()))).unwrap();
    format!("{:?}", about[at + 1])
}
