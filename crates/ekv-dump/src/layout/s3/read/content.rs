//! The content of an object, read once from front to back and compared with its sidecar.

use std::io::{self, Read};

use ekv_files::Result;
use ekv_model::Body;
use ekv_text::hex::hex;
use md5::{Digest, Md5};

use super::sidecar::Sidecar;
use crate::replay::ReplayFault;
use crate::replay::one_way::OneWay;
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
        let mut md5 = Md5::new();
        let mut watch = |piece: &[u8]| md5.update(piece);
        let content = OneWay::new(file, len, &mut watch);
        let taken = take(Body::Streamed(&content));
        expected.check_size(content.finish(taken)?)?;
        return expected.check_md5(md5);
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
