//! References to offloaded chunks. Source: `docs/format/s3.md`, section 2.4.

use ekv_model::{ByteSource, Result};
use ekv_snapshot::StoredValue;
use ekv_text::ByteCursor;

use super::keys::ChunkDigest;

/// Longest reference that is read, in bytes; one with a hundred peers has a few thousand.
const LEN_MAX: u64 = 1 << 20;

/// Where the content of a chunk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChunkRef {
    pub(super) digest: ChunkDigest,
    /// Length of the chunk in bytes.
    pub(super) size_bytes: u64,
    /// Nodes that had the chunk, for a person to read.
    pub(super) peers: Vec<String>,
}

impl ChunkRef {
    /// Reads a reference; `None` if it does not parse.
    pub(super) fn read(value: &StoredValue<'_>) -> Result<Option<Self>> {
        if let Some(bytes) = value.whole() {
            return Ok(ChunkRef::parse(bytes));
        }
        if value.len() > LEN_MAX {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(value.len()).unwrap_or(0)];
        value.read_exact_at(0, &mut bytes)?;
        Ok(ChunkRef::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = ByteCursor::new(bytes);
        let version = rest.u8()?;
        let digest = rest.take()?;
        let size_bytes = rest.u64()?;
        let mut peers = vec![take_text(&mut rest)?];
        match version {
            1 => {}
            2 => {
                for _ in 0..rest.u16()? {
                    peers.push(format!("{} at {}", take_text(&mut rest)?, take_text(&mut rest)?));
                }
            }
            _ => return None,
        }
        peers.retain(|peer| !peer.is_empty());
        rest.rest().is_empty().then_some(ChunkRef { digest: *digest, size_bytes, peers })
    }
}

/// Takes text behind its two-byte length.
fn take_text(rest: &mut ByteCursor<'_>) -> Option<String> {
    let len = rest.u16()?;
    Some(String::from_utf8_lossy(rest.bytes(len.into())?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(version: u8, peers: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = [&[version][..], &[7; 32], &5_u64.to_be_bytes(), b"\0\x02n1"].concat();
        if version == 2 {
            bytes.extend_from_slice(&u16::try_from(peers.len()).unwrap().to_be_bytes());
        }
        for text in peers.iter().flat_map(|(node, address)| [node, address]) {
            bytes.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    #[test]
    fn both_versions_are_read_and_every_cut_and_every_extra_byte_is_refused() {
        let peers = [("n2", "10.0.0.2:1"), ("n3", "10.0.0.3:1")];
        for (bytes, shown) in [
            (reference(1, &[]), vec!["n1"]),
            (reference(2, &peers), vec!["n1", "n2 at 10.0.0.2:1", "n3 at 10.0.0.3:1"]),
        ] {
            let expected =
                ChunkRef { digest: [7; 32], size_bytes: 5, peers: shown.into_iter().map(str::to_owned).collect() };
            assert_eq!(ChunkRef::parse(&bytes), Some(expected));
            for cut in 0..bytes.len() {
                assert_eq!(ChunkRef::parse(&bytes[..cut]), None, "cut {cut}");
            }
            assert_eq!(ChunkRef::parse(&[&bytes[..], b"\0"].concat()), None);
        }
        assert_eq!(ChunkRef::parse(&reference(3, &[])), None);
    }
}
