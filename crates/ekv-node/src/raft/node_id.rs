//! Numbers of Raft members. Source: `docs/format/restore.md`, section 8.5.

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The number of the member whose id is `raft_id`: FNV-1a of 64 bits, never 0.
pub fn node_id(raft_id: &str) -> u64 {
    let hash = raft_id.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_members_have_their_numbers() {
        for (raft_id, expected) in [
            ("n1", 0x08b3_7b07_b558_d4c0),
            ("n2", 0x08b3_7e07_b558_d9d9),
            ("n3", 0x08b3_7d07_b558_d826),
            ("node-1", 0xe696_ecc2_2078_79c3),
            ("", OFFSET_BASIS),
        ] {
            assert_eq!(node_id(raft_id), expected, "{raft_id}");
        }
        assert_eq!(node_id("n1"), 626_980_046_172_116_160);
    }

    #[test]
    fn id_that_hashes_to_zero_gets_number_one() {
        // The known text without blanks whose FNV-1a hash of 64 bits is 0.
        assert_eq!(node_id("!0IC=VloaY"), 1);
    }
}
