//! Commands that write keys into a server, for `redis-cli --pipe`. Source: `docs/format/redis-live.md`, section 13.

use std::sync::Arc;

use ekv_live::{put_argument, put_argument_len, put_command};
use ekv_model::Result;
use ekv_rdb::{Refusal, STRING_LEN_MAX, Value};
use ekv_spill::{Scratch, Spool};

/// Commands that are kept in memory, in bytes; more goes to a scratch file.
const MEMORY_LEN: usize = 1 << 20;

/// Gathers a `RESTORE` for each key, and a `SELECT` where the logical database changes.
pub(super) struct Commands {
    bytes: Spool,
    /// The logical database that the connection is in by now; in the beginning the one that it was made for.
    database: u32,
    keys: u64,
    replaces: bool,
}

impl Commands {
    /// No commands; keys that are there are replaced, or else refused by the server.
    pub(super) fn new(scratch: &Arc<dyn Scratch>, replaces: bool) -> Self {
        Commands { bytes: Spool::new(Arc::clone(scratch), MEMORY_LEN), database: 0, keys: 0, replaces }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// Those of scratch files.
    pub(super) fn push(
        &mut self,
        database: u32,
        key: &[u8],
        expire_at_ms: Option<u64>,
        value: &Value,
    ) -> Result<Result<(), Refusal>> {
        let len = value.payload_len();
        if len > STRING_LEN_MAX {
            return Ok(Err(Refusal::LongPayload { len }));
        }
        let mut head = Vec::new();
        if std::mem::replace(&mut self.database, database) != database {
            put_command(&mut head, 2);
            put_argument(&mut head, b"SELECT");
            put_argument(&mut head, database.to_string().as_bytes());
        }
        put_command(&mut head, if self.replaces { 6 } else { 5 });
        put_argument(&mut head, b"RESTORE");
        put_argument(&mut head, key);
        put_argument(&mut head, expire_at_ms.unwrap_or(0).to_string().as_bytes());
        put_argument_len(&mut head, len);
        self.bytes.write_all(&head)?;
        value.for_each_payload_chunk(|chunk| -> Result<()> { Ok(self.bytes.write_all(chunk)?) })?;
        let mut tail = b"\r\n".to_vec();
        put_argument(&mut tail, b"ABSTTL");
        if self.replaces {
            put_argument(&mut tail, b"REPLACE");
        }
        self.bytes.write_all(&tail)?;
        self.keys = self.keys.saturating_add(1);
        Ok(Ok(()))
    }

    /// Keys so far.
    pub(super) fn keys(&self) -> u64 {
        self.keys
    }

    /// Hands all commands to `take`; how many bytes they are.
    ///
    /// # Errors
    /// Those of scratch files and of `take`.
    pub(super) fn finish(self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        let bytes = self.bytes.into_reader()?;
        bytes.for_each_chunk(|chunk| take(chunk))?;
        Ok(bytes.len())
    }
}
