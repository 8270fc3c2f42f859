//! Bytes one after the other, from memory or through a window over what lies elsewhere.
//!
//! Source: `docs/format/rdb.md`, sections 1.2 and 1.3.

use std::borrow::Cow;

use ekv_model::{Body, ByteSource, CHUNK_LEN};

use super::fault::{Fault, Result, Stop};
use crate::length::{LENGTH_32, LENGTH_64};
use crate::{Crc64, file_len};

/// Bytes that are looked at in one piece at most; what is longer is read from where it lies.
pub(super) const WINDOW_LEN: usize = CHUNK_LEN;

/// A place in bytes.
pub(super) struct Cursor<'s> {
    /// Where more bytes come from; `None` if all are in the buffer.
    source: Option<&'s dyn ByteSource>,
    end: u64,
    buffer: Cow<'s, [u8]>,
    /// Offset of the buffer's first byte.
    start: u64,
    /// Index in the buffer of the next byte.
    at: usize,
    checksum: Option<Checksum>,
}

/// The checksum of everything that is passed.
#[derive(Default)]
struct Checksum {
    crc: Crc64,
    /// Index in the buffer up to which it has been taken.
    at: usize,
}

impl<'s> Cursor<'s> {
    /// At the front of `source`.
    pub(super) fn of(source: &'s dyn ByteSource) -> Self {
        let (buffer, end) = (Cow::Owned(Vec::new()), source.len());
        Cursor { source: Some(source), end, buffer, start: 0, at: 0, checksum: None }
    }

    /// At the front of a value.
    pub(super) fn of_body(body: Body<'s>) -> Self {
        match body {
            Body::Streamed(source) => Cursor::of(source),
            Body::Inline(bytes) => Cursor {
                source: None,
                end: file_len(bytes.len()),
                buffer: Cow::Borrowed(bytes),
                start: 0,
                at: 0,
                checksum: None,
            },
        }
    }

    /// Takes the checksum of everything that is passed from here on.
    pub(super) fn with_checksum(self) -> Self {
        let checksum = Some(Checksum { at: self.at, crc: Crc64::default() });
        Cursor { checksum, ..self }
    }

    /// The checksum of everything that was passed.
    pub(super) fn checksum(&mut self) -> u64 {
        let Some(checksum) = &mut self.checksum else { return 0 };
        checksum.crc.update(self.buffer.get(checksum.at..self.at).unwrap_or_default());
        checksum.at = self.at;
        checksum.crc.value()
    }

    /// Offset of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.start.saturating_add(file_len(self.at))
    }

    /// Bytes that follow.
    pub(super) fn left(&self) -> u64 {
        self.end.saturating_sub(self.offset())
    }

    /// Where the bytes lie that are not in memory.
    pub(super) fn source(&self) -> Option<&'s dyn ByteSource> {
        self.source
    }

    /// A fault here.
    pub(super) fn fault(&self, fault: Fault) -> Stop {
        Stop::Fault(fault, self.offset())
    }

    /// Refuses so many bytes, or things of a byte at least, if fewer follow.
    pub(super) fn check_left(&self, wanted: u64) -> Result<()> {
        let left = self.left();
        if wanted > left { Err(self.fault(Fault::Truncated { wanted, left })) } else { Ok(()) }
    }

    /// The next bytes, without passing them; at most [`WINDOW_LEN`] where they do not lie in memory.
    pub(super) fn peek(&mut self, len: usize) -> Result<&[u8]> {
        if self.buffer.len().saturating_sub(self.at) < len {
            self.check_left(file_len(len))?;
            self.refill(self.offset())?;
        }
        let end = self.at.saturating_add(len);
        match self.buffer.get(self.at..end) {
            Some(bytes) => Ok(bytes),
            None => Err(Stop::Fault(Fault::Truncated { wanted: file_len(len), left: 0 }, self.start)),
        }
    }

    /// Passes the next bytes and returns them, under the limit of [`Cursor::peek`].
    pub(super) fn take(&mut self, len: usize) -> Result<&[u8]> {
        self.peek(len)?;
        let start = self.at;
        self.at = start.saturating_add(len);
        Ok(self.buffer.get(start..self.at).unwrap_or_default())
    }

    /// Passes a fixed number of bytes.
    pub(super) fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN]> {
        let mut array = [0; LEN];
        array.copy_from_slice(self.take(LEN)?);
        Ok(array)
    }

    /// Passes one byte.
    pub(super) fn byte(&mut self) -> Result<u8> {
        if let Some(byte) = self.buffer.get(self.at) {
            self.at += 1;
            return Ok(*byte);
        }
        self.array().map(|[byte]| byte)
    }

    /// Passes bytes without looking at them.
    pub(super) fn skip(&mut self, mut len: u64) -> Result<()> {
        self.check_left(len)?;
        loop {
            let ready = file_len(self.buffer.len().saturating_sub(self.at));
            if len <= ready {
                self.at = self.at.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
                return Ok(());
            }
            if self.checksum.is_none() {
                let offset = self.offset().saturating_add(len);
                self.buffer = Cow::Owned(Vec::new());
                (self.start, self.at) = (offset, 0);
                return Ok(());
            }
            len = len.saturating_sub(ready);
            self.at = self.buffer.len();
            self.refill(self.offset())?;
        }
    }

    /// Goes back, or forward, to an offset. The checksum takes no part.
    pub(super) fn seek(&mut self, offset: u64) {
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        match at.filter(|at| *at <= self.buffer.len()) {
            Some(at) => self.at = at,
            None => {
                if let Cow::Owned(buffer) = &mut self.buffer {
                    buffer.clear();
                }
                (self.start, self.at) = (offset, 0);
            }
        }
    }

    /// Fills the window from `offset`, up to which everything has been passed.
    fn refill(&mut self, offset: u64) -> Result<()> {
        self.checksum();
        let Some(source) = self.source else { return Ok(()) };
        let len = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX).min(WINDOW_LEN);
        let mut buffer = std::mem::take(&mut self.buffer).into_owned();
        buffer.resize(len, 0);
        source.read_exact_at(offset, &mut buffer)?;
        self.buffer = Cow::Owned(buffer);
        (self.start, self.at) = (offset, 0);
        if let Some(checksum) = &mut self.checksum {
            checksum.at = 0;
        }
        Ok(())
    }

    /// Passes a length.
    pub(super) fn length(&mut self) -> Result<u64> {
        match self.length_or_form()? {
            LengthOrForm::Length(length) => Ok(length),
            LengthOrForm::Form(_) => Err(self.fault(Fault::Length("a number belongs here, not a special string"))),
        }
    }

    /// Passes the number of things of a byte at least.
    pub(super) fn count(&mut self) -> Result<u64> {
        let count = self.length()?;
        self.check_left(count)?;
        Ok(count)
    }

    pub(super) fn length_or_form(&mut self) -> Result<LengthOrForm> {
        let first = self.byte()?;
        let low = first & 0x3f;
        Ok(match first >> 6 {
            0 => LengthOrForm::Length(low.into()),
            1 => LengthOrForm::Length(u16::from_be_bytes([low, self.byte()?]).into()),
            3 => LengthOrForm::Form(low),
            _ => match first {
                LENGTH_32 => LengthOrForm::Length(u32::from_be_bytes(self.array()?).into()),
                LENGTH_64 => LengthOrForm::Length(u64::from_be_bytes(self.array()?)),
                _ => return Err(self.fault(Fault::Length("its first byte is none of a length"))),
            },
        })
    }
}

/// A length, or the number of a special form of strings.
pub(super) enum LengthOrForm {
    Length(u64),
    Form(u8),
}

#[cfg(test)]
mod tests {
    use ekv_model::InMemory;

    use super::*;

    fn lengths(bytes: &[u8]) -> Result<u64> {
        Cursor::of_body(Body::Inline(bytes)).length()
    }

    #[test]
    fn lengths_come_back_from_every_form_also_the_longer_ones() {
        for length in [0, 63, 64, 16383, 16384, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut bytes = Vec::new();
            crate::length::push_length(&mut bytes, length);
            assert_eq!(lengths(&bytes).unwrap(), length);
        }
        assert_eq!(lengths(b"\x80\0\0\0\x01").unwrap(), 1);
        assert_eq!(lengths(b"\x81\0\0\0\0\0\0\0\x01").unwrap(), 1);
        for bytes in [&b"\x82\0\0\0\0"[..], b"\xc0\x01", b"\x81\0", b"\x40", b""] {
            assert!(matches!(lengths(bytes), Err(Stop::Fault(..))), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn checksum_is_that_of_everything_passed_however_it_was_passed() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1] ^ n.to_le_bytes()[0]).collect();
        let source = InMemory(&bytes);
        let mut cursor = Cursor::of(&source).with_checksum();
        cursor.skip(10).unwrap();
        assert_eq!(cursor.take(5).unwrap(), &bytes[10..15]);
        cursor.skip(200_000).unwrap();
        assert_eq!(cursor.array::<3>().unwrap(), bytes[200_015..200_018]);
        let mut crc = Crc64::default();
        crc.update(&bytes[..200_018]);
        assert_eq!(cursor.checksum(), crc.value());
        assert_eq!((cursor.offset(), cursor.left()), (200_018, 99_982));
        assert!(matches!(cursor.skip(99_983), Err(Stop::Fault(Fault::Truncated { wanted: 99_983, left: 99_982 }, _))));
    }
}
