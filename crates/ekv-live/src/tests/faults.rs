//! Everything that a server may answer, and connections that break: nothing is half there, and what is told is true.

use std::io;

use super::links::{Fault, Flow, ScriptedDial};
use super::*;
use crate::Error;
use crate::link::Link;

/// Commands that write something.
const WRITES: [&[u8]; 9] =
    [b"SET", b"RESTORE", b"RPUSH", b"HSET", b"PEXPIRE", b"PEXPIREAT", b"PERSIST", b"RENAMENX", b"EXEC"];

/// A string, a hash and a list, of few bytes.
fn few_keys() -> Vec<Key> {
    let field = Element::Field { name: b"f", value: Body::Inline(b"v") };
    vec![
        text(0, b"s", b"v", Some(LATER_MS)),
        collection(1, b"h", draft(CollectionKind::Hash, &[field]), None),
        collection(2, b"l", draft(CollectionKind::List, &[Element::Item(Body::Inline(b"i"))]), Some(LATER_MS)),
    ]
}

#[test]
fn connection_cut_after_any_byte_leaves_nothing_half_there_and_everything_arrives() {
    let Some(server) = RedisServer::start() else { return };
    let mut client = server.client();
    for (method, on_exists) in
        [(Method::Auto, OnExists::Fail), (Method::Commands, OnExists::Fail), (Method::Commands, OnExists::Replace)]
    {
        for bytes in 0.. {
            flush(&mut client);
            let dial = ScriptedDial::new(|_| Fault::None);
            dial.bytes_left.set(bytes);
            let is_broken = Rc::clone(&dial.is_broken);
            let (sent, outcomes) =
                send_through(&server, Box::new(dial), options(on_exists, method), few_keys(), &FakeClock::default());
            if let Err(error) = &sent {
                // Before there was anything to do.
                assert!(outcomes.0.is_empty() && matches!(error, Error::Lost { .. }), "cut at {bytes}: {error}");
                continue;
            }
            assert_eq!(outcomes.sorted(), vec![Outcome::Loaded; 3], "cut at {bytes}");
            assert_holds(&server, &few_keys());
            assert!(leftovers(&server).is_empty(), "cut at {bytes}");
            if !is_broken.get() {
                assert!(bytes > 300, "{bytes}");
                break;
            }
        }
    }
}

/// What a run comes to.
#[derive(Debug, PartialEq)]
enum End {
    Loaded,
    Stopped,
    Full,
    /// A key is lost, and the others are there.
    Lost,
    /// Taken for a key that is there.
    Exists,
}

#[test]
fn every_answer_at_every_write_ends_as_it_must() {
    let Some(server) = RedisServer::start() else { return };
    let ask = format!("-ASK 1 127.0.0.1:{}\r\n", server.port());
    let cases = [
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", End::Full),
        ("-READONLY You can't write against a read only replica.\r\n", End::Loaded),
        ("-MISCONF Redis is configured to save RDB snapshots\r\n", End::Loaded),
        ("-NOREPLICAS Not enough good replicas to write.\r\n", End::Loaded),
        ("-LOADING Redis is loading the dataset in memory\r\n", End::Loaded),
        ("-BUSY Redis is busy running a script.\r\n", End::Loaded),
        ("-MASTERDOWN Link with MASTER is down\r\n", End::Loaded),
        ("-TRYAGAIN Multiple keys request during rehashing of slot\r\n", End::Loaded),
        ("-CLUSTERDOWN Hash slot not served\r\n", End::Loaded),
        ("-MOVED 1 127.0.0.1:1\r\n", End::Loaded),
        (ask.as_str(), End::Loaded),
        ("-CROSSSLOT Keys in request don't hash to the same slot\r\n", End::Stopped),
        ("-NOAUTH Authentication required.\r\n", End::Stopped),
        ("-NOPERM this user has no permissions to run the 'restore' command\r\n", End::Stopped),
        ("-ERR something else\r\n", End::Lost),
        ("-BUSYKEY Target key name already exists.\r\n", End::Exists),
        (":7\r\n", End::Stopped),
        ("*1\r\n:1\r\n", End::Stopped),
        ("HTTP/1.1 400 Bad Request\r\n", End::Stopped),
    ];
    for (answer, end) in cases {
        for method in [Method::Auto, Method::Commands] {
            for at in 0.. {
                flush(&mut server.client());
                let writes = Rc::new(Cell::new(0));
                let (seen, text) = (Rc::clone(&writes), answer.as_bytes().to_vec());
                let dial = ScriptedDial::new(move |words| {
                    // A number of keys that are there is an answer like any other.
                    let is_asking = words[0] == b"EXISTS" && text.starts_with(b"-");
                    if !is_asking && !WRITES.contains(&words[0].as_slice()) {
                        return Fault::None;
                    }
                    seen.set(seen.get() + 1);
                    if seen.get() == at + 1 { Fault::Answer(text.clone()) } else { Fault::None }
                });
                let clock = FakeClock::default();
                let (sent, outcomes) =
                    send_through(&server, Box::new(dial), options(OnExists::Fail, method), few_keys(), &clock);
                if writes.get() <= at {
                    sent.unwrap();
                    break;
                }
                let told = format!("{answer:?} at write {at} by {method:?}: {sent:?} {:?}", outcomes.0);
                // Whatever is told to be there is there, whole, and what is there is whole.
                let keys = few_keys();
                for key in &keys {
                    let is_told = outcomes.0.contains(&(key.number, Outcome::Loaded));
                    let found = on_server(&server, &key.name);
                    assert!(found == print_of(key) || (found.is_none() && !is_told), "{told}");
                }
                let lost = outcomes.0.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))).count();
                match end {
                    End::Loaded => assert!(sent.is_ok() && lost == 0 && outcomes.0.len() == 3, "{told}"),
                    End::Full => assert!(matches!(sent, Err(Error::Stopped { is_full: true, .. })), "{told}"),
                    End::Lost => assert!(sent.is_ok() && lost == 1 && outcomes.0.len() == 3, "{told}"),
                    End::Exists => assert!(matches!(sent, Err(Error::Exists { .. })), "{told}"),
                    End::Stopped => assert!(sent.is_err(), "{told}"),
                }
                // A reply of another type may belong to anything: the name of ours then goes by its lease.
                let names = leftovers(&server);
                for name in &names {
                    let Reply::Bulk(Some(name)) = name else { panic!("{name:?}") };
                    let left = server.client().call(&[b"PTTL", name]).integer();
                    assert!((1..=3_600_000).contains(&left), "{told}");
                }
                assert!(names.is_empty() || end == End::Stopped, "{told}");
            }
        }
    }
}

#[test]
fn payload_that_a_server_refuses_goes_by_commands() {
    let Some(server) = RedisServer::start() else { return };
    for answer in ["-ERR DUMP payload version or checksum are wrong\r\n", "-ERR Bad data format\r\n"] {
        flush(&mut server.client());
        let text = answer.as_bytes().to_vec();
        let restores = Rc::new(Cell::new(0));
        let seen = Rc::clone(&restores);
        let dial = ScriptedDial::new(move |words| {
            let is_restore = words[0] == b"RESTORE";
            seen.set(seen.get() + u32::from(is_restore));
            if is_restore { Fault::Answer(text.clone()) } else { Fault::None }
        });
        let options = options(OnExists::Fail, Method::Auto);
        let (sent, outcomes) = send_through(&server, Box::new(dial), options, few_keys(), &FakeClock::default());
        sent.unwrap();
        assert_eq!(outcomes.sorted(), vec![Outcome::Loaded; 3]);
        assert_holds(&server, &few_keys());
    }
}

#[test]
fn bytes_may_come_one_by_one_and_a_server_that_must_be_read_first_is_read() {
    let Some(server) = RedisServer::start() else { return };
    for flow in [Flow::OneByOne, Flow::Stubborn] {
        flush(&mut server.client());
        let mut keys = few_keys();
        keys.extend((3..3000).map(|number| text(number, format!("k{number}").as_bytes(), &[b'x'; 100], None)));
        let dial = ScriptedDial { flow, ..ScriptedDial::new(|_| Fault::None) };
        let options = options(OnExists::Fail, Method::Auto);
        let (sent, outcomes) = send_through(&server, Box::new(dial), options, keys, &FakeClock::default());
        sent.unwrap();
        assert_eq!(outcomes.sorted(), vec![Outcome::Loaded; 3000]);
        assert_eq!(server.client().call(&[b"DBSIZE"]).integer(), 3000);
        assert_eq!(server.client().call(&[b"GET", b"k2999"]).bytes(), [b'x'; 100]);
    }
}

/// Nobody answers for some time after the first connection broke.
struct AwayDial {
    inner: ScriptedDial,
    clock: FakeClock,
    back_at: Duration,
    other: Option<Endpoint>,
}

impl Dial for AwayDial {
    fn dial(&self, place: &Endpoint) -> io::Result<Box<dyn Link>> {
        if self.inner.is_broken.get() && self.clock.now() < self.back_at {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        match &self.other {
            Some(other) if self.inner.is_broken.get() => self.inner.dial(other),
            _ => self.inner.dial(place),
        }
    }
}

fn send_away(
    server: &RedisServer,
    back_at: Duration,
    other: Option<Endpoint>,
) -> (crate::Result<()>, Outcomes, Duration) {
    let inner = ScriptedDial::new(|_| Fault::None);
    // Somewhere among the writes, behind INFO.
    inner.bytes_left.set(5_000);
    let clock = FakeClock::default();
    let dial = AwayDial { inner, clock: clock.clone(), back_at, other };
    let keys = (0..200).map(|number| text(number, format!("k{number}").as_bytes(), b"v", None)).collect();
    let options = options(OnExists::Fail, Method::Auto);
    let (sent, outcomes) = send_through(server, Box::new(dial), options, keys, &clock);
    (sent, outcomes, clock.now())
}

#[test]
fn server_that_is_away_for_ten_seconds_gets_everything_and_one_that_stays_away_ends_the_run() {
    let Some(server) = RedisServer::start() else { return };
    let (sent, outcomes, waited) = send_away(&server, Duration::from_secs(10), None);
    sent.unwrap();
    assert_eq!(outcomes.sorted(), vec![Outcome::Loaded; 200]);
    assert!((10..20).contains(&waited.as_secs()), "{waited:?}");
    flush(&mut server.client());
    let (sent, outcomes, waited) = send_away(&server, Duration::from_secs(86_400), None);
    assert!(matches!(sent, Err(Error::Stopped { .. })), "{sent:?}");
    assert!(outcomes.0.len() < 200 && (600..700).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn server_that_began_anew_gets_nothing_more() {
    let (Some(server), Some(other)) = (RedisServer::start(), RedisServer::start()) else { return };
    let (sent, ..) = send_away(&server, Duration::ZERO, Some(place(&other)));
    assert!(matches!(sent, Err(Error::OtherRun { .. })), "{sent:?}");
    assert!(other.client().call(&[b"KEYS", b"*"]).array().is_empty());
}
