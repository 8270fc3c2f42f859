//! One object, or a part of one, on its way: what a thread does that has a connection.

use std::io;

use ekv_aws::s3::{self, Attributes, Part, Put, Range};
use ekv_aws::{Client, Content, Error, FaultKind, sha256};

/// How often a piece is read back that breaks off.
const READ_TRIES: u32 = 5;
/// How much is read back at a time, in bytes.
const READ_LEN: usize = 64 << 10;

/// An object in one piece.
pub(crate) struct Whole {
    /// Place in the order of the source.
    pub(crate) number: u64,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) attributes: Attributes,
    /// Length in bytes.
    pub(crate) len: u64,
    pub(crate) content: Vec<u8>,
    /// Whether a run before may have written it.
    pub(crate) is_in_doubt: bool,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is there as it is to be.
    New,
    /// There is another one of its key, and it stays.
    Existed,
}

/// Writes an object. One that is there already counts as written if it may have been written for this load, and is the same.
pub(crate) fn write_whole(client: &Client, whole: &Whole) -> Result<Written, Error> {
    let Whole { bucket, key, attributes, len, content, is_in_doubt, .. } = whole;
    let done = s3::put_object(client, bucket, key, attributes, Content::Bytes(content))?;
    match done.value {
        Put::Written { .. } => Ok(Written::New),
        Put::Exists if done.is_unsure || *is_in_doubt => {
            settled_by(is_same(client, bucket, key, *len, *len, &[sha256(content)])?)
        }
        Put::Exists => Ok(Written::Existed),
    }
}

/// An upload in parts that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) len: u64,
    pub(crate) part_len: u64,
    pub(crate) must_be_new: bool,
    /// Whether a run before may have written the object.
    pub(crate) is_in_doubt: bool,
}

impl Upload {
    /// Sends a part; parts are numbered from 1.
    pub(crate) fn send_part(&self, client: &Client, number: u32, content: &[u8]) -> Result<(Part, [u8; 32]), Error> {
        let part = s3::upload_part(client, &self.bucket, &self.key, &self.id, number, Content::Bytes(content))?;
        Ok((part, sha256(content)))
    }

    /// Makes an object of its parts, in ascending order. An upload that did not become the object is forgotten.
    pub(crate) fn complete(&self, client: &Client, parts: &[(Part, [u8; 32])]) -> Result<Written, Error> {
        let Upload { bucket, key, id, len, part_len, must_be_new, is_in_doubt } = self;
        let (parts, sums): (Vec<Part>, Vec<[u8; 32]>) = parts.iter().cloned().unzip();
        let is_there = || is_same(client, bucket, key, *len, *part_len, &sums);
        let written = match s3::complete_upload(client, bucket, key, id, &parts, *must_be_new) {
            Ok(done) => match done.value {
                Put::Written { .. } => return Ok(Written::New),
                Put::Exists if done.is_unsure || *is_in_doubt => is_there().and_then(settled_by),
                Put::Exists => Ok(Written::Existed),
            },
            // An upload that is gone may be gone because it was completed.
            Err(error) if error.is_unsure() => {
                is_there().and_then(|is_there| if is_there { Ok(Written::New) } else { Err(error) })
            }
            Err(error) => Err(error),
        };
        self.abort(client).and(written)
    }

    /// Has the service forget its parts.
    pub(crate) fn abort(&self, client: &Client) -> Result<(), Error> {
        s3::abort_upload(client, &self.bucket, &self.key, &self.id)
    }
}

fn settled_by(is_same: bool) -> Result<Written, Error> {
    Ok(if is_same { Written::New } else { Written::Existed })
}

/// Reads an object back; whether it has this length, and pieces of `piece_len` bytes (the last one less) with these SHA-256.
pub(crate) fn is_same(
    client: &Client,
    bucket: &str,
    key: &str,
    len: u64,
    piece_len: u64,
    sums: &[[u8; 32]],
) -> Result<bool, Error> {
    let Some(there) = s3::head_object(client, bucket, key)? else { return Ok(false) };
    if there.len != len {
        return Ok(false);
    }
    let mut at = 0_u64;
    for sum in sums {
        let end = at.saturating_add(piece_len).min(len);
        if at < end && sum_of(client, bucket, key, at..end, &there.etag)? != Some(*sum) {
            return Ok(false);
        }
        at = end;
    }
    Ok(true)
}

/// SHA-256 of a piece of an object; `None` if the object is gone or another one by now.
pub(crate) fn sum_of(
    client: &Client,
    bucket: &str,
    key: &str,
    piece: std::ops::Range<u64>,
    etag: &str,
) -> Result<Option<[u8; 32]>, Error> {
    use sha2::{Digest as _, Sha256};
    let range = Range::Bytes(piece.start, piece.end.saturating_sub(1));
    let mut last = String::new();
    for _ in 0..READ_TRIES {
        let object = match s3::get_object(client, bucket, key, range, Some(etag)) {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(None),
            Err(error) if error.fault().is_some_and(|fault| fault.kind() == FaultKind::Exists) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (mut sum, mut len, mut body, mut buffer) = (Sha256::new(), 0_u64, object.body, vec![0; READ_LEN]);
        let wanted = piece.end.saturating_sub(piece.start);
        let broke_off = loop {
            match body.read(&mut buffer) {
                Ok(0) if len == wanted => return Ok(Some(sum.finalize().into())),
                Ok(0) => break io::Error::from(io::ErrorKind::UnexpectedEof),
                Ok(read) => {
                    sum.update(buffer.get(..read).unwrap_or_default());
                    len = len.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                }
                Err(error) => break error,
            }
        };
        last = broke_off.to_string();
    }
    Err(Error::Exhausted { call: "GetObject", tries: READ_TRIES, last, is_unsure: false })
}
