//! Keys that are sent without anything going wrong.

use std::num::NonZeroU64;

use super::links::{Fault, ScriptedDial};
use super::*;
use crate::Error;

#[test]
fn keys_of_every_type_arrive_as_they_are_by_either_method() {
    let Some(server) = RedisServer::start() else { return };
    for method in [Method::Auto, Method::Commands] {
        flush(&mut server.client());
        let mut keys = small_keys();
        keys.push(large_list(7, b"big"));
        let (sent, outcomes) = send(&server, options(OnExists::Fail, method), keys);
        sent.unwrap();
        assert_eq!(outcomes.sorted(), vec![Outcome::Loaded; 8]);
        let mut keys = small_keys();
        keys.push(large_list(7, b"big"));
        assert_holds(&server, &keys);
        assert!(leftovers(&server).is_empty());
    }
    // Independent of our own reading.
    let mut client = server.client();
    assert_eq!(client.call(&[b"GET", b"s{"]).bytes(), b"\0v\xff");
    assert_eq!(client.call(&[b"PEXPIRETIME", b"s{"]).integer(), 4_000_000_000_123);
    assert_eq!(client.call(&[b"PEXPIRETIME", b"big"]).integer(), 4_000_000_000_123);
    assert_eq!(client.call(&[b"PEXPIRETIME", b"z"]).integer(), -1);
    assert_eq!(client.call(&[b"LLEN", b"big"]).integer(), 30_001);
    assert_eq!(client.call(&[b"HGET", b"h}{", b""]).bytes(), b"e");
    assert_eq!(client.call(&[b"ZSCORE", b"z", b"c"]).bytes(), b"4.9406564584124654e-324");
    client.call(&[b"XADD", b"xe", b"9-*", b"f", b"v"]);
    assert_eq!(client.call(&[b"XLEN", b"xe"]).integer(), 1);
}

#[test]
fn every_key_is_whole_or_not_there_while_a_large_one_is_written() {
    let Some(server) = RedisServer::start() else { return };
    let mut watcher = server.client();
    watcher.call(&[b"SET", b"big", b"old"]);
    let seen: Shared<Vec<(String, i64)>> = Shared::default();
    let (mut client, log) = (server.client(), Rc::clone(&seen));
    let watch = move || {
        let kind = match client.call(&[b"TYPE", b"big"]) {
            Reply::Status(kind) => kind,
            other => panic!("{other:?}"),
        };
        let len = if kind == "list" { client.call(&[b"LLEN", b"big"]).integer() } else { 0 };
        if log.borrow().last() != Some(&(kind.clone(), len)) {
            log.borrow_mut().push((kind, len));
        }
    };
    let watch = Rc::new(RefCell::new(watch));
    let dial = links::WatchedDial(watch.clone());
    let options = options(OnExists::Replace, Method::Auto);
    let (sent, _) = send_through(&server, Box::new(dial), options, vec![large_list(0, b"big")], &FakeClock::default());
    sent.unwrap();
    (watch.borrow_mut())();
    assert_eq!(*seen.borrow(), [("string".to_owned(), 0), ("list".to_owned(), 30_001)]);
}

#[test]
fn keys_that_are_there_end_the_run_or_stay_or_are_replaced() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    let keys = |at: usize| -> Vec<Key> {
        let mut keys = small_keys();
        keys.push(large_list(7, b"big"));
        keys.push(text(8, b"last", b"x", None));
        // From the one that is there on.
        keys.drain(..at);
        keys
    };
    for (at, name) in [(0, &b"s{"[..]), (1, b"h}{"), (5, b"x"), (7, b"big")] {
        for (method, on_exists) in [
            (Method::Auto, OnExists::Fail),
            (Method::Commands, OnExists::Fail),
            (Method::Auto, OnExists::Skip),
            (Method::Commands, OnExists::Skip),
            (Method::Auto, OnExists::Replace),
            (Method::Commands, OnExists::Replace),
        ] {
            flush(&mut client);
            client.call(&[b"RPUSH", name, b"own"]);
            let (sent, outcomes) = send(&server, options(on_exists, method), keys(at));
            let first = outcomes.0.iter().find(|(number, _)| usize::try_from(*number).unwrap() == at);
            let first = first.map(|(_, outcome)| outcome.clone());
            let own = client.call(&[b"LRANGE", name, b"0", b"-1"]);
            let is_untouched = own == Reply::Array(vec![Reply::Bulk(Some(b"own".to_vec()))]);
            match on_exists {
                OnExists::Fail => {
                    assert!(matches!(sent, Err(Error::Exists { .. })), "{sent:?}");
                    assert!(first.is_none() && is_untouched);
                }
                OnExists::Skip => {
                    sent.unwrap();
                    assert!(first == Some(Outcome::Existed) && is_untouched);
                }
                OnExists::Replace => {
                    sent.unwrap();
                    assert_eq!(first, Some(Outcome::Loaded));
                    assert_eq!(on_server(&server, name), print_of(&keys(at)[0]));
                }
            }
            assert!(leftovers(&server).is_empty());
        }
    }
}

#[test]
fn expiry_is_exact_and_what_has_expired_is_not_sent() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    // The clock of the target, as the options have it.
    let now_ms = 1_800_000_000_000;
    let most_ms = u64::try_from(i64::MAX).unwrap();
    let one = || draft(CollectionKind::Set, &[Element::Member(b"m")]);
    let keys: Vec<Key> = [0, 1, now_ms, now_ms + 1, most_ms]
        .into_iter()
        .enumerate()
        .flat_map(|(at, at_ms)| {
            let number = 2 * u64::try_from(at).unwrap();
            [
                text(number, format!("s{at}").as_bytes(), b"v", Some(at_ms)),
                collection(number + 1, format!("c{at}").as_bytes(), one(), Some(at_ms)),
            ]
        })
        .collect();
    let (sent, outcomes) = send(&server, options(OnExists::Fail, Method::Auto), keys);
    sent.unwrap();
    let outcomes = outcomes.sorted();
    assert_eq!(outcomes[..6], vec![Outcome::Expired; 6]);
    assert_eq!(outcomes[6..], vec![Outcome::Loaded; 4]);
    for name in ["s0", "c0", "s1", "c1", "s2", "c2"] {
        assert_eq!(client.call(&[b"EXISTS", name.as_bytes()]).integer(), 0);
    }
    for (name, at_ms) in [("s3", now_ms + 1), ("c3", now_ms + 1), ("s4", most_ms), ("c4", most_ms)] {
        assert_eq!(client.call(&[b"PEXPIRETIME", name.as_bytes()]).integer(), i64::try_from(at_ms).unwrap());
    }
}

#[test]
fn what_no_server_takes_is_told_and_never_sent() {
    let Some(server) = RedisServer::start() else { return };
    let nan = [Element::Scored { member: b"m", score: f64::NAN }];
    let entry = [Element::EntryBegin(StreamId { ms: 1, seq: 1 }), Element::EntryEnd];
    let stream = CollectionKind::Stream { last: StreamId { ms: 1, seq: 1 } };
    let keys = || {
        vec![
            collection(0, b"nan", draft(CollectionKind::ZSet, &nan), None),
            collection(1, b"empty", draft(CollectionKind::Hash, &[]), None),
            collection(2, b"entry", draft(stream, &entry), None),
        ]
    };
    for method in [Method::Auto, Method::Commands] {
        flush(&mut server.client());
        let written: Shared<Vec<u8>> = Shared::default();
        let dial = links::RecordedDial(Rc::clone(&written));
        let clock = FakeClock::default();
        let (sent, outcomes) = send_through(&server, Box::new(dial), options(OnExists::Fail, method), keys(), &clock);
        sent.unwrap();
        let outcomes = outcomes.sorted();
        assert!(matches!(&outcomes[0], Outcome::Failed(why) if why.contains("not a number")), "{outcomes:?}");
        assert!(matches!(&outcomes[1], Outcome::Failed(why) if why.contains("no elements")), "{outcomes:?}");
        // An entry without fields has a serialised form, and no command.
        assert_eq!(matches!(outcomes[2], Outcome::Loaded), method == Method::Auto, "{outcomes:?}");
        let written = written.borrow();
        let has = |needle: &[u8]| written.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
        assert!(has(b"INFO") && !has(b"nan\r\n") && !has(&f64::NAN.to_le_bytes()));
    }
}

#[test]
fn strings_of_any_length_are_written_and_read_in_pieces() {
    let Some(server) = RedisServer::start() else { return };
    let long: Vec<u8> = (0..3_000_000_u32).flat_map(|number| number.to_le_bytes()).take(3_000_001).collect();
    let (mut outcomes, mut by_text, clock) = (Outcomes::default(), ByText, FakeClock::default());
    let access = Access { dial: Box::new(SystemDial), user: None, password: None, database: 0 };
    let (servers, ..) = Servers::open(&address(&server), access).unwrap();
    let options = options(OnExists::Fail, Method::Auto);
    let mut sender = Sender::new(servers, options, &mut by_text, &mut outcomes, &clock, &scratch());
    sender.push_long(0, b"long", Some(LATER_MS), Body::Inline(&long), false).unwrap();
    let again = sender.push_long(1, b"long", None, Body::Inline(b"x"), false);
    assert!(matches!(again, Err(Error::Exists { .. })));
    // In doubt it is looked at: this one is ours, the other is not.
    sender.push_long(1, b"long", Some(LATER_MS), Body::Inline(&long), true).unwrap();
    assert!(sender.push_long(2, b"long", Some(LATER_MS), Body::Inline(&long[1..]), true).is_err());
    assert_eq!(outcomes.sorted(), [Outcome::Loaded, Outcome::Loaded]);
    assert_eq!(server.client().call(&[b"GET", b"long"]).bytes(), long);
}

#[test]
fn rate_is_kept_by_the_clock() {
    let Some(server) = RedisServer::start() else { return };
    let clock = FakeClock::default();
    let keys = (0..1000).map(|number| text(number, format!("k{number}").as_bytes(), b"v", None)).collect();
    let options = SendOptions { rate: NonZeroU64::new(100), ..options(OnExists::Fail, Method::Auto) };
    let (sent, outcomes) = send_through(&server, Box::new(SystemDial), options, keys, &clock);
    sent.unwrap();
    assert_eq!(outcomes.sorted().len(), 1000);
    assert!((Duration::from_secs_f64(9.5)..Duration::from_secs_f64(10.5)).contains(&clock.now()), "{:?}", clock.now());
}

#[test]
fn bandwidth_is_kept_by_the_clock() {
    let Some(server) = RedisServer::start() else { return };
    let keys = (0..100).map(|number| text(number, format!("{number:04}").as_bytes(), &[b'x'; 996], None)).collect();
    let clock = FakeClock::default();
    let options = SendOptions { bandwidth: NonZeroU64::new(10_000), ..options(OnExists::Fail, Method::Auto) };
    let (sent, outcomes) = send_through(&server, Box::new(SystemDial), options, keys, &clock);
    sent.unwrap();
    assert_eq!(outcomes.sorted(), vec![Outcome::Loaded; 100]);
    assert!((9..=10).contains(&clock.now().as_secs()), "{:?}", clock.now());
}

#[test]
fn less_is_under_way_to_a_server_that_lets_others_wait_and_one_that_does_not_is_not_held_up() {
    let Some(server) = RedisServer::start() else { return };
    for (answers_after, is_slow) in [(Duration::from_millis(50), true), (Duration::from_millis(1), false)] {
        flush(&mut server.client());
        let clock = FakeClock::default();
        let (passing, slept) = (clock.clone(), Rc::new(Cell::new(Duration::ZERO)));
        let (pings, passed) = (Rc::new(Cell::new(0)), Rc::clone(&slept));
        let seen = Rc::clone(&pings);
        // A command takes a millisecond, and a PING as long as it is said.
        let dial = ScriptedDial::new(move |words| {
            let time = if words[0] == b"PING" { answers_after } else { Duration::from_millis(1) };
            seen.set(seen.get() + u32::from(words[0] == b"PING"));
            passing.sleep(time);
            passed.set(passed.get() + time);
            Fault::None
        });
        let keys = (0..2000).map(|number| text(number, format!("{number}").as_bytes(), &[b'x'; 500], None)).collect();
        let latency_max = Some(Duration::from_millis(10));
        let options = SendOptions { latency_max, ..options(OnExists::Fail, Method::Auto) };
        let (sent, outcomes) = send_through(&server, Box::new(dial), options, keys, &clock);
        sent.unwrap();
        assert_eq!(outcomes.sorted(), vec![Outcome::Loaded; 2000]);
        assert!(pings.get() > 1, "{}", pings.get());
        assert_eq!(clock.now() > slept.get(), is_slow, "{:?} {:?}", clock.now(), slept.get());
    }
}

#[test]
fn keys_on_several_connections_arrive_as_on_one() {
    let Some(server) = RedisServer::start() else { return };
    let keys = (0..3000).map(|number| text(number, format!("{number}").as_bytes(), b"v", None)).collect();
    let lanes = NonZeroUsize::new(3).unwrap();
    let options = SendOptions { connections: lanes, ..options(OnExists::Fail, Method::Auto) };
    let (sent, outcomes) = send(&server, options, keys);
    sent.unwrap();
    assert_eq!(outcomes.sorted(), vec![Outcome::Loaded; 3000]);
    assert_eq!(server.client().call(&[b"DBSIZE"]).integer(), 3000);
}
