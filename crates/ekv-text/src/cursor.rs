//! Bytes that are taken apart from their front.

/// What is left of some bytes. Integers are big-endian.
///
/// Everything is `None` if fewer bytes are left than asked for; then nothing is taken.
///
/// ```
/// use ekv_text::ByteCursor;
///
/// let mut cursor = ByteCursor::new(b"\x00\x02hi\x07rest");
/// assert_eq!(cursor.u16().and_then(|len| cursor.bytes(u64::from(len))), Some(&b"hi"[..]));
/// assert_eq!((cursor.u8(), cursor.offset()), (Some(7), 5));
/// assert_eq!((cursor.u64(), cursor.rest()), (None, &b"rest"[..]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ByteCursor<'a> {
    whole_len: usize,
    rest: &'a [u8],
}

impl<'a> ByteCursor<'a> {
    /// Begins at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        ByteCursor { whole_len: bytes.len(), rest: bytes }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Number of bytes that were taken.
    pub fn offset(&self) -> usize {
        self.whole_len.saturating_sub(self.rest.len())
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        Some(bytes)
    }

    /// The next `N` bytes.
    pub fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(bytes)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.take().map(|[byte]| *byte)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(|bytes| u64::from_be_bytes(*bytes))
    }
}
