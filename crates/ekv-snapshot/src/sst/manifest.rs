//! The JSON manifest of an `EKVSSTI1` payload. Source: `docs/format/ssti1.md`, section 2.

use std::fmt;
use std::io::{self, BufReader};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ekv_text::hex::parse_hex;
use ekv_text::json::{JsonError, LimitedStrings, StringTooLong};
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use sha2::{Digest, Sha256};

use super::faults::invalid;
use crate::stream::len_u64;
use crate::{Error, ErrorKind, Input, Result};

/// The manifest version this tool knows.
const VERSION: u64 = 1;
/// Most files; one holds about 64 MiB of entries.
const FILE_COUNT_MAX: usize = 1 << 20;
/// Longest string in it, in bytes: a key of 16 MiB takes a third more.
const STRING_LEN_MAX: usize = 24 << 20;

/// What the manifest says about the whole.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Manifest {
    version: u64,
    /// What the header of an `EKVPBBL1` payload says.
    pub(crate) last_commit_ts: u64,
    /// As the row of the store, which the files hold as well.
    pub(crate) min_retained_ts: u64,
    /// As the row of the store, which the files hold as well.
    pub(crate) pending_min_retained_ts: u64,
    applied_index: Option<u64>,
    entry_count: u64,
    uncompressed_bytes: u64,
    total_file_bytes: i64,
    /// The files, in the order of their bodies.
    pub(super) files: Files,
}

/// What is kept of one file.
#[derive(Debug)]
pub(super) struct SstFile {
    pub(super) len: u64,
    pub(super) sha256: [u8; 32],
    /// [`bounds_sha256`] of its first and last raw key.
    pub(super) bounds_sha256: [u8; 32],
}

/// Stands for the first and the last raw key of a file.
pub(super) fn bounds_sha256(smallest: &[u8], largest: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(len_u64(smallest).to_le_bytes())
        .chain_update(smallest)
        .chain_update(largest)
        .finalize()
        .into()
}

/// The list of files, checked entry by entry while it is read.
#[derive(Debug, Default)]
pub(super) struct Files(pub(super) Vec<SstFile>);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    name: String,
    size: i64,
    sha256: String,
    smallest: String,
    largest: String,
}

impl Manifest {
    /// Reads and checks the manifest of `len` bytes at `offset`.
    pub(super) fn read(input: &Input, offset: u64, len: u64) -> Result<Manifest> {
        let invalid = |reason: String| Error::new(ErrorKind::Invalid { structure: "EKVSSTI1 manifest", reason });
        let reader = BufReader::with_capacity(64 << 10, input.reader(offset, len));
        let reader = LimitedStrings::new(reader, STRING_LEN_MAX);
        let manifest: Manifest = serde_json::from_reader(reader).map_err(|e| match e.is_io() {
            true => match io::Error::from(e).downcast::<StringTooLong>() {
                Ok(too_long) => invalid(too_long.to_string()),
                Err(e) => e.downcast().unwrap_or_else(|e| Error::io("read the snapshot", e)),
            },
            false => invalid(JsonError::new(&e).to_string()),
        })?;
        if manifest.version != VERSION {
            return Err(invalid(format!("version {} is unknown, this tool knows version {VERSION}", manifest.version)));
        }
        let total = manifest.files.0.iter().fold(0_u64, |sum, file| sum.saturating_add(file.len));
        if u64::try_from(manifest.total_file_bytes) != Ok(total) {
            let stated = manifest.total_file_bytes;
            return Err(invalid(format!("total_file_bytes is {stated}, the files have {total} bytes")));
        }
        Ok(manifest)
    }

    /// Refuses more rows, or bytes of raw keys and values, than it states.
    pub(super) fn check_room(&self, entries: u64, bytes: u64) -> Result<()> {
        match entries > self.entry_count || bytes > self.uncompressed_bytes {
            true => Err(self.wrong_totals("more than", entries, bytes)),
            false => Ok(()),
        }
    }

    /// Compares the rows of all files, and the bytes of their raw keys and values, with what it states.
    pub(super) fn check_totals(&self, entries: u64, bytes: u64) -> Result<()> {
        match (entries, bytes) == (self.entry_count, self.uncompressed_bytes) {
            true => Ok(()),
            false => Err(self.wrong_totals("other than", entries, bytes)),
        }
    }

    fn wrong_totals(&self, how: &str, entries: u64, bytes: u64) -> Error {
        invalid(format!(
            "the files hold {entries} rows of {bytes} bytes, {how} the {} rows of {} bytes that the manifest states",
            self.entry_count, self.uncompressed_bytes
        ))
    }
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of files or null")
            }

            fn visit_unit<E>(self) -> Result<Files, E> {
                Ok(Files::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Files, A::Error> {
                let mut check = Check::default();
                let mut files = Vec::new();
                while let Some(entry) = entries.next_element::<FileEntry>()? {
                    if files.len() == FILE_COUNT_MAX {
                        return Err(A::Error::custom(format_args!("more than {FILE_COUNT_MAX} files")));
                    }
                    files.push(check.next(&entry).map_err(A::Error::custom)?);
                }
                Ok(Files(files))
            }
        }
        deserializer.deserialize_any(List)
    }
}

/// What an entry must fit to.
#[derive(Default)]
struct Check {
    next_number: u64,
    largest_before: Option<Vec<u8>>,
}

impl Check {
    fn next(&mut self, entry: &FileEntry) -> Result<SstFile, String> {
        let name = &entry.name;
        if *name != format!("{:06}.sst", self.next_number) {
            return Err(format!("unexpected file name {name:?}"));
        }
        self.next_number = self.next_number.saturating_add(1);

        let len = u64::try_from(entry.size).ok().filter(|len| *len > 0);
        let len = len.ok_or_else(|| format!("file {name} has size {}", entry.size))?;
        let sha256 = parse_hex(entry.sha256.as_bytes())
            .and_then(|digest| digest.try_into().ok())
            .ok_or_else(|| format!("file {name} has no valid sha256"))?;
        let key = |text: &str| STANDARD.decode(text).map_err(|_| format!("a key of file {name} is not valid base64"));
        let (smallest, largest) = (key(&entry.smallest)?, key(&entry.largest)?);
        if smallest > largest {
            return Err(format!("file {name} has a smallest key above its largest"));
        }
        if self.largest_before.as_ref().is_some_and(|before| *before >= smallest) {
            return Err(format!("file {name} overlaps the file before it"));
        }
        let bounds_sha256 = bounds_sha256(&smallest, &largest);
        self.largest_before = Some(largest);
        Ok(SstFile { len, sha256, bounds_sha256 })
    }
}
