//! What a file is, as far as its first bytes tell.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ekv_files::compressed::{Beginning, Decompressed};

/// Bytes that are looked at.
pub(crate) const FIRST_LEN: usize = 512;
/// How many times its own length the beginning of compressed data may have here: it is read for a hint only.
const EXPANSION_MAX: u64 = 1 << 20;
/// Where a tar header says what it is, and what it says.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A snapshot or payload of elastickv, in any form.
    Snapshot,
    /// An archive of `tar`.
    Tar,
    /// Compressed, with the name of the program and the command that decompresses a file to standard output.
    Compressed(&'static str, &'static str),
    /// An archive of `zip`.
    Zip,
    /// A file of Redis or Valkey.
    Rdb,
    /// JSON text.
    Json,
    /// Compressed with zstd, around one of the others or something unknown.
    Zstd,
}

/// First bytes and what they mean.
const BEGINNINGS: [(&[u8], Kind); 17] = [
    (b"EKVTHLC", Kind::Snapshot),
    (b"EKVPBBL", Kind::Snapshot),
    (b"EKVMVCC", Kind::Snapshot),
    (b"EKVSSTI", Kind::Snapshot),
    (b"\x1f\x8b", Kind::Compressed("gzip", "gzip -dc")),
    (b"\x1f\x9d", Kind::Compressed("compress", "gzip -dc")),
    (b"\xfd7zXZ\0", Kind::Compressed("xz", "xz -dc")),
    (b"\x5d\0\0", Kind::Compressed("lzma", "xz -dc")),
    (b"BZh", Kind::Compressed("bzip2", "bzip2 -dc")),
    (b"\x04\x22\x4d\x18", Kind::Compressed("lz4", "lz4 -dc")),
    (b"LZIP", Kind::Compressed("lzip", "lzip -dc")),
    (b"7z\xbc\xaf\x27\x1c", Kind::Compressed("7-Zip", "7z e -so")),
    (b"PK\x03\x04", Kind::Zip),
    (b"PK\x05\x06", Kind::Zip),
    (b"REDIS0", Kind::Rdb),
    (b"VALKEY", Kind::Rdb),
    // Around the whole file, by Valkey 9.2 and newer.
    (b"VCS", Kind::Rdb),
];

impl Kind {
    /// Of a file with these first bytes; `None` if they say nothing.
    pub(crate) fn of(first: &[u8]) -> Option<Kind> {
        if let Some((_, kind)) = BEGINNINGS.iter().find(|(beginning, _)| first.starts_with(beginning)) {
            return Some(*kind);
        }
        if Beginning::of(first).is_some() {
            return Some(Kind::Zstd);
        }
        let (at, magic) = TAR_MAGIC;
        if first.get(at..).is_some_and(|rest| rest.starts_with(magic)) {
            return Some(Kind::Tar);
        }
        let text = first.trim_ascii_start();
        let is_json = (text.starts_with(b"{") || text.starts_with(b"[")) && !text.contains(&0);
        is_json.then_some(Kind::Json)
    }

    /// Of a regular file, or of what is compressed with zstd in it, and whether it is that; `None` if it cannot be read or says nothing.
    pub(crate) fn of_file(path: &Path) -> Option<(Kind, bool)> {
        // Nothing else is opened: a pipe would wait, and what was read from it is gone.
        if !std::fs::metadata(path).ok()?.is_file() {
            return None;
        }
        let first = first_of(File::open(path).ok()?).ok()?;
        match Kind::of(&first)? {
            Kind::Zstd => Kind::inside(&first, File::open(path).ok()?).map(|kind| (kind, true)),
            kind => Some((kind, false)),
        }
    }

    /// Of a stream that begins with `head`, or of what is compressed with zstd in it; `None` if that says nothing.
    pub(crate) fn of_beginning(head: &[u8]) -> Option<Kind> {
        let first = head.get(..FIRST_LEN).unwrap_or(head);
        match Kind::of(first)? {
            Kind::Zstd => Kind::inside(first, head),
            kind => Some(kind),
        }
    }

    /// Of what is compressed in data that begin with `first`.
    fn inside(first: &[u8], compressed: impl Read) -> Option<Kind> {
        let decompressed = Decompressed::new(compressed, Beginning::of(first)?, EXPANSION_MAX).ok()?;
        Kind::of(&first_of(decompressed).ok()?)
    }
}

fn first_of(stream: impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    stream.take(u64::try_from(FIRST_LEN).unwrap_or(u64::MAX)).read_to_end(&mut first)?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_say_what_a_file_is() {
        let mut tar = vec![b'x'; FIRST_LEN];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], Option<Kind>); 15] = [
            (b"EKVTHLC1\0\0", Some(Kind::Snapshot)),
            (b"EKVPBBL1", Some(Kind::Snapshot)),
            (b"\x1f\x8b\x08", Some(Kind::Compressed("gzip", "gzip -dc"))),
            (b"\xfd7zXZ\0\0", Some(Kind::Compressed("xz", "xz -dc"))),
            (b"BZh91AY", Some(Kind::Compressed("bzip2", "bzip2 -dc"))),
            (b"PK\x03\x04", Some(Kind::Zip)),
            (b"REDIS0011", Some(Kind::Rdb)),
            (b"VALKEY080", Some(Kind::Rdb)),
            (b" {\"a\":1}\n", Some(Kind::Json)),
            (b"[1]", Some(Kind::Json)),
            (b"\x28\xb5\x2f\xfd", Some(Kind::Zstd)),
            (&tar, Some(Kind::Tar)),
            (b"", None),
            (b"hello", None),
            (b"{\0", None),
        ];
        for (first, kind) in cases {
            assert_eq!(Kind::of(first), kind, "{}", first.escape_ascii());
        }
    }
}
