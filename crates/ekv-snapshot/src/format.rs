//! Magic numbers, widths and limits. Source: `docs/format/snapshot.md`, sections 3 to 7.

/// Prefix shared by all envelope headers; the eighth byte is the version.
pub const HEADER_MAGIC_PREFIX: &[u8; 7] = b"EKVTHLC";
/// Header version 1: 8-byte magic and 8-byte clock ceiling.
pub const HEADER_V1_MAGIC: &[u8; 8] = b"EKVTHLC1";
/// Header version 2: magic, 2-byte length, clock ceiling, cutover, extensions.
pub const HEADER_V2_MAGIC: &[u8; 8] = b"EKVTHLC2";
/// Store payload in raw-key order; what every node writes by default.
pub const PAYLOAD_MAGIC: &[u8; 8] = b"EKVPBBL1";
/// Stream of the in-memory store.
pub const MVCC2_MAGIC: &[u8; 8] = b"EKVMVCC2";
/// SST ingest transfer.
pub const SST_MAGIC: &[u8; 8] = b"EKVSSTI1";

/// Length of a version 1 header in bytes.
pub const HEADER_V1_LEN: u64 = 16;
/// Bytes of a version 2 header before its counted part.
pub const HEADER_V2_FIXED_LEN: u64 = 10;
/// Bounds of the counted part of a version 2 header.
pub const HEADER_V2_COUNTED_LEN: std::ops::RangeInclusive<u16> = 16..=1024;
/// Length of the footer in bytes.
pub const FOOTER_LEN: u64 = 4;
/// Payload magic and last commit timestamp.
pub const PAYLOAD_HEADER_LEN: u64 = 16;

/// Bytes of the inverted timestamp at the end of a raw key.
pub const TS_LEN: usize = 8;
/// Flags and store expiry in front of every versioned value.
pub const VALUE_HEADER_LEN: usize = 9;
/// Longest user key that is read, in bytes: [`ekv_model::KEY_LEN_MAX`].
pub const USER_KEY_LEN_MAX: u64 = 16 << 20;
/// Longest raw key that is read, in bytes.
pub const RAW_KEY_LEN_MAX: u64 = USER_KEY_LEN_MAX + 8;
/// Longest user key that a server restores, in bytes; it writes and serves longer ones. The longest that is written here.
pub const RESTORABLE_USER_KEY_LEN_MAX: u64 = 1 << 20;
/// Longest raw key that a server restores, in bytes.
pub const RESTORABLE_RAW_KEY_LEN_MAX: u64 = RESTORABLE_USER_KEY_LEN_MAX + 8;
/// Longest body in bytes.
pub const BODY_LEN_MAX: u64 = 256 << 20;
/// Longest stored value in bytes: body, value header and encryption overhead.
pub const VALUE_LEN_MAX: u64 = BODY_LEN_MAX + 9 + 34;

/// Value flag: tombstone.
pub const FLAG_TOMBSTONE: u8 = 0x01;
/// Value flags: encryption state.
pub const FLAGS_ENCRYPTION: u8 = 0x06;
/// Encryption state "encrypted".
pub const ENCRYPTION_STATE_ENCRYPTED: u8 = 0x02;
/// Value flags that must be zero.
pub const FLAGS_RESERVED: u8 = 0xf8;

/// User keys whose newest version always counts, whatever the read timestamp: content-addressed, node-local records.
///
/// Source: `docs/format/snapshot.md`, section 8.
pub const NEWEST_ALWAYS_PREFIX: &[u8] = b"!s3|chunkblob|";
