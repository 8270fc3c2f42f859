//! Expiry sidecars and KEYMAP of a database. Source: `docs/format/redis.md`, sections 6.2 and 6.5.

use std::sync::Arc;

use ekv_files::{DumpPath, Result};
use ekv_model::redis::{Expiry, ExpiryOrigin, ScalarKind};
use ekv_spill::{Scratch, Sorter, Spool};

use crate::expiry::ExpirySidecar;
use crate::keymap::{KEYMAP_FILE, KeymapKind};
use crate::{DumpWriter, expiry, keymap};

use super::names::{Folder, KeyName};

/// Memory for each of the sorters and spools, in bytes.
const BUDGET_LEN: usize = 1 << 20;

/// Collects the lines that can be written only when all keys are known.
pub(super) struct Sidecars {
    strings: ExpiryLines,
    hlls: ExpiryLines,
    keymap: Sorter,
    /// Number of the next scalar, which fixes its place in KEYMAP.
    next_scalar: u64,
}

/// Lines of one expiry sidecar: first those of current records as they come, then those of the expiry index in its order.
struct ExpiryLines {
    current: Spool,
    indexed: Sorter,
}

// Parts of KEYMAP, in file order.
/// Strings and HyperLogLogs in the order in which they came.
const SCALARS: u8 = 0;
/// Those whose expiry came from the index once more, in index order.
const INDEXED_EXPIRIES: u8 = 1;
/// Collections, by type and key.
const COLLECTIONS: u8 = 2;

impl Sidecars {
    pub(super) fn new(scratch: Arc<dyn Scratch>) -> Self {
        let lines = || ExpiryLines {
            current: Spool::new(Arc::clone(&scratch), BUDGET_LEN),
            indexed: Sorter::new(Arc::clone(&scratch), BUDGET_LEN),
        };
        Sidecars {
            strings: lines(),
            hlls: lines(),
            keymap: Sorter::new(Arc::clone(&scratch), BUDGET_LEN),
            next_scalar: 0,
        }
    }

    /// Notes a string or HyperLogLog: its expiry line, and one KEYMAP line for each time that its name is used.
    pub(super) fn scalar(
        &mut self,
        kind: ScalarKind,
        key: &[u8],
        name: &KeyName,
        expiry: Option<Expiry>,
    ) -> Result<()> {
        if expiry.is_none() && !name.is_fallback() {
            return Ok(());
        }
        let place = self.next_scalar.to_be_bytes();
        self.next_scalar = self.next_scalar.saturating_add(1);
        self.keymap_line(SCALARS, &place, key, name)?;
        let Some(Expiry { at_ms, origin }) = expiry else { return Ok(()) };
        let mut line = Vec::new();
        expiry::write_line(name.segment(), at_ms, &mut line);
        let lines = match kind {
            ScalarKind::String => &mut self.strings,
            ScalarKind::Hll => &mut self.hlls,
        };
        match origin {
            ExpiryOrigin::Inline => {
                lines.current.write_all(&line)?;
                self.keymap_line(SCALARS, &place, key, name)
            }
            ExpiryOrigin::Index { commit_ts } => {
                // Index records lie in the order of key and inverted timestamp.
                let place = [key, &(!commit_ts).to_be_bytes()].concat();
                lines.indexed.push(&place, &line)?;
                self.keymap_line(INDEXED_EXPIRIES, &place, key, name)
            }
        }
    }

    /// Notes a collection.
    pub(super) fn collection(&mut self, folder: Folder, key: &[u8], name: &KeyName) -> Result<()> {
        let folder_rank: u8 = match folder {
            Folder::Strings | Folder::Hll | Folder::Hashes => 0,
            Folder::Lists => 1,
            Folder::Sets => 2,
            Folder::ZSets => 3,
            Folder::Streams => 4,
        };
        self.keymap_line(COLLECTIONS, &[&[folder_rank], key].concat(), key, name)
    }

    fn keymap_line(&mut self, part: u8, place: &[u8], key: &[u8], name: &KeyName) -> Result<()> {
        if !name.is_fallback() {
            return Ok(());
        }
        let mut line = Vec::new();
        let segment = String::from_utf8_lossy(name.segment());
        keymap::write_line(&segment, key, KeymapKind::ShaFallback, &mut line);
        Ok(self.keymap.push(&[&[part], place].concat(), &line)?)
    }

    /// Writes the files that have at least one line.
    pub(super) fn finish(self, writer: &mut DumpWriter, folder: &DumpPath) -> Result<()> {
        let file = |name: &str| -> Result<DumpPath> {
            let mut path = folder.clone();
            path.push(name.as_bytes())?;
            Ok(path)
        };
        self.strings.finish(writer, &file(ExpirySidecar::Strings.file_name())?)?;
        self.hlls.finish(writer, &file(ExpirySidecar::Hll.file_name())?)?;
        if !self.keymap.is_empty() {
            writer.begin(&file(KEYMAP_FILE)?)?;
            write_sorted(writer, self.keymap)?;
            writer.end()?;
        }
        Ok(())
    }
}

impl ExpiryLines {
    fn finish(self, writer: &mut DumpWriter, path: &DumpPath) -> Result<()> {
        if self.current.is_empty() && self.indexed.is_empty() {
            return Ok(());
        }
        writer.begin(path)?;
        writer.write_spooled(&self.current.into_reader()?)?;
        write_sorted(writer, self.indexed)?;
        writer.end()
    }
}

fn write_sorted(writer: &mut DumpWriter, lines: Sorter) -> Result<()> {
    let mut sorted = lines.finish()?;
    while let Some((_, line)) = sorted.next()? {
        writer.write(line)?;
    }
    Ok(())
}
