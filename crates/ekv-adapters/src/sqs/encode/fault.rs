//! Why a queue, a message or a side record cannot become records.

/// What no server accepts from clients. Settings and partitions that a server had stored nevertheless are a warning.
///
/// Source: `docs/format/sqs.md`, section 6.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeFault {
    /// A queue without a name.
    #[error("the queue has no name")]
    NoName,
    /// A throughput limit that servers do not know.
    #[error("fifo_throughput_limit is {found:?}: expected \"perQueue\" or \"perMessageGroupId\"")]
    ThroughputLimit {
        /// The limit.
        found: String,
    },
    /// A deduplication scope that servers do not know.
    #[error("deduplication_scope is {found:?}: expected \"queue\" or \"messageGroup\"")]
    DeduplicationScope {
        /// The scope.
        found: String,
    },
    /// A number of partitions that servers do not offer.
    #[error("partition_count is {found}: expected a power of two of at most {count_max}")]
    PartitionCount {
        /// The number.
        found: u32,
        /// The limit.
        count_max: u32,
    },
    /// A setting of FIFO queues in another queue.
    #[error("{member} is set, but the queue is not FIFO")]
    FifoOnly {
        /// The setting.
        member: &'static str,
    },
    /// Two settings that exclude each other.
    #[error("deduplication_scope \"queue\" needs a partition_count of at most 1, which is {partition_count}")]
    ScopeOfPartitions {
        /// The number of partitions.
        partition_count: u32,
    },
    /// A setting that needs partitions.
    #[error(
        "fifo_throughput_limit \"perMessageGroupId\" needs a partition_count of at least 2, which is {partition_count}"
    )]
    LimitWithoutPartitions {
        /// The number of partitions.
        partition_count: u32,
    },
    /// Settings that no server could have stored.
    #[error("the settings have {len} bytes, the limit is {len_max}")]
    LongSettings {
        /// Their length as they would be stored, in bytes.
        len: usize,
        /// The limit in bytes.
        len_max: usize,
    },
    /// A message without an id.
    #[error("the message has no message_id")]
    NoMessageId,
    /// A message of a queue with partitions that does not say which one.
    #[error("the message has no partition: its message group belongs to partition {expected}")]
    NoPartition {
        /// The partition of its group.
        expected: u32,
    },
    /// A message in a partition that the server would not look into.
    #[error("partition is {found}: its message group belongs to partition {expected}")]
    Partition {
        /// The partition.
        found: u32,
        /// The partition of its group.
        expected: u32,
    },
    /// A message with a partition in a queue that has none.
    #[error("partition is {found}, but the queue has no partitions")]
    UnexpectedPartition {
        /// The partition.
        found: u32,
    },
    /// A kind of side record that servers do not have.
    #[error("prefix is {found:?}, which is no kind of side record")]
    SideRecordPrefix {
        /// The prefix.
        found: String,
    },
    /// A side record with a key of something else.
    #[error("the key is not one that begins with {prefix:?} and the name of the queue")]
    SideRecordKey {
        /// The prefix.
        prefix: String,
    },
    /// A side record that comes twice.
    #[error("two side records have the key {user_key}")]
    SideRecordRepeated {
        /// The key, with bytes that are no text escaped.
        user_key: String,
    },
}
