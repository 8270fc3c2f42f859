//! Bytes that lie in a scratch file, or in stretches of a file, read by position.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use ekv_spill::{Spooled, read_exact_at};

/// Bytes that are read by position.
pub(crate) enum Stretches {
    /// Stretches of a file, one after the other.
    File {
        file: Arc<File>,
        /// Offset and length of each.
        parts: Vec<(u64, u64)>,
    },
    /// A scratch file.
    Spooled(Spooled),
}

impl Stretches {
    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Stretches::File { parts, .. } => parts.iter().fold(0, |sum, (_, len)| sum.saturating_add(*len)),
            Stretches::Spooled(spooled) => spooled.len(),
        }
    }

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// Those of the file; also if the bytes end before that.
    pub(crate) fn read_exact_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        let (file, parts) = match self {
            Stretches::File { file, parts } => (file, parts),
            Stretches::Spooled(spooled) => return spooled.read_at(offset, buf).map_err(io::Error::other),
        };
        for (start, len) in parts {
            let left = len.saturating_sub(offset);
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
            let (here, rest) = std::mem::take(&mut buf).split_at_mut_checked(now).unwrap_or_default();
            read_exact_at(file, here, start.saturating_add(offset))?;
            buf = rest;
            if buf.is_empty() {
                return Ok(());
            }
            offset = offset.saturating_sub(*len);
        }
        if buf.is_empty() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Reads `len` bytes from `offset` on.
    pub(crate) fn reader(&self, offset: u64, len: u64) -> StretchesReader<'_> {
        StretchesReader { stretches: self, offset, left: len }
    }
}

/// Reads a part of [`Stretches`] from front to back; a small read costs a call of the system.
pub(crate) struct StretchesReader<'s> {
    stretches: &'s Stretches,
    offset: u64,
    left: u64,
}

impl Read for StretchesReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        self.stretches.read_exact_at(self.offset, buf)?;
        let len_u64 = u64::try_from(len).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(len_u64);
        self.left = self.left.saturating_sub(len_u64);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn stretches_are_read_as_if_they_lay_one_behind_the_other() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"..abc.....defg.h").unwrap();
        let stretches = Stretches::File { file: Arc::new(file), parts: vec![(2, 3), (10, 4), (5, 0), (15, 1)] };
        let whole = b"abcdefgh";
        assert_eq!(stretches.len(), 8);
        for start in 0..=8_usize {
            for end in start..=8 {
                let mut found = vec![0; end - start];
                stretches.read_exact_at(u64::try_from(start).unwrap(), &mut found).unwrap();
                assert_eq!(found, whole[start..end]);
            }
        }
        assert!(stretches.read_exact_at(7, &mut [0; 2]).is_err(), "beyond the end");
        let mut found = Vec::new();
        stretches.reader(1, 6).read_to_end(&mut found).unwrap();
        assert_eq!(found, b"bcdefg");
    }
}
