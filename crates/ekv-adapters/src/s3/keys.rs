//! User keys of S3 records, read and built. Source: `docs/format/s3.md`, section 2.
//!
//! Names stand in keys as segments ([`ekv_text::ordered`]). Numbers are 8 bytes, big-endian.

use ekv_text::hex::{HexCase, parse_lower_hex_array, push_hex};
use ekv_text::ordered;
pub(crate) use ekv_text::ordered::{push_segment, push_segment_beginning, unescape};

use crate::Family;

/// SHA-256 of a chunk.
pub(crate) type ChunkDigest = [u8; 32];

/// A user key that is not laid out as its family demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedKey;

fn split_segment(rest: &[u8]) -> Result<(&[u8], &[u8]), MalformedKey> {
    ordered::split_segment(rest).ok_or(MalformedKey)
}

/// The smallest bytes above all that begin with a segment.
pub(crate) fn beyond_segment(segment: &[u8]) -> Option<Vec<u8>> {
    let (last, front) = segment.split_last()?;
    Some([front, &[last.saturating_add(1)]].concat())
}

fn push_u64(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn split_u64(rest: &[u8]) -> Result<(u64, &[u8]), MalformedKey> {
    let (number, rest) = rest.split_first_chunk().ok_or(MalformedKey)?;
    Ok((u64::from_be_bytes(*number), rest))
}

/// A key of the bucket families behind the prefix: the segment of a bucket name and nothing else.
///
/// Bucket names are not empty, and text without NUL, so that the dump can say them; the server accepts no others.
pub(crate) fn parse_bucket(rest: &[u8]) -> Result<&[u8], MalformedKey> {
    match split_bucket(rest)? {
        (bucket, []) => Ok(bucket),
        _ => Err(MalformedKey),
    }
}

/// Segment of the bucket that a key of any family but that of chunk blobs begins with.
pub(crate) fn bucket_of(rest: &[u8]) -> Option<&[u8]> {
    split_bucket(rest).ok().map(|(bucket, _)| bucket)
}

fn split_bucket(rest: &[u8]) -> Result<(&[u8], &[u8]), MalformedKey> {
    let (bucket, tail) = split_segment(rest)?;
    match bucket {
        [_, _] => Err(MalformedKey),
        _ if std::str::from_utf8(bucket).is_err() => Err(MalformedKey),
        _ => Ok((bucket, tail)),
    }
}

/// What every key of an object begins with: bucket, generation, object. Borrowed from a key, without its family prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ObjectKey<'k> {
    /// All three as they stand in the key; equal for all records of the object.
    pub(crate) group: &'k [u8],
    /// Segment of the bucket name.
    pub(crate) bucket: &'k [u8],
    pub(crate) generation: u64,
    /// Segment of the object key.
    pub(crate) object: &'k [u8],
}

impl<'k> ObjectKey<'k> {
    fn split(rest: &'k [u8]) -> Result<(Self, &'k [u8]), MalformedKey> {
        let (bucket, tail) = split_bucket(rest)?;
        let (generation, tail) = split_u64(tail)?;
        let (object, tail) = split_segment(tail)?;
        let group = rest.get(..rest.len().saturating_sub(tail.len())).unwrap_or(rest);
        Ok((ObjectKey { group, bucket, generation, object }, tail))
    }

    /// What all keys of the object begin with, from any of its keys.
    pub(crate) fn group_of(rest: &'k [u8]) -> Option<&'k [u8]> {
        Self::split(rest).ok().map(|(key, _)| key.group)
    }

    /// A key of [`Family::S3Object`] behind the prefix; also a group.
    pub(crate) fn parse(rest: &'k [u8]) -> Result<Self, MalformedKey> {
        match Self::split(rest)? {
            (key, []) => Ok(key),
            _ => Err(MalformedKey),
        }
    }
}

/// Names of the bucket and, if there is one, of the object to which a key of any family but that of chunk blobs belongs.
pub(crate) fn names_of(family: Family, rest: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    match family {
        Family::S3ChunkBlob | Family::S3Route => None,
        Family::S3Bucket | Family::S3Generation => bucket_of(rest).map(|bucket| (unescape(bucket), None)),
        _ => {
            let (object, _) = ObjectKey::split(rest).ok()?;
            Some((unescape(object.bucket), Some(unescape(object.object))))
        }
    }
}

/// A key of [`Family::S3Upload`] or [`Family::S3UploadPart`] behind the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UploadKey<'k> {
    pub(crate) object: ObjectKey<'k>,
    /// Segment of the upload id.
    pub(crate) upload: &'k [u8],
    /// Number of the part, in the family of parts.
    pub(crate) part_no: Option<u64>,
}

impl<'k> UploadKey<'k> {
    pub(crate) fn parse(family: Family, rest: &'k [u8]) -> Result<Self, MalformedKey> {
        let (object, tail) = ObjectKey::split(rest)?;
        let (upload, tail) = split_segment(tail)?;
        let (part_no, tail) = match family {
            Family::S3UploadPart => split_u64(tail).map(|(part_no, tail)| (Some(part_no), tail))?,
            _ => (None, tail),
        };
        if tail.is_empty() { Ok(UploadKey { object, upload, part_no }) } else { Err(MalformedKey) }
    }
}

/// A key of [`Family::S3Blob`] or [`Family::S3ChunkRef`] behind the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkKey<'k> {
    pub(crate) object: ObjectKey<'k>,
    /// Segment of the upload id.
    pub(crate) upload: &'k [u8],
    pub(crate) place: ChunkPlace,
}

/// Where in an upload a chunk belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkPlace {
    pub(crate) part_no: u64,
    pub(crate) chunk_no: u64,
    /// 0 is not written into the key.
    pub(crate) version: u64,
}

impl<'k> ChunkKey<'k> {
    /// A version 0 that is written out is malformed: no server writes it, and it would be a second record of the same chunk.
    pub(crate) fn parse(rest: &'k [u8]) -> Result<Self, MalformedKey> {
        let (object, tail) = ObjectKey::split(rest)?;
        let (upload, tail) = split_segment(tail)?;
        let (part_no, tail) = split_u64(tail)?;
        let (chunk_no, tail) = split_u64(tail)?;
        let version = match tail {
            [] => 0,
            _ => match split_u64(tail)? {
                (version @ 1.., []) => version,
                _ => return Err(MalformedKey),
            },
        };
        Ok(ChunkKey { object, upload, place: ChunkPlace { part_no, chunk_no, version } })
    }
}

/// Writes the key of a chunk into `out`; `group` is that of its object, `upload` a segment.
pub(crate) fn put_chunk(out: &mut Vec<u8>, family: Family, group: &[u8], upload: &[u8], place: ChunkPlace) {
    out.clear();
    out.extend_from_slice(family.prefix());
    out.extend_from_slice(group);
    out.extend_from_slice(upload);
    push_u64(place.part_no, out);
    push_u64(place.chunk_no, out);
    if place.version != 0 {
        push_u64(place.version, out);
    }
}

/// Writes the key of a record of a bucket into `out`.
pub(crate) fn put_bucket(out: &mut Vec<u8>, family: Family, bucket_name: &str) {
    out.clear();
    out.extend_from_slice(family.prefix());
    push_segment(bucket_name.as_bytes(), out);
}

/// Writes what every key of an object begins with behind its prefix into `out`: bucket, generation, object.
pub(crate) fn put_group(out: &mut Vec<u8>, bucket_name: &str, generation: u64, object_key: &[u8]) {
    out.clear();
    push_segment(bucket_name.as_bytes(), out);
    push_u64(generation, out);
    push_segment(object_key, out);
}

/// Writes the key of an object's record into `out`; `group` is that of the object.
pub(crate) fn put_object(out: &mut Vec<u8>, group: &[u8]) {
    out.clear();
    out.extend_from_slice(Family::S3Object.prefix());
    out.extend_from_slice(group);
}

/// Writes what all object heads of a generation begin with; `bucket` is a segment.
pub(crate) fn put_generation(out: &mut Vec<u8>, family: Family, bucket: &[u8], generation: u64) {
    out.clear();
    out.extend_from_slice(family.prefix());
    out.extend_from_slice(bucket);
    push_u64(generation, out);
}

/// A key of [`Family::S3ChunkBlob`] behind the prefix.
pub(crate) fn parse_digest(rest: &[u8]) -> Result<ChunkDigest, MalformedKey> {
    parse_lower_hex_array(rest).ok_or(MalformedKey)
}

/// Writes the key of a chunk blob into `out`.
pub(crate) fn put_chunk_blob(out: &mut Vec<u8>, digest: &ChunkDigest) {
    out.clear();
    out.extend_from_slice(Family::S3ChunkBlob.prefix());
    push_hex(digest, HexCase::Lower, out);
}

#[cfg(test)]
mod tests;
