//! Options of the Redis adapter.

/// What happens to keys that had expired at the read timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expired {
    /// They are written like any other, with their past expiry.
    #[default]
    Keep,
    /// They are left out: what a client would have seen.
    Drop,
}

/// What happens to keys that no adapter prefixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareKeys {
    /// They are strings, as the live server serves them.
    #[default]
    Strings,
    /// They are left alone.
    Ignore,
}

/// Options of the Redis adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Index of the database that the keys belong to; the server stores none.
    pub database: u32,
    /// Keys past their expiry.
    pub expired: Expired,
    /// Keys without prefix.
    pub bare_keys: BareKeys,
}
