//! User keys. Source: `docs/format/redis.md`, section 2.

use ekv_model::redis::StreamId;

use super::Wide;

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// `L(K)`: 4-byte length and key.
pub fn counted(key: &[u8]) -> Vec<u8> {
    join(&[&u32::try_from(key.len()).unwrap().to_be_bytes(), key])
}

/// Of a string.
pub fn string(key: &[u8]) -> Vec<u8> {
    join(&[b"!redis|str|", key])
}

/// Of a HyperLogLog.
pub fn hll(key: &[u8]) -> Vec<u8> {
    join(&[b"!redis|hll|", key])
}

/// Of an expiry record.
pub fn expiry(key: &[u8]) -> Vec<u8> {
    join(&[b"!redis|ttl|", key])
}

/// Of a fence; `kind` is `hash`, `list`, `set` or `zset`.
pub fn fence(kind: &str, key: &[u8]) -> Vec<u8> {
    join(&[b"!redis|txn-wide-", kind.as_bytes(), b"|", key])
}

/// Of a hash, set, zset or stream in one record; `kind` is `hash`, `set`, `zset` or `stream`.
pub fn blob(kind: &str, key: &[u8]) -> Vec<u8> {
    join(&[b"!redis|", kind.as_bytes(), b"|", key])
}

impl Wide {
    fn prefix(self) -> &'static [u8] {
        match self {
            Wide::Hash => b"!hs|",
            Wide::Set => b"!st|",
            Wide::ZSet => b"!zs|",
        }
    }

    /// Name of the kind, as blobs and fences have it.
    pub fn name(self) -> &'static str {
        match self {
            Wide::Hash => "hash",
            Wide::Set => "set",
            Wide::ZSet => "zset",
        }
    }

    /// What element keys begin with.
    pub fn element_prefix(self) -> Vec<u8> {
        let family: &[u8] = if self == Wide::Hash { b"fld|" } else { b"mem|" };
        join(&[self.prefix(), family])
    }

    /// Key of an element.
    pub fn element(self, key: &[u8], name: &[u8]) -> Vec<u8> {
        join(&[&self.element_prefix(), &counted(key), name])
    }

    /// Key of the metadata record.
    pub fn meta(self, key: &[u8]) -> Vec<u8> {
        join(&[self.prefix(), b"meta|", &counted(key)])
    }

    /// Key of a delta; `ts` and `seq` only make it unique.
    pub fn delta(self, key: &[u8], ts: u64, seq: u32) -> Vec<u8> {
        join(&[self.prefix(), b"meta|d|", &counted(key), &ts.to_be_bytes(), &seq.to_be_bytes()])
    }
}

/// Key of a row of the score index.
pub fn zset_score(key: &[u8], score: f64, member: &[u8]) -> Vec<u8> {
    let bits = (if score == 0.0 { 0.0 } else { score }).to_bits();
    let sortable = if bits >> 63 == 0 { bits | 1 << 63 } else { !bits };
    join(&[b"!zs|scr|", &counted(key), &sortable.to_be_bytes(), member])
}

fn seq_bytes(seq: i64) -> [u8; 8] {
    (seq.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

/// Key of a list item.
pub fn list_item(key: &[u8], seq: i64) -> Vec<u8> {
    join(&[b"!lst|itm|", key, &seq_bytes(seq)])
}

/// Key of a list's metadata record.
pub fn list_meta(key: &[u8]) -> Vec<u8> {
    join(&[b"!lst|meta|", key])
}

/// Key of a list delta.
pub fn list_delta(key: &[u8], ts: u64, seq: u32) -> Vec<u8> {
    join(&[b"!lst|meta|d|", &counted(key), &ts.to_be_bytes(), &seq.to_be_bytes()])
}

/// Key of a claim, which marks a popped item.
pub fn list_claim(key: &[u8], seq: i64) -> Vec<u8> {
    join(&[b"!lst|claim|", &counted(key), &seq_bytes(seq)])
}

/// Key of a stream's metadata record.
pub fn stream_meta(key: &[u8]) -> Vec<u8> {
    join(&[b"!stream|meta|", &counted(key)])
}

/// Key of a stream entry.
pub fn stream_entry(key: &[u8], id: StreamId) -> Vec<u8> {
    join(&[b"!stream|entry|", &counted(key), &id.ms.to_be_bytes(), &id.seq.to_be_bytes()])
}
