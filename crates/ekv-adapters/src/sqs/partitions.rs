//! Which partition holds a message. Source: `docs/format/sqs.md`, section 2.5.

/// The limit that makes all partitions but the first unused.
pub(super) const PER_QUEUE: &str = "perQueue";
/// The limit that spreads message groups over the partitions.
pub(super) const PER_MESSAGE_GROUP: &str = "perMessageGroupId";

/// First value of FNV-1a, 32 bits.
const FNV_START: u32 = 2_166_136_261;
/// Its factor.
const FNV_PRIME: u32 = 16_777_619;

/// How the settings of a queue spread its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartitionRule {
    /// Keys have no partition.
    None,
    /// Keys have one, and it is 0.
    First,
    /// By message group over so many, a power of two.
    ByGroup(u32),
}

impl PartitionRule {
    /// The rule of a queue.
    pub(super) fn of(partition_count: u32, fifo_throughput_limit: &str) -> Self {
        match partition_count {
            0 | 1 => PartitionRule::None,
            _ if fifo_throughput_limit == PER_QUEUE => PartitionRule::First,
            count => PartitionRule::ByGroup(count),
        }
    }

    /// Whether keys have a partition.
    pub(super) fn has_partitions(self) -> bool {
        self != PartitionRule::None
    }

    /// How many partitions the server reads; `None` if it reads the keys without partition.
    pub(super) fn partitions_read(self) -> Option<u32> {
        match self {
            PartitionRule::None => None,
            PartitionRule::First => Some(1),
            PartitionRule::ByGroup(count) => Some(count),
        }
    }

    /// The partition of a message group.
    pub(super) fn partition(self, group: &str) -> u32 {
        match self {
            PartitionRule::ByGroup(count) if !group.is_empty() => {
                let hash = group.bytes().fold(FNV_START, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(FNV_PRIME));
                hash & count.saturating_sub(1)
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_lie_where_a_real_server_put_them() {
        let rule = PartitionRule::of(4, PER_MESSAGE_GROUP);
        for (group, partition) in [("g0", 2), ("g1", 1), ("g2", 0), ("g3", 3), ("g4", 2), ("ga", 1), ("gb", 0), ("", 0)]
        {
            assert_eq!(rule.partition(group), partition, "{group}");
        }
        assert_eq!(PartitionRule::of(4, PER_QUEUE).partition("g0"), 0);
        assert_eq!(PartitionRule::of(4, PER_QUEUE).partitions_read(), Some(1));
        assert_eq!(PartitionRule::of(1, PER_QUEUE).partitions_read(), None);
        assert_eq!(PartitionRule::of(0, "").partition("g0"), 0);
    }
}
