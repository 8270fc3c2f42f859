//! Records in any order, written as a snapshot, and as the payload of an in-memory store.
//!
//! Source: `docs/format/snapshot.md`, sections 3 to 5.1; `docs/format/redis.md` and `docs/format/s3.md`, section 2.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// Unix milliseconds of the commits.
pub(super) const NOW_MS: u64 = 1_795_359_405_983;
pub(super) const COMMIT_TS: u64 = NOW_MS << 16;
/// A hundred days before: between the raw keys of that time and of [`COMMIT_TS`] there is room for names that begin with
/// [`BETWEEN`] and go on from the same key.
pub(super) const OLD_TS: u64 = COMMIT_TS - (1 << 50);
/// Bytes of a name that sort between an inverted timestamp of now and one of then.
pub(super) const BETWEEN: [u8; 2] = [0xfe, 0x5e];

/// User keys with their commit timestamps and bodies.
#[derive(Default)]
pub(super) struct Records(Vec<(Vec<u8>, Vec<u8>)>);

impl Records {
    pub(super) fn put(&mut self, key: &[&[u8]], commit_ts: u64, body: &[&[u8]]) {
        let raw_key = [&key.concat()[..], &(!commit_ts).to_be_bytes()].concat();
        self.0.push((raw_key, [&[0; 9][..], &body.concat()].concat()));
    }

    /// A string, and its row in the index of expiries.
    pub(super) fn expiring_string(&mut self, name: &[u8], commit_ts: u64) {
        self.put(&[b"!redis|str|", name], commit_ts, &[&[0xff, 1, 0], b"value"]);
        self.expiry(name, commit_ts);
    }

    pub(super) fn expiry(&mut self, name: &[u8], commit_ts: u64) {
        self.put(&[b"!redis|ttl|", name], commit_ts, &[&(NOW_MS + 1_000_000_000).to_be_bytes()]);
    }

    pub(super) fn hash(&mut self, name: &[u8], fields: &[Vec<u8>]) {
        let counted = [&len32(name), name].concat();
        for field in fields {
            self.put(&[b"!hs|fld|", &counted, field], COMMIT_TS, &[b"0123456789"]);
        }
        let len = u64::try_from(fields.len()).unwrap_or(u64::MAX);
        self.put(&[b"!hs|meta|", &counted], COMMIT_TS, &[&len.to_be_bytes()]);
    }

    /// A list whose record claims more items than there are.
    pub(super) fn list(&mut self, name: &[u8]) {
        self.put(&[b"!lst|itm|", name, &(1_u64 << 63).to_be_bytes()], COMMIT_TS, &[b"item"]);
        let claimed = (1_u64 << 62).to_be_bytes();
        self.put(&[b"!lst|meta|", name], COMMIT_TS, &[&[0; 8], &claimed, &claimed]);
    }

    pub(super) fn bucket(&mut self, name: &str) {
        let json = format!(r#"{{"bucket_name":"{name}","generation":1,"created_at_hlc":{COMMIT_TS}}}"#);
        self.put(&[b"!s3|bucket|meta|", name.as_bytes(), &[0, 1]], COMMIT_TS, &[json.as_bytes()]);
    }

    /// An object of one byte.
    pub(super) fn object(&mut self, bucket: &str, key: &str) {
        const UPLOAD: &str = "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu";
        const MD5_OF_X: &str = "9dd4e461268c8034f5c8564e155c67a6";
        let one = 1_u64.to_be_bytes();
        let place = [bucket.as_bytes(), &[0, 1], &one, key.as_bytes(), &[0, 1]].concat();
        let json = format!(
            r#"{{"upload_id":"{UPLOAD}","etag":"{MD5_OF_X}","size_bytes":1,"last_modified_hlc":{COMMIT_TS},"parts":[{{"part_no":1,"chunk_count":1,"chunk_sizes":[1]}}]}}"#
        );
        self.put(&[b"!s3|obj|head|", &place], COMMIT_TS, &[json.as_bytes()]);
        self.put(&[b"!s3|blob|", &place, UPLOAD.as_bytes(), &[0, 1], &one, &[0; 8]], COMMIT_TS, &[b"x"]);
    }

    /// The bytes of a snapshot with header and footer.
    pub(super) fn into_snapshot(mut self) -> Vec<u8> {
        self.0.sort();
        let mut out =
            [b"EKVTHLC1", &(NOW_MS + 10_000).to_be_bytes()[..], b"EKVPBBL1", &COMMIT_TS.to_le_bytes()].concat();
        for part in self.0.iter().flat_map(|(key, value)| [key, value]) {
            out.extend_from_slice(&len64(part));
            out.extend_from_slice(part);
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }
}

/// The payload of an in-memory store: one key and many versions without a value.
pub(super) fn versions_of_one_key(key_len: usize, versions: u64) -> Vec<u8> {
    let key = vec![b'k'; key_len];
    let mut body = [&COMMIT_TS.to_le_bytes()[..], &[0; 8], &len64(&key), &key, &versions.to_le_bytes()].concat();
    for version in 0..versions {
        body.extend_from_slice(&(version + 1).to_le_bytes());
        body.extend_from_slice(&[0; 17]);
    }
    [&b"EKVMVCC2"[..], &1_u32.to_le_bytes(), &crc32_ieee(&body).to_le_bytes(), &body].concat()
}

/// CRC-32 as in zip files, bit by bit: there are few bytes.
fn crc32_ieee(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<u64, Error> {
    fs::write(path, bytes).map_err(Error::io(path))?;
    Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

fn len64(bytes: &[u8]) -> [u8; 8] {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes()
}

fn len32(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_that_of_zip_files() {
        assert_eq!(crc32_ieee(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn names_between_the_timestamps_sort_between_them() {
        let [now, then] = [COMMIT_TS, OLD_TS].map(|ts| (!ts).to_be_bytes());
        let name = [BETWEEN; 4].concat();
        assert!(now.as_slice() < name.as_slice() && name.as_slice() < then.as_slice());
    }
}
