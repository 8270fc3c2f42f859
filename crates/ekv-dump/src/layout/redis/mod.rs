//! Redis keys as files. Source: `docs/format/redis.md`.

pub(crate) mod read;
pub(crate) mod write;
