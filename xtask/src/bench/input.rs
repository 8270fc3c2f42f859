//! Snapshots of any size, the same bytes for the same arguments.
//!
//! Source: `docs/format/snapshot.md`, sections 2 to 4; `docs/format/redis.md`, section 2.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::Error;

/// What a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    /// Strings alone.
    Strings,
    /// 70 % strings, 10 % hashes, 10 % lists, 5 % sets, 5 % sorted sets; collections of 8 elements.
    Mixed,
}

impl Mix {
    pub(super) fn name(self) -> &'static str {
        match self {
            Mix::Strings => "strings",
            Mix::Mixed => "mixed",
        }
    }

    /// The numbers of the keys of a kind.
    fn numbers(self, keys: u64, kind: Kind) -> impl Iterator<Item = u64> {
        (0..keys).filter(move |i| match self {
            Mix::Strings => kind == Kind::String,
            Mix::Mixed => Kind::of(*i) == kind,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    String,
    Hash,
    List,
    Set,
    SortedSet,
}

impl Kind {
    fn of(number: u64) -> Self {
        match number % 20 {
            0..14 => Kind::String,
            14 | 15 => Kind::Hash,
            16 | 17 => Kind::List,
            18 => Kind::Set,
            _ => Kind::SortedSet,
        }
    }
}

const NOW_MS: u64 = 1_795_359_405_983;
const COMMIT_TS: u64 = NOW_MS << 16;
const VALUE_LEN: usize = 100;
const ELEMENT_LEN: usize = 24;
const ELEMENTS: u8 = 8;
const NEW_STRING: [u8; 3] = [0xff, 1, 0];
const NEW_EXPIRING_STRING: [u8; 3] = [0xff, 1, 1];

/// Writes a snapshot with header and footer.
pub(super) fn write(path: &Path, mix: Mix, keys: u64) -> Result<(), Error> {
    let file = File::create(path).map_err(Error::io(path))?;
    let mut snapshot = Snapshot { out: BufWriter::with_capacity(1 << 20, file), crc32c: 0, pool: pool() };
    snapshot.write_all_records(mix, keys).map_err(Error::io(path))
}

/// Writes the same keys as commands for `redis-cli --pipe`; expiries lie in the future.
pub(super) fn write_commands(path: &Path, mix: Mix, keys: u64) -> Result<(), Error> {
    let file = File::create(path).map_err(Error::io(path))?;
    let mut commands = Snapshot { out: BufWriter::with_capacity(1 << 20, file), crc32c: 0, pool: pool() };
    commands.write_all_commands(mix, keys).map_err(Error::io(path))
}

struct Snapshot {
    out: BufWriter<File>,
    crc32c: u32,
    pool: Vec<u8>,
}

type Io = std::io::Result<()>;

impl Snapshot {
    fn write_all_records(&mut self, mix: Mix, keys: u64) -> Io {
        self.put(&[b"EKVTHLC1", &(NOW_MS + 10_000).to_be_bytes()[..], b"EKVPBBL1", &COMMIT_TS.to_le_bytes()].concat())?;
        let eight = u64::from(ELEMENTS).to_be_bytes();
        for i in mix.numbers(keys, Kind::Hash) {
            for j in 0..ELEMENTS {
                let value = self.value(i + u64::from(j), ELEMENT_LEN);
                self.record(&[&counted("!hs|fld|", 'h', i)[..], format!("field{j}").as_bytes()], &[&value])?;
            }
        }
        for i in mix.numbers(keys, Kind::Hash) {
            self.record(&[&counted("!hs|meta|", 'h', i)], &[&eight])?;
        }
        for i in mix.numbers(keys, Kind::List) {
            for j in 0..ELEMENTS {
                let value = self.value(i + u64::from(j), ELEMENT_LEN);
                let place = (1_u64 << 63 | u64::from(j)).to_be_bytes();
                self.record(&[b"!lst|itm|l", name(i).as_bytes(), &place], &[&value])?;
            }
        }
        for i in mix.numbers(keys, Kind::List) {
            self.record(&[b"!lst|meta|l", name(i).as_bytes()], &[&[0; 8], &eight, &eight])?;
        }
        for i in mix.numbers(keys, Kind::String) {
            let (name, value) = (name(i), self.value(i, VALUE_LEN));
            let key = [&b"!redis|str|"[..], name.as_bytes()];
            match expires(i) {
                true => self.record(&key, &[&NEW_EXPIRING_STRING, &expire_at_ms(i).to_be_bytes(), &value])?,
                false => self.record(&key, &[&NEW_STRING, &value])?,
            }
        }
        for i in mix.numbers(keys, Kind::String).filter(|i| expires(*i)) {
            self.record(&[b"!redis|ttl|", name(i).as_bytes()], &[&expire_at_ms(i).to_be_bytes()])?;
        }
        for i in mix.numbers(keys, Kind::Set) {
            for j in 0..ELEMENTS {
                self.record(&[&counted("!st|mem|", 's', i)[..], format!("member{j}").as_bytes()], &[])?;
            }
        }
        for i in mix.numbers(keys, Kind::Set) {
            self.record(&[&counted("!st|meta|", 's', i)], &[&eight])?;
        }
        for i in mix.numbers(keys, Kind::SortedSet) {
            for j in 0..ELEMENTS {
                let score = f64::from(j).to_be_bytes();
                self.record(&[&counted("!zs|mem|", 'z', i)[..], format!("member{j}").as_bytes()], &[&score])?;
            }
        }
        for i in mix.numbers(keys, Kind::SortedSet) {
            self.record(&[&counted("!zs|meta|", 'z', i)], &[&eight])?;
        }
        for i in mix.numbers(keys, Kind::SortedSet) {
            for j in 0..ELEMENTS {
                let score = (f64::from(j).to_bits() | 1 << 63).to_be_bytes();
                self.record(&[&counted("!zs|scr|", 'z', i)[..], &score, format!("member{j}").as_bytes()], &[])?;
            }
        }
        let footer = self.crc32c.to_be_bytes();
        self.out.write_all(&footer)?;
        self.out.flush()
    }

    fn write_all_commands(&mut self, mix: Mix, keys: u64) -> Io {
        for kind in [Kind::Hash, Kind::List, Kind::String, Kind::Set, Kind::SortedSet] {
            for i in mix.numbers(keys, kind) {
                let elements = 0..ELEMENTS;
                let value = |j: u8| self.value(i + u64::from(j), ELEMENT_LEN);
                let member = |j: u8| format!("member{j}").into_bytes();
                let (command, front, rest): (_, _, Vec<Vec<u8>>) = match kind {
                    Kind::Hash => {
                        ("HSET", "h", elements.flat_map(|j| [format!("field{j}").into_bytes(), value(j)]).collect())
                    }
                    Kind::List => ("RPUSH", "l", elements.map(value).collect()),
                    Kind::Set => ("SADD", "s", elements.map(member).collect()),
                    Kind::SortedSet => {
                        ("ZADD", "z", elements.flat_map(|j| [j.to_string().into_bytes(), member(j)]).collect())
                    }
                    Kind::String => {
                        let at_ms = (expire_at_ms(i) * 2).to_string().into_bytes();
                        let expiry = if expires(i) { vec![b"PXAT".to_vec(), at_ms] } else { Vec::new() };
                        ("SET", "", [vec![self.value(i, VALUE_LEN)], expiry].concat())
                    }
                };
                let words = [vec![command.as_bytes().to_vec(), [front, &name(i)].concat().into_bytes()], rest].concat();
                write!(self.out, "*{}\r\n", words.len())?;
                for word in words {
                    write!(self.out, "${}\r\n", word.len())?;
                    self.out.write_all(&word)?;
                    self.out.write_all(b"\r\n")?;
                }
            }
        }
        self.out.flush()
    }

    fn record(&mut self, key: &[&[u8]], body: &[&[u8]]) -> Io {
        let (key, body) = (key.concat(), body.concat());
        let lens = [key.len() + 8, body.len() + 9].map(|len| u64::try_from(len).unwrap_or(u64::MAX).to_le_bytes());
        let suffix = (!COMMIT_TS).to_be_bytes();
        self.put(&[&lens[0][..], &key, &suffix, &lens[1], &[0; 9], &body].concat())
    }

    fn value(&self, number: u64, len: usize) -> Vec<u8> {
        let start = usize::try_from(number.wrapping_mul(7).wrapping_mul(2_654_435_761) % (1 << 19)).unwrap_or(0);
        self.pool.get(start..start + len).unwrap_or_default().to_vec()
    }

    fn put(&mut self, bytes: &[u8]) -> Io {
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        self.out.write_all(bytes)
    }
}

/// Bytes without a pattern that a compressor finds.
fn pool() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..1 << 20).map(|_| next()).collect()
}

fn name(number: u64) -> String {
    format!("user:{number:012}:profile")
}

/// A string that is in every snapshot and never expires.
pub(super) fn address_of_a_string() -> String {
    format!("redis:0/{}", name(1))
}

/// A prefix, the length of the name, the name.
fn counted(prefix: &str, kind: char, number: u64) -> Vec<u8> {
    let name = format!("{kind}{}", name(number));
    let len = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes();
    [prefix.as_bytes(), &len, name.as_bytes()].concat()
}

fn expires(number: u64) -> bool {
    number.is_multiple_of(5)
}

fn expire_at_ms(number: u64) -> u64 {
    NOW_MS + 86_400_000 + number
}
