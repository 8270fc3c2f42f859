//! Options of the SQS adapter.

/// Options of the SQS adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether messages without a readable queue are emitted.
    pub include_orphans: bool,
    /// Whether bookkeeping records are emitted.
    pub include_side_records: bool,
}

/// What a decode has told of queues: it was stored in this way, and is no mistake of somebody who changed the dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredOddities {
    /// Settings that no server accepts from clients ([`ODD_SETTINGS`](super::findings::ODD_SETTINGS)).
    pub settings: bool,
    /// Messages in another partition than that of their group ([`OTHER_PARTITION`](super::findings::OTHER_PARTITION)).
    pub partitions: bool,
}
