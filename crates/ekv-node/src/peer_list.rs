//! The members of the new cluster, as they are written on the command line. Source: `docs/format/restore.md`, section 7.

use std::cmp::Ordering;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::raft::node_id;
use crate::raft::peers::{PEER_COUNT_MAX, Peer, Suffrage};

/// Longest id or address, in bytes.
const TEXT_LEN_MAX: usize = 1024;

/// Orders members by one of their parts.
type Compare = fn(&Peer, &Peer) -> Ordering;

/// Members, at least one, in ascending order of their numbers.
///
/// Written as `ID=HOST:PORT`, comma-separated; blanks around the parts and empty items are skipped.
///
/// ```
/// let peers: ekv_node::PeerList = "n1=10.0.0.1:2380, n2=[fd00::2]:2380".parse()?;
/// assert_eq!(peers.peers().len(), 2);
/// # Ok::<(), ekv_node::PeersError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerList(Vec<Peer>);

/// Why a list of members is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeersError {
    /// There is no member.
    #[error("no member is named: expected ID=HOST:PORT, comma-separated")]
    None,
    /// There are too many members.
    #[error("more than {PEER_COUNT_MAX} members are named")]
    TooMany,
    /// An item without `=`, id or address.
    #[error("{item:?} is not a member: expected ID=HOST:PORT")]
    Form {
        /// The item.
        item: String,
    },
    /// An id or address that is too long, or holds a control character.
    #[error("the id or address in {item:?} holds a control character or is longer than {TEXT_LEN_MAX} bytes")]
    Text {
        /// The beginning of the item.
        item: String,
    },
    /// An address that is no host and port.
    #[error("{address:?} is not an address: expected HOST:PORT or [IPv6]:PORT with a port from 1 to 65535")]
    Address {
        /// The address.
        address: String,
    },
    /// Two members with one id, one number or one address.
    #[error("the members {first:?} and {second:?} have the same {what}")]
    Duplicate {
        /// What they share.
        what: &'static str,
        /// Id of the one.
        first: String,
        /// Id of the other.
        second: String,
    },
}

impl PeerList {
    /// The members.
    pub fn peers(&self) -> &[Peer] {
        &self.0
    }

    /// The numbers of the members, ascending.
    pub fn node_ids(&self) -> Vec<u64> {
        self.0.iter().map(|peer| peer.node_id).collect()
    }

    /// Checks and sorts members.
    fn new(mut peers: Vec<Peer>) -> Result<Self, PeersError> {
        if peers.is_empty() {
            return Err(PeersError::None);
        }
        if u32::try_from(peers.len()).map_or(true, |count| count > PEER_COUNT_MAX) {
            return Err(PeersError::TooMany);
        }
        let whats: [(&str, Compare); 3] = [
            ("address", |a, b| a.address.cmp(&b.address)),
            ("id", |a, b| a.raft_id.cmp(&b.raft_id)),
            ("node id", |a, b| a.node_id.cmp(&b.node_id)),
        ];
        for (what, compare) in whats {
            peers.sort_by(compare);
            let equal = peers.windows(2).find_map(|pair| match pair {
                [first, second] if compare(first, second).is_eq() => Some((first, second)),
                _ => None,
            });
            if let Some((first, second)) = equal {
                let (first, second) = (first.raft_id.clone(), second.raft_id.clone());
                return Err(PeersError::Duplicate { what, first, second });
            }
        }
        Ok(PeerList(peers))
    }
}

impl FromStr for PeerList {
    type Err = PeersError;

    fn from_str(text: &str) -> Result<Self, PeersError> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        PeerList::new(items.map(peer).collect::<Result<_, _>>()?)
    }
}

fn peer(item: &str) -> Result<Peer, PeersError> {
    let form = || PeersError::Form { item: shown(item) };
    let (raft_id, address) = item.split_once('=').ok_or_else(form)?;
    let (raft_id, address) = (raft_id.trim(), address.trim());
    if raft_id.is_empty() || address.is_empty() {
        return Err(form());
    }
    if [raft_id, address].iter().any(|text| text.len() > TEXT_LEN_MAX || text.chars().any(char::is_control)) {
        return Err(PeersError::Text { item: shown(item) });
    }
    if !is_address(address) {
        return Err(PeersError::Address { address: shown(address) });
    }
    let suffrage = Suffrage::Voter;
    Ok(Peer { node_id: node_id(raft_id), suffrage, raft_id: raft_id.to_owned(), address: address.to_owned() })
}

/// Whether a text is `HOST:PORT` or `[IPv6]:PORT`; a zone may follow the IPv6 address.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => {
            let address = inner.split_once('%').map_or(inner, |(address, _)| address);
            address.parse::<Ipv6Addr>().is_ok()
        }
        None => !host.is_empty() && !host.contains([':', '[', ']', '=', ' ']),
    };
    is_port && is_host
}

/// The beginning of a text that may be very long.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> PeersError {
        text.parse::<PeerList>().unwrap_err()
    }

    #[test]
    fn documented_list_is_read_with_its_blanks_and_empty_items() {
        let list: PeerList = " n1 = a:1 , n2=b:2,,".parse().unwrap();
        let read: Vec<_> = list.peers().iter().map(|peer| (peer.raft_id.as_str(), peer.address.as_str())).collect();
        assert_eq!(read, [("n1", "a:1"), ("n2", "b:2")]);
        assert_eq!(list.node_ids(), [0x08b3_7b07_b558_d4c0, 0x08b3_7e07_b558_d9d9]);
    }

    #[test]
    fn members_are_sorted_by_number_and_not_by_id() {
        let list: PeerList = "n1=a:1,n2=b:2,n3=c:3".parse().unwrap();
        let ids: Vec<_> = list.peers().iter().map(|peer| peer.raft_id.as_str()).collect();
        assert_eq!(ids, ["n1", "n3", "n2"]);
    }

    #[test]
    fn addresses_of_every_form_are_told_from_what_is_none() {
        for good in ["a:1", "10.0.0.1:65535", "[::1]:2380", "[fe80::1%eth0]:1", "host.example.com:0080"] {
            assert!(is_address(good), "{good}");
        }
        let bad = [
            "a", "a:", ":1", "a:0", "a:65536", "a:x", "a:+1", "a:1:2", "::1:5", "[::1]", "[]:1", "[a]:1", "a=b:1",
            "a b:1",
        ];
        for bad in bad {
            assert!(matches!(refusal(&format!("n1={bad}")), PeersError::Address { .. }), "{bad}");
        }
        // Only the first = separates.
        assert_eq!(refusal("n1=a=b"), PeersError::Address { address: "a=b".into() });
    }

    #[test]
    fn empty_lists_and_half_items_are_refused() {
        for none in ["", ",", " , ,"] {
            assert_eq!(refusal(none), PeersError::None);
        }
        for half in ["n1", "n1=", "=a:1", "n1=a:1,n2", " = "] {
            assert!(matches!(refusal(half), PeersError::Form { .. }), "{half}");
        }
    }

    #[test]
    fn equal_ids_and_equal_addresses_are_refused() {
        let duplicate = |text| match refusal(text) {
            PeersError::Duplicate { what, .. } => what,
            other => panic!("{other}"),
        };
        assert_eq!(duplicate("n1=a:1,n1=b:2"), "id");
        assert_eq!(duplicate("n1=a:1,n2=b:2,n3=a:1"), "address");
        // Both hash to 0, which becomes 1.
        let twins = PeerList::new(
            ["x", "y"]
                .map(|raft_id| Peer {
                    node_id: 1,
                    suffrage: Suffrage::Voter,
                    raft_id: raft_id.into(),
                    address: format!("{raft_id}:1"),
                })
                .to_vec(),
        );
        assert!(matches!(twins, Err(PeersError::Duplicate { what: "node id", .. })));
    }

    #[test]
    fn control_characters_overlong_texts_and_too_many_members_are_refused() {
        for text in ["n\u{1}1=a:1".to_owned(), "n1=a\u{7f}:1".to_owned(), format!("{}=a:1", "n".repeat(1025))] {
            assert!(matches!(refusal(&text), PeersError::Text { .. }), "{text:?}");
        }
        let many = |count: u32| (0..count).map(|n| format!("m{n}=h{n}:1")).collect::<Vec<_>>().join(",");
        assert_eq!(many(1024).parse::<PeerList>().unwrap().peers().len(), 1024);
        assert_eq!(refusal(&many(1025)), PeersError::TooMany);
    }
}
