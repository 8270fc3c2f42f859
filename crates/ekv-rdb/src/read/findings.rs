//! What is told of a file beside its keys, and of a running server.
//!
//! Source: `docs/format/rdb.md`, sections 1.8 and 5.

use ekv_model::Finding;

ekv_model::findings! {
    pub(super) const NO_CHECKSUM: Finding = Finding::warning(
        "rdb_no_checksum",
        "the RDB file has no checksum: nothing tells whether its bytes are those that the server wrote",
    ).fatal_if_strict();
    pub(super) const TRAILING_BYTES: Finding =
        Finding::warning("rdb_trailing_bytes", "bytes behind the end of the RDB file, which servers pass over");
    pub(super) const AOF_BASE: Finding = Finding::warning(
        "rdb_aof_base",
        "the RDB file is the base of an append-only file: what was written after it is in other files beside it",
    );
    /// A key of another database than 0.
    pub const SEVERAL_DATABASES: Finding = Finding::info(
        "redis_several_databases",
        "keys of databases other than 0: a dump has them as db_<n>, and encode takes db_0 only",
    );
    /// A library of functions.
    pub const FUNCTIONS: Finding =
        Finding::warning("redis_functions", "libraries of functions, which a dump cannot hold: they are left out").fatal_if_strict();
    pub(super) const MODULE_AUX: Finding = Finding::warning(
        "rdb_module_aux",
        "data that a module keeps beside keys, which a dump cannot hold: they are left out",
    ).fatal_if_strict();
    /// A key of a module.
    pub const MODULE_VALUE: Finding =
        Finding::loss("redis_module_value", "a key whose type comes from a module, which only that module can read");
    pub(super) const KEY_METADATA: Finding =
        Finding::warning("rdb_key_metadata", "what modules keep of a key, which a dump cannot hold: it is left out");
    pub(super) const SLOT_IMPORT: Finding =
        Finding::warning("rdb_slot_import", "slots were on their way from another node when the file was saved");
    /// A stream with consumer groups.
    pub const GROUPS: Finding = Finding::warning(
        "redis_groups_dropped",
        "consumer groups of a stream with what they have not acknowledged, which a dump cannot hold: they are left out",
    ).fatal_if_strict();
    /// A hash whose fields expire one by one.
    pub const FIELD_EXPIRY: Finding = Finding::loss(
        "redis_field_expiry",
        "a hash whose fields expire one by one, which a dump cannot hold",
    );
    pub(super) const MALFORMED: Finding = Finding::loss("rdb_value_malformed", "a value that cannot be read");
    pub(super) const REPEATED: Finding = Finding::warning(
        "rdb_repeated_element",
        "a field or member that comes twice in its key: the last one is kept",
    );
    pub(super) const STREAM_LENGTH: Finding =
        Finding::warning("rdb_stream_length", "a stream with another number of entries than it says");
    pub(super) const STREAM_LAST: Finding = Finding::warning(
        "rdb_stream_last_below_entry",
        "a stream whose last id is below that of its newest entry: the latter is taken",
    );
    pub(super) const NEGATIVE_EXPIRY: Finding = Finding::warning(
        "rdb_negative_expiry",
        "an expiry of -1: most servers keep such a key for ever, as it is here, others drop it",
    );
}
