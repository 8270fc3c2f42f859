//! What a real server makes of what is written.

use ekv_testkit::servers::{RedisServer, Reply};
use ekv_testkit::vectors::{hex, rdb_of_every_type};

use crate::hll::Registers;

#[test]
fn server_loads_the_golden_file_and_takes_payloads() {
    let Some(server) = RedisServer::of_file(&rdb_of_every_type()) else { return };
    let mut client = server.client();
    let bulk = |text: &[u8]| Reply::Bulk(Some(text.to_vec()));
    assert_eq!(client.call(&[b"GET", b"s"]), bulk(b"\0v\xff"));
    assert_eq!(client.call(&[b"PEXPIRETIME", b"h"]), Reply::Integer(2_000_000_000_123));
    assert_eq!(client.call(&[b"LRANGE", b"l", b"0", b"-1"]).array(), [bulk(b"z"), bulk(b""), bulk(b"z")]);
    assert_eq!(client.call(&[b"ZSCORE", b"z", b"n"]), bulk(b"-inf"));
    let payload = hex("04010166017609007d00129ae5006d4d");
    assert_eq!(client.call(&[b"RESTORE", b"r", b"0", &payload]), Reply::Status("OK".into()));
    assert_eq!(client.call(&[b"HGET", b"r", b"f"]), bulk(b"v"));
    assert_eq!(client.call(&[b"SELECT", b"3"]), Reply::Status("OK".into()));
    let field = |name: &[u8], value: &[u8]| [bulk(name), bulk(value)];
    let entries = [
        Reply::Array(vec![bulk(b"1-1"), Reply::Array([field(b"k", b"v"), field(b"k", b"")].concat())]),
        Reply::Array(vec![bulk(b"5-0"), Reply::Array(field(b"f", b"w").to_vec())]),
    ];
    assert_eq!(client.call(&[b"XRANGE", b"x", b"-", b"+"]).array(), entries);
}

#[test]
fn registers_are_those_that_the_server_makes_of_the_same_members() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    for count in [0, 1, 2, 3, 10, 100, 1000, 1100, 1500, 1600, 1700, 5000, 20_000] {
        let key = format!("pf{count}");
        let members: Vec<String> = (0..count).map(|n| format!("member:{n}")).collect();
        assert_eq!(client.call(&[b"PFADD", key.as_bytes()]), Reply::Integer(1));
        let mut registers = Registers::default();
        for members in members.chunks(500) {
            let words = [&b"PFADD"[..], key.as_bytes()].into_iter().chain(members.iter().map(String::as_bytes));
            client.call(&words.collect::<Vec<_>>());
            members.iter().for_each(|member| registers.add(member.as_bytes()));
        }
        let held = client.call(&[b"GET", key.as_bytes()]).bytes();
        let made = registers.to_value();
        assert_eq!(Registers::of_value(&held), Some(registers), "{count}");
        assert!(held[16..] == made[16..] && held[4] == made[4], "{count}");
    }
}
