//! `etcd-raft-peers.bin`: the members of the group and their addresses. Source: `docs/format/restore.md`, section 8.5.

use ekv_snapshot::{Error, Result};
use ekv_text::ByteCursor;

use super::invalid;

/// Name of the file in a data directory.
pub const PEERS_FILE: &str = "etcd-raft-peers.bin";

/// Most members that a reader takes.
pub const PEER_COUNT_MAX: u32 = 1024;

const MAGIC: [u8; 4] = *b"EKVP";
/// The version that is written.
const VERSION: u32 = 3;
/// Longest id or address that a reader takes, in bytes.
const TEXT_LEN_MAX: u32 = 1 << 20;
const STRUCTURE: &str = "peers file";

/// Whether a member votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suffrage {
    /// It votes.
    Voter,
    /// It only follows.
    Learner,
}

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number, see [`super::node_id()`].
    pub node_id: u64,
    /// Whether it votes.
    pub suffrage: Suffrage,
    /// Its id, the server's `-raftId`.
    pub raft_id: String,
    /// Its address, `host:port`.
    pub address: String,
}

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    /// Raft index at which these were the members.
    pub index: u64,
    /// The members; the server expects them in ascending order of their numbers.
    pub peers: Vec<Peer>,
    /// Whether the member is being set up with a list of seeds; false in files of version 1 and 2.
    pub bootstrap_seed_active: bool,
}

impl Peers {
    /// The bytes of a version 3 file without bootstrap seeds.
    ///
    /// # Errors
    /// `Invalid` for more members, or longer texts, than a reader takes.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
        let count = u32::try_from(self.peers.len()).ok().filter(|count| *count <= PEER_COUNT_MAX);
        out.extend_from_slice(&count.ok_or_else(|| too_many(self.peers.len()))?.to_be_bytes());
        for Peer { node_id, suffrage, raft_id, address } in &self.peers {
            out.extend_from_slice(&node_id.to_be_bytes());
            out.push(match suffrage {
                Suffrage::Voter => 0,
                Suffrage::Learner => 1,
            });
            for text in [raft_id, address] {
                let len = u32::try_from(text.len()).ok().filter(|len| *len <= TEXT_LEN_MAX);
                out.extend_from_slice(&len.ok_or_else(|| too_long(text.len()))?.to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
        out.push(u8::from(self.bootstrap_seed_active));
        out.extend_from_slice(&0_u32.to_be_bytes());
        Ok(out)
    }

    /// Reads a whole file of version 1, 2 or 3.
    ///
    /// # Errors
    /// `Invalid` for anything that is not such a file, for more members than [`PEER_COUNT_MAX`], and for a file with bootstrap
    /// seeds, whose layout is not known.
    pub fn decode(bytes: &[u8]) -> Result<Peers> {
        let mut rest = ByteCursor::new(bytes);
        if taken(rest.take())? != &MAGIC {
            return Err(invalid(STRUCTURE, "it does not begin with EKVP"));
        }
        let version = taken(rest.u32())?;
        if !(1..=VERSION).contains(&version) {
            return Err(invalid(STRUCTURE, format!("version {version} is unknown, this tool knows versions 1 to 3")));
        }
        let index = taken(rest.u64())?;
        let count = taken(rest.u32())?;
        if count > PEER_COUNT_MAX {
            return Err(too_many(count));
        }
        let peers = (0..count).map(|_| read_peer(&mut rest, version)).collect::<Result<Vec<_>>>()?;
        let bootstrap_seed_active = version >= 3 && flag(&mut rest, "seed")?;
        let seed_count = if version >= 3 { taken(rest.u32())? } else { 0 };
        if seed_count > 0 {
            return Err(invalid(
                STRUCTURE,
                format!("it lists {seed_count} bootstrap seeds, which this tool cannot read"),
            ));
        }
        match rest.rest().len() {
            0 => Ok(Peers { index, peers, bootstrap_seed_active }),
            extra => Err(invalid(STRUCTURE, format!("{extra} bytes follow its end"))),
        }
    }
}

fn read_peer(rest: &mut ByteCursor<'_>, version: u32) -> Result<Peer> {
    let node_id = taken(rest.u64())?;
    let suffrage = if version >= 2 && flag(rest, "suffrage")? { Suffrage::Learner } else { Suffrage::Voter };
    Ok(Peer { node_id, suffrage, raft_id: text(rest)?, address: text(rest)? })
}

fn flag(rest: &mut ByteCursor<'_>, what: &str) -> Result<bool> {
    match taken(rest.u8())? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(invalid(STRUCTURE, format!("the {what} byte is {other}"))),
    }
}

fn text(rest: &mut ByteCursor<'_>) -> Result<String> {
    let len = taken(rest.u32())?;
    if len > TEXT_LEN_MAX {
        return Err(too_long(len));
    }
    let bytes = taken(rest.bytes(len.into()))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| invalid(STRUCTURE, "an id or address is not UTF-8"))
}

fn taken<T>(field: Option<T>) -> Result<T> {
    field.ok_or_else(|| invalid(STRUCTURE, "it is cut short"))
}

fn too_many(count: impl std::fmt::Display) -> Error {
    invalid(STRUCTURE, format!("{count} members are more than {PEER_COUNT_MAX}"))
}

fn too_long(len: impl std::fmt::Display) -> Error {
    invalid(STRUCTURE, format!("an id or address of {len} bytes is longer than {TEXT_LEN_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::super::node_id;
    use super::*;
    use proptest::prelude::*;

    /// Section 13, one member.
    const ONE: &[u8] = b"EKVP\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\x01\x08\xb3\x7b\x07\xb5\x58\xd4\xc0\0\0\0\0\x02n1\0\0\0\x0e127.0.0.1:2380\0\0\0\0\0";

    fn voter(raft_id: &str, address: &str) -> Peer {
        let node_id = node_id(raft_id);
        Peer { node_id, suffrage: Suffrage::Voter, raft_id: raft_id.into(), address: address.into() }
    }

    fn peers(index: u64, peers: Vec<Peer>) -> Peers {
        Peers { index, peers, bootstrap_seed_active: false }
    }

    fn reason(bytes: &[u8]) -> String {
        Peers::decode(bytes).unwrap_err().to_string()
    }

    #[test]
    fn documented_files_are_written_and_read_byte_for_byte() {
        let one = peers(1, vec![voter("n1", "127.0.0.1:2380")]);
        assert_eq!(ONE.len(), 58);
        assert_eq!(one.encode().unwrap(), ONE);
        assert_eq!(Peers::decode(ONE).unwrap(), one);

        let two = peers(1, vec![voter("n1", "a:1"), voter("n2", "b:2")]);
        let after_header = b"\0\0\0\x02\x08\xb3\x7b\x07\xb5\x58\xd4\xc0\0\0\0\0\x02n1\0\0\0\x03a:1\x08\xb3\x7e\x07\xb5\x58\xd9\xd9\0\0\0\0\x02n2\0\0\0\x03b:2\0\0\0\0\0";
        assert_eq!(&two.encode().unwrap()[16..], after_header);
    }

    #[test]
    fn older_versions_have_no_tail_and_version_one_no_suffrage() {
        let mut second = ONE[..ONE.len() - 5].to_vec();
        second[7] = 2;
        second[28] = 1;
        let read = Peers::decode(&second).unwrap();
        assert_eq!(read.peers[0].suffrage, Suffrage::Learner);
        assert!(!read.bootstrap_seed_active);

        let mut first = second.clone();
        first[7] = 1;
        first.remove(28);
        assert_eq!(Peers::decode(&first).unwrap(), peers(1, vec![voter("n1", "127.0.0.1:2380")]));
    }

    #[test]
    fn cut_at_any_byte_and_trailing_bytes_are_refused() {
        for len in 0..ONE.len() {
            assert!(reason(&ONE[..len]).ends_with("cut short"), "{len}");
        }
        assert!(reason(&[ONE, b"\0"].concat()).ends_with("1 bytes follow its end"));
    }

    #[test]
    fn hostile_counts_lengths_and_flags_are_refused_without_allocating() {
        let with = |at: usize, bytes: &[u8]| {
            let mut changed = ONE.to_vec();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            changed
        };
        for (changed, expected) in [
            (with(0, b"X"), "does not begin with EKVP"),
            (with(4, &[0, 0, 0, 4]), "version 4 is unknown"),
            (with(4, &[0, 0, 0, 0]), "version 0 is unknown"),
            (with(16, &[0, 0, 4, 1]), "1025 members are more than 1024"),
            (with(16, &[0xff; 4]), "4294967295 members"),
            (with(28, &[2]), "the suffrage byte is 2"),
            (with(29, &[0, 0x10, 0, 1]), "1048577 bytes is longer"),
            (with(29, &[0, 0x10, 0, 0]), "cut short"),
            (with(33, &[0xff]), "not UTF-8"),
            (with(53, &[9]), "the seed byte is 9"),
            (with(57, &[7]), "7 bootstrap seeds"),
        ] {
            assert!(reason(&changed).contains(expected), "{expected}: {}", reason(&changed));
        }
        assert!(peers(1, vec![voter("n", "a:1"); 1025]).encode().is_err());
        assert!(peers(1, vec![voter(&"n".repeat((1 << 20) + 1), "a:1")]).encode().is_err());
    }

    proptest! {
        #[test]
        fn written_file_reads_back_equal(
            index in any::<u64>(), bootstrap_seed_active in any::<bool>(),
            raw in proptest::collection::vec((any::<u64>(), any::<bool>(), ".{0,9}", ".{0,9}"), 0..6),
        ) {
            let peer = |(node_id, learner, raft_id, address)| {
                let suffrage = if learner { Suffrage::Learner } else { Suffrage::Voter };
                Peer { node_id, suffrage, raft_id, address }
            };
            let peers = Peers { index, peers: raw.into_iter().map(peer).collect(), bootstrap_seed_active };
            prop_assert_eq!(Peers::decode(&peers.encode().unwrap()).unwrap(), peers);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Peers::decode(&bytes);
            let _ = Peers::decode(&[&ONE[..20], &bytes].concat());
        }
    }
}
