//! The content of an object, read once from front to back and compared with its sidecar.

use std::cell::RefCell;
use std::io::{self, Read};

use ekv_files::{Error, Result};
use ekv_model::{Body, ByteSource, CHUNK_LEN, Class};
use ekv_text::hex::hex;
use md5::{Digest, Md5};

use super::sidecar::Sidecar;
use crate::replay::ReplayFault;
use crate::replay::reading::DumpFile;
use ekv_files::source::read_error;

/// Longest content that is kept in memory, in bytes: what a server stores as one chunk.
const INLINE_LEN_MAX: u64 = 1 << 20;
/// Hex digits of an entity tag that is the MD5 of the content.
const MD5_HEX_LEN: usize = 32;

/// What the sidecar says about the content.
pub(super) struct Expected<'s> {
    pub(super) sidecar: &'s Sidecar,
    /// Path of the sidecar.
    pub(super) path: &'s [u8],
    /// Whether the entity tag may differ: a decode has told of such objects.
    pub(super) may_differ: bool,
}

impl Expected<'_> {
    /// `found`: length of the content in bytes.
    fn check_size(&self, found: u64) -> Result<()> {
        let Sidecar { size_bytes: stated, size_line: line, .. } = *self.sidecar;
        if found == stated {
            return Ok(());
        }
        Err(ReplayFault::ObjectSize { found, stated, sidecar: self.path.to_vec(), line }.into())
    }

    /// What is odd about the entity tag. Tags of multipart objects say nothing about the content.
    fn check_md5(&self, md5: Md5) -> Result<Option<String>> {
        let Sidecar { etag, etag_line, .. } = self.sidecar;
        if etag.len() != MD5_HEX_LEN || !etag.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let found = hex(&md5.finalize());
        if found.eq_ignore_ascii_case(etag) {
            return Ok(None);
        }
        if self.may_differ {
            return Ok(Some(format!("MD5 {found}, entity tag {etag}")));
        }
        let (stated, sidecar) = (etag.clone(), self.path.to_vec());
        Err(ReplayFault::ObjectEtag { found, stated, sidecar, line: *etag_line }.into())
    }
}

/// Hands the content of a file to `take`; `buffer` is used for small contents, which are checked before. Returns what is odd about
/// the entity tag.
pub(super) fn replay_content(
    file: &mut DumpFile<'_>,
    expected: &Expected<'_>,
    buffer: &mut Vec<u8>,
    take: &mut dyn FnMut(Body<'_>) -> Result<()>,
) -> Result<Option<String>> {
    let len = expected.sidecar.size_bytes;
    if len > INLINE_LEN_MAX {
        let content = OneWay {
            len,
            state: RefCell::new(OneWayState { file, at: 0, md5: Md5::new(), failure: None, is_short: false }),
        };
        let taken = take(Body::Streamed(&content));
        return content.state.into_inner().finish(taken, expected, buffer);
    }
    buffer.clear();
    file.by_ref().take(len.saturating_add(1)).read_to_end(buffer).map_err(read_error)?;
    let mut found = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
    if found > len {
        found = found.saturating_add(io::copy(file, &mut io::sink()).map_err(read_error)?);
    }
    expected.check_size(found)?;
    let odd = expected.check_md5(Md5::new_with_prefix(&buffer))?;
    take(Body::Inline(buffer))?;
    Ok(odd)
}

/// A content of any length that can be read once, from front to back.
struct OneWay<'f, 'd> {
    /// Length as the sidecar states it.
    len: u64,
    state: RefCell<OneWayState<'f, 'd>>,
}

struct OneWayState<'f, 'd> {
    file: &'f mut DumpFile<'d>,
    /// Bytes read so far.
    at: u64,
    md5: Md5,
    /// Why the last read failed.
    failure: Option<Error>,
    /// Whether more was asked for than there is.
    is_short: bool,
}

impl ByteSource for OneWay<'_, '_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        let mut state = self.state.borrow_mut();
        if offset != state.at {
            return Err(ekv_model::Error::new(Class::Data, "the body of a file can be read once, from front to back"));
        }
        let mut rest = buf;
        while !rest.is_empty() {
            match state.read(rest) {
                Ok(0) => {
                    state.is_short = true;
                    return Err(ekv_model::Error::new(Class::Data, "the body is shorter than its metadata says"));
                }
                Ok(len) => rest = rest.split_at_mut_checked(len).unwrap_or_default().1,
                Err(error) => {
                    state.failure = Some(error);
                    return Err(ekv_model::Error::new(Class::Environment, "the body cannot be read"));
                }
            }
        }
        Ok(())
    }
}

impl OneWayState<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        loop {
            match self.file.read(buf) {
                Ok(len) => {
                    self.md5.update(buf.get(..len).unwrap_or_default());
                    self.at = self.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                    return Ok(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(error)),
            }
        }
    }

    /// Reads what nobody asked for and makes the checks; what is wrong with the content counts before what its taker says.
    fn finish(mut self, taken: Result<()>, expected: &Expected<'_>, buffer: &mut Vec<u8>) -> Result<Option<String>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.is_short {
            return expected.check_size(self.at).map(|()| None);
        }
        taken?;
        buffer.resize(CHUNK_LEN, 0);
        while self.read(buffer)? > 0 {}
        expected.check_size(self.at)?;
        expected.check_md5(self.md5)
    }
}
