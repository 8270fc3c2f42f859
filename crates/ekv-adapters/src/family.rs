//! Key families and the one table that routes user keys to them. Source: `docs/format/snapshot.md`, section 10.

use std::collections::BTreeMap;

use ekv_model::Protocol;
use ekv_snapshot::Classify;
use ekv_text::ordered::common_prefix_len;

/// Whose keys a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The adapter of a protocol.
    Protocol(Protocol),
    /// The store itself: transactions, routing catalog.
    Store,
    /// Nobody known.
    Unknown,
}

impl Owner {
    /// Lower-case name, as in reports and options.
    pub fn name(self) -> &'static str {
        match self {
            Owner::Protocol(protocol) => protocol.name(),
            Owner::Store => "store",
            Owner::Unknown => "unknown",
        }
    }

    /// The protocol, if it is one that is decoded.
    pub fn protocol(self) -> Option<Protocol> {
        match self {
            Owner::Protocol(protocol) => Some(protocol),
            Owner::Store | Owner::Unknown => None,
        }
    }
}

/// The owner in a row of the table.
macro_rules! owner {
    (Store) => {
        Owner::Store
    };
    (Unknown) => {
        Owner::Unknown
    };
    ($protocol:ident) => {
        Owner::Protocol(Protocol::$protocol)
    };
}

/// Whether a family's records carry data of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// User data, or something that decides about it (expiry, lengths).
    Data,
    /// Bookkeeping that can be derived or is meaningless outside the cluster.
    Internal,
}

macro_rules! families {
    ($($variant:ident $prefix:literal $name:literal $owner:ident $role:ident;)*) => {
        /// A key family: all user keys with one prefix and one layout.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is described by its row in the table")]
        pub enum Family {
            $($variant,)*
            /// No prefix: a raw key-value key or a Redis string of an old server.
            Bare,
            /// Begins with `!` or `_meta_` and is in no other family.
            Unknown,
        }

        impl Family {
            /// All families, in the order of their numbers.
            pub const ALL: &'static [Family] = &[$(Family::$variant,)* Family::Bare, Family::Unknown];

            /// Name in reports.
            pub fn name(self) -> &'static str {
                match self {
                    $(Family::$variant => $name,)*
                    Family::Bare => "bare",
                    Family::Unknown => "unknown",
                }
            }

            /// What user keys of the family begin with.
            pub fn prefix(self) -> &'static [u8] {
                match self {
                    $(Family::$variant => $prefix,)*
                    Family::Bare | Family::Unknown => b"",
                }
            }

            /// Whose keys they are.
            pub fn owner(self) -> Owner {
                match self {
                    $(Family::$variant => owner!($owner),)*
                    Family::Bare => owner!(Redis),
                    Family::Unknown => Owner::Unknown,
                }
            }

            /// Whether the records are data of users.
            pub fn role(self) -> Role {
                match self {
                    $(Family::$variant => Role::$role,)*
                    Family::Bare | Family::Unknown => Role::Data,
                }
            }
        }
    };
}

families! {
    RedisString      b"!redis|str|"              "redis_string"           Redis Data;
    RedisHll         b"!redis|hll|"              "redis_hll"              Redis Data;
    RedisExpiry      b"!redis|ttl|"              "redis_expiry"           Redis Data;
    RedisHashBlob    b"!redis|hash|"             "redis_hash_blob"        Redis Data;
    RedisSetBlob     b"!redis|set|"              "redis_set_blob"         Redis Data;
    RedisZSetBlob    b"!redis|zset|"             "redis_zset_blob"        Redis Data;
    RedisStreamBlob  b"!redis|stream|"           "redis_stream_blob"      Redis Data;
    RedisFenceHash   b"!redis|txn-wide-hash|"    "redis_fence_hash"       Redis Internal;
    RedisFenceSet    b"!redis|txn-wide-set|"     "redis_fence_set"        Redis Internal;
    RedisFenceList   b"!redis|txn-wide-list|"    "redis_fence_list"       Redis Internal;
    RedisFenceZSet   b"!redis|txn-wide-zset|"    "redis_fence_zset"       Redis Internal;
    HashField        b"!hs|fld|"                 "redis_hash_field"       Redis Data;
    HashMeta         b"!hs|meta|"                "redis_hash_meta"        Redis Data;
    HashDelta        b"!hs|meta|d|"              "redis_hash_delta"       Redis Data;
    SetMember        b"!st|mem|"                 "redis_set_member"       Redis Data;
    SetMeta          b"!st|meta|"                "redis_set_meta"         Redis Data;
    SetDelta         b"!st|meta|d|"              "redis_set_delta"        Redis Data;
    ZSetMember       b"!zs|mem|"                 "redis_zset_member"      Redis Data;
    ZSetMeta         b"!zs|meta|"                "redis_zset_meta"        Redis Data;
    ZSetDelta        b"!zs|meta|d|"              "redis_zset_delta"       Redis Data;
    ZSetScore        b"!zs|scr|"                 "redis_zset_score_index" Redis Internal;
    ListItem         b"!lst|itm|"                "redis_list_item"        Redis Data;
    ListMeta         b"!lst|meta|"               "redis_list_meta"        Redis Data;
    ListDelta        b"!lst|meta|d|"             "redis_list_delta"       Redis Data;
    ListClaim        b"!lst|claim|"              "redis_list_claim"       Redis Internal;
    StreamMeta       b"!stream|meta|"            "redis_stream_meta"      Redis Data;
    StreamEntry      b"!stream|entry|"           "redis_stream_entry"     Redis Data;
    DdbTable         b"!ddb|meta|table|"         "dynamodb_table"         DynamoDb Data;
    DdbGeneration    b"!ddb|meta|gen|"           "dynamodb_generation"    DynamoDb Data;
    DdbItem          b"!ddb|item|"               "dynamodb_item"          DynamoDb Data;
    DdbIndexRow      b"!ddb|gsi|"                "dynamodb_index_row"     DynamoDb Internal;
    S3Bucket         b"!s3|bucket|meta|"         "s3_bucket"              S3 Data;
    S3Generation     b"!s3|bucket|gen|"          "s3_generation"          S3 Data;
    S3Object         b"!s3|obj|head|"            "s3_object"              S3 Data;
    S3Blob           b"!s3|blob|"                "s3_blob"                S3 Data;
    S3ChunkRef       b"!s3|chunkref|"            "s3_chunk_reference"     S3 Data;
    S3ChunkBlob      b"!s3|chunkblob|"           "s3_chunk_blob"          S3 Data;
    S3Upload         b"!s3|upload|meta|"         "s3_upload"              S3 Data;
    S3UploadPart     b"!s3|upload|part|"         "s3_upload_part"         S3 Data;
    S3UploadGc       b"!s3|gc|upload|"           "s3_upload_cleanup"      S3 Internal;
    S3Route          b"!s3route|"                "s3_route"               S3 Internal;
    SqsQueue         b"!sqs|queue|meta|"         "sqs_queue"              Sqs Data;
    SqsGeneration    b"!sqs|queue|gen|"          "sqs_generation"         Sqs Data;
    SqsSequence      b"!sqs|queue|seq|"          "sqs_sequence"           Sqs Data;
    SqsTombstone     b"!sqs|queue|tombstone|"    "sqs_generation_marker"  Sqs Internal;
    SqsMessage       b"!sqs|msg|data|"           "sqs_message"            Sqs Data;
    SqsVisibility    b"!sqs|msg|vis|"            "sqs_visibility"         Sqs Internal;
    SqsAge           b"!sqs|msg|byage|"          "sqs_age"                Sqs Internal;
    SqsDedup         b"!sqs|msg|dedup|"          "sqs_dedup"              Sqs Internal;
    SqsGroup         b"!sqs|msg|group|"          "sqs_group"              Sqs Internal;
    FsInode          b"!fs|ino|"                 "fs_inode"               Fs Data;
    FsDir            b"!fs|dir|"                 "fs_directory"           Fs Data;
    FsHome           b"!fs|home|"                "fs_home"                Fs Data;
    FsChunk          b"!fs|chk|"                 "fs_chunk"               Fs Data;
    FsDirVersion     b"!fs|dirv|"                "fs_directory_version"   Fs Internal;
    FsRef            b"!fs|ref|"                 "fs_reference"           Fs Internal;
    FsRefFence       b"!fs|reffence|"            "fs_reference_fence"     Fs Internal;
    FsIntent         b"!fs|intent|"              "fs_intent"              Fs Internal;
    FsJob            b"!fs|job|move|"            "fs_job"                 Fs Internal;
    FsUsage          b"!fs|usage"                "fs_usage"               Fs Internal;
    FsOther          b"!fs|"                     "fs_other"               Unknown Data;
    TxnLock          b"!txn|lock|"               "txn_lock"               Store Internal;
    TxnIntent        b"!txn|int|"                "txn_intent"             Store Internal;
    TxnCommit        b"!txn|cmt|"                "txn_commit"             Store Internal;
    TxnRollback      b"!txn|rb|"                 "txn_rollback"           Store Internal;
    TxnOther         b"!txn|"                    "txn_other"              Store Internal;
    Routing          b"!dist|"                   "routing_catalog"        Store Internal;
    Encryption       b"!encryption|"             "encryption"             Store Internal;
}

impl Family {
    /// The family's number, as counters use it.
    pub fn number(self) -> usize {
        Self::ALL.binary_search(&self).unwrap_or(Self::ALL.len())
    }
}

/// Routes user keys to families by their longest prefix.
#[derive(Debug)]
pub struct Router {
    /// Families in order of their prefixes, each with its number and the place of the longest other prefix that it extends.
    rows: Vec<(&'static [u8], usize, Option<usize>)>,
    /// Whether another prefix extends that of a row.
    is_extended: Vec<bool>,
    bare: usize,
    unknown: usize,
    unknown_prefixes: UnknownPrefixes,
    /// Prefix and number of the family of the last classified key, unless another prefix extends it: its neighbours in a file
    /// mostly belong there too.
    last: Option<(&'static [u8], usize)>,
}

impl Default for Router {
    fn default() -> Self {
        let mut rows: Vec<(&[u8], usize, Option<usize>)> = Family::ALL
            .iter()
            .filter(|family| !family.prefix().is_empty())
            .map(|family| (family.prefix(), family.number(), None))
            .collect();
        rows.sort_unstable();
        let prefixes: Vec<&[u8]> = rows.iter().map(|row| row.0).collect();
        for (at, row) in rows.iter_mut().enumerate() {
            let before = prefixes.get(..at).unwrap_or(&[]);
            row.2 = before.iter().rposition(|prefix| row.0.starts_with(prefix));
        }
        let is_extended = (0..rows.len()).map(|at| rows.iter().any(|row| row.2 == Some(at))).collect();
        Router {
            rows,
            is_extended,
            bare: Family::Bare.number(),
            unknown: Family::Unknown.number(),
            unknown_prefixes: UnknownPrefixes::default(),
            last: None,
        }
    }
}

impl Router {
    /// The number of the family of a user key.
    pub fn number_of(&self, user_key: &[u8]) -> usize {
        let row = self.row_of(user_key).and_then(|at| self.rows.get(at));
        row.map_or_else(|| self.without_row(user_key), |row| row.1)
    }

    /// The longest row with which the key begins.
    fn row_of(&self, user_key: &[u8]) -> Option<usize> {
        // Any row that the key begins with is the last row at or below the key, or one that this row extends.
        let mut at = self.rows.partition_point(|row| row.0 <= user_key).checked_sub(1);
        while let Some(&(prefix, _, parent)) = at.and_then(|i| self.rows.get(i)) {
            if user_key.starts_with(prefix) {
                return at;
            }
            at = parent;
        }
        None
    }

    /// The number of the family of a user key that is not in that of the last one.
    fn search(&mut self, user_key: &[u8]) -> usize {
        let Some((at, row)) = self.row_of(user_key).and_then(|at| Some((at, self.rows.get(at)?))) else {
            let number = self.without_row(user_key);
            if number == self.unknown {
                self.unknown_prefixes.count(user_key);
            }
            return number;
        };
        let is_extended = self.is_extended.get(at).copied().unwrap_or(true);
        self.last = (!is_extended).then_some((row.0, row.1));
        row.1
    }

    fn without_row(&self, user_key: &[u8]) -> usize {
        if user_key.first() == Some(&b'!') || user_key.starts_with(b"_meta_") { self.unknown } else { self.bare }
    }

    /// The family of a user key.
    pub fn family_of(&self, user_key: &[u8]) -> Family {
        Family::ALL.get(self.number_of(user_key)).copied().unwrap_or(Family::Unknown)
    }

    /// Prefixes of keys in no family, with the number of their records.
    pub fn unknown_prefixes(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.unknown_prefixes.counts.iter().map(|(prefix, count)| (prefix.as_slice(), *count))
    }
}

impl Classify for Router {
    fn family(&mut self, user_key: &[u8]) -> usize {
        match self.last {
            // Prefixes are short: comparing them here costs less than a call.
            Some((prefix, number)) if common_prefix_len(user_key, prefix) == prefix.len() => number,
            _ => self.search(user_key),
        }
    }

    fn reset(&mut self) {
        self.unknown_prefixes = UnknownPrefixes::default();
    }
}

/// Counts records of unknown families by their first word; bounded in number and length of the words.
#[derive(Debug, Default)]
struct UnknownPrefixes {
    counts: BTreeMap<Vec<u8>, u64>,
}

impl UnknownPrefixes {
    const WORDS_MAX: usize = 64;
    const WORD_LEN_MAX: usize = 32;

    fn count(&mut self, user_key: &[u8]) {
        let end = user_key.iter().position(|b| *b == b'|').map_or(user_key.len(), |at| at.saturating_add(1));
        let word = user_key.get(..end.min(Self::WORD_LEN_MAX)).unwrap_or(user_key);
        let word: &[u8] =
            if self.counts.contains_key(word) || self.counts.len() < Self::WORDS_MAX { word } else { b"(other)" };
        let count = self.counts.entry(word.to_vec()).or_default();
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_decides() {
        let router = Router::default();
        for (key, family) in [
            (&b"!redis|str|a"[..], Family::RedisString),
            (b"!redis|stream|a", Family::RedisStreamBlob),
            (b"!redis|str", Family::Unknown),
            (b"!lst|meta|k", Family::ListMeta),
            (b"!lst|meta|d|k", Family::ListDelta),
            (b"!lst|meta|e", Family::ListMeta),
            (b"!hs|meta|\0\0\0\x01k", Family::HashMeta),
            (b"!hs|meta|d|\0", Family::HashDelta),
            (b"!fs|usage|route|x", Family::FsUsage),
            (b"!fs|zzz|", Family::FsOther),
            (b"!txn|lock|!redis|str|a", Family::TxnLock),
            (b"!txn|meta|", Family::TxnOther),
            (b"!dist|route|", Family::Routing),
            (b"!stream|other|", Family::Unknown),
            (b"!x|y", Family::Unknown),
            (b"_meta_applied", Family::Unknown),
            (b"plain", Family::Bare),
            (b"\xff", Family::Bare),
            (b"", Family::Bare),
        ] {
            assert_eq!(router.family_of(key), family, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn family_of_a_key_does_not_depend_on_the_key_before_it() {
        let mut keys: Vec<Vec<u8>> = vec![b"".to_vec(), b"plain".to_vec(), b"!zz".to_vec(), b"\xff".to_vec()];
        for family in Family::ALL {
            keys.push(family.prefix().to_vec());
            keys.push([family.prefix(), b"\0"].concat());
            keys.push([family.prefix(), b"zz"].concat());
        }
        let mut router = Router::default();
        for before in &keys {
            for key in &keys {
                router.family(before);
                assert_eq!(router.family(key), router.number_of(key), "{}", key.escape_ascii());
            }
        }
    }

    #[test]
    fn every_prefix_routes_to_its_own_family_and_numbers_are_dense() {
        let router = Router::default();
        for (i, family) in Family::ALL.iter().enumerate() {
            assert_eq!(family.number(), i);
            if !family.prefix().is_empty() {
                assert_eq!(router.family_of(family.prefix()), *family);
            }
        }
    }

    #[test]
    fn unknown_words_stay_bounded_and_every_record_is_counted() {
        let mut router = Router::default();
        for i in 0..1000 {
            router.family(format!("!w{i}|x").as_bytes());
        }
        assert!(router.unknown_prefixes().count() <= UnknownPrefixes::WORDS_MAX + 1);
        assert_eq!(router.unknown_prefixes().map(|(_, n)| n).sum::<u64>(), 1000);
    }
}
