//! What can be odd or damaged about Redis records. Source: `docs/format/redis.md`, section 7.

#![expect(missing_docs, reason = "each finding carries its meaning")]

use ekv_model::{Finding, findings};

findings! {
    // Losses: the one Redis key is left out.
    pub const INVALID_STRING_VALUE: Finding =
        Finding::loss("redis_invalid_string_value", "strings whose value header is cut short");
    pub const INVALID_HLL_VALUE: Finding =
        Finding::loss("redis_invalid_hll_value", "HyperLogLogs whose value header is cut short");
    pub const INVALID_TTL_VALUE: Finding = Finding::loss(
        "redis_invalid_ttl_value",
        "keys whose expiry record is damaged; a key must not become permanent by accident",
    );
    pub const INVALID_META: Finding = Finding::loss("redis_invalid_meta", "collections whose metadata record is damaged");
    pub const INVALID_KEY: Finding = Finding::loss("redis_invalid_key", "records of collections whose key does not parse");
    pub const INVALID_LIST_DELTA: Finding = Finding::loss("redis_invalid_list_delta", "lists with a damaged length record");
    pub const INVALID_SCORE: Finding = Finding::loss("redis_invalid_zset_member", "sorted sets with a damaged score");
    pub const INVALID_BLOB: Finding =
        Finding::loss("redis_invalid_blob", "collections of the old one-record form that do not parse");
    pub const INVALID_STREAM_ENTRY: Finding =
        Finding::loss("redis_invalid_stream_entry", "streams with an entry that does not parse");

    // Warnings: nothing is missing.
    pub const UNUSED_INVALID_TTL: Finding =
        Finding::warning("redis_invalid_ttl_unused", "damaged expiry records that decide about no key");
    pub const ORPHAN_TTL: Finding = Finding::warning("redis_orphan_ttl", "expiry records of keys that do not exist");
    pub const SHADOWED_TYPE: Finding = Finding::warning(
        "redis_shadowed_type",
        "leftovers of another type under a key, hidden from clients and not written",
    );
    pub const SUPERSEDED_BLOB: Finding =
        Finding::warning("redis_superseded_blob", "old one-record forms beside the current records of the same key");
    pub const HASH_LENGTH_MISMATCH: Finding =
        Finding::warning("redis_hash_length_mismatch", "hashes whose stored length differs from their fields");
    pub const SET_LENGTH_MISMATCH: Finding =
        Finding::warning("redis_set_length_mismatch", "sets whose stored length differs from their members");
    pub const ZSET_LENGTH_MISMATCH: Finding =
        Finding::warning("redis_zset_length_mismatch", "sorted sets whose stored length differs from their members");
    pub const LIST_LENGTH_MISMATCH: Finding =
        Finding::warning("redis_list_length_mismatch", "lists whose stored length differs from their items");
    pub const STREAM_LENGTH_MISMATCH: Finding =
        Finding::warning("redis_stream_length_mismatch", "streams whose stored length differs from their entries");
    pub const STREAM_LAST: Finding = Finding::warning(
        "redis_stream_last_below_entry",
        "streams whose stored last id is below an entry; the entry's id is written as the last one",
    );
    pub const NEGATIVE_LENGTH: Finding =
        Finding::warning("redis_negative_length", "collections with a negative stored length");
    pub const LIST_META_INVARIANT: Finding =
        Finding::warning("redis_list_meta_invariant", "lists whose stored tail differs from head plus length");
    pub const LIST_ORPHAN_ITEMS: Finding =
        Finding::warning("redis_list_orphan_items", "list items outside their list, hidden from clients and not written");
    pub const STREAM_ORPHAN_ENTRIES: Finding = Finding::warning(
        "redis_stream_orphan_entries_without_meta",
        "stream entries without a stream, hidden from clients and not written",
    );
    pub const STREAM_BLOB: Finding = Finding::warning(
        "redis_stream_legacy_blob_discarded",
        "streams of the old one-record form, whose entries the server discards",
    );
    pub const INVALID_AUXILIARY: Finding =
        Finding::warning("redis_invalid_auxiliary", "damaged length records that decide about no element");
    pub const ZERO_EXPIRY: Finding = Finding::warning("redis_zero_expiry", "keys with expiry 0, which expired in 1970");
    pub const EXPIRY_CLAMPED: Finding = Finding::warning("redis_expiry_clamped", "expiries above 2^63-1 ms, cut to that");
    pub const HLL_PAYLOAD: Finding = Finding::warning(
        "redis_hll_unrecognized_payload",
        "HyperLogLogs whose payload the server would refuse; written as stored",
    );
    pub const NAN_SCORE: Finding = Finding::warning("redis_zset_nan_score", "scores that are not a number");
    pub const STREAM_ID: Finding = Finding::info(
        "redis_stream_noncanonical_id",
        "stream entries whose client wrote the id with padding; the canonical id is kept",
    );
    pub const EXPIRED_KEYS: Finding = Finding::info("redis_expired_keys", "keys that had expired at the read timestamp");
    pub const BARE_KEYS: Finding = Finding::info("redis_bare_keys", "keys without a Redis prefix, served as strings");
}
