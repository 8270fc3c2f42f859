//! What extended headers of archives of files say.

use ekv_files::archive::{ArchiveFault, pax};

use super::comment::Comment;

/// What extended headers say of the next entry, or of all that follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    /// Unix nanoseconds.
    pub(super) mtime_nsec: Option<i64>,
    pub(super) atime_nsec: Option<i64>,
    pub(super) ctime_nsec: Option<i64>,
    pub(super) comment: Option<Comment>,
    /// Whether there are attributes that no file system of a store has.
    pub(super) has_attributes: bool,
    pub(super) sparse: Sparse,
}

/// What extended headers say of a sparse file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sparse {
    is_there: bool,
    /// Whether its map stands before its content.
    pub(super) is_map_in_front: bool,
    pub(super) file_len: Option<u64>,
    /// Offset and length of each part, in bytes.
    pub(super) runs: Vec<(u64, u64)>,
    /// The offset whose length follows.
    open: Option<u64>,
}

const ATTRIBUTES: [&[u8]; 5] =
    [b"SCHILY.xattr.", b"SCHILY.acl.", b"LIBARCHIVE.xattr.", b"RHT.security.", b"SCHILY.fflags"];
const NANOS: u32 = 9;

impl Extended {
    /// Takes the records of a header.
    pub(super) fn take_all(&mut self, records: &[u8]) -> Result<(), ArchiveFault> {
        self.sparse = Sparse::default();
        pax::for_each_record(records, &mut |(key, value)| self.take(key, value))
    }

    /// Whether it may stand for all entries that follow.
    pub(super) fn can_be_global(&self) -> bool {
        self.path.is_none() && self.link.is_none() && self.size.is_none() && !self.sparse.is_there
    }

    /// What it says of a sparse file, if it is one.
    pub(super) fn sparse(&mut self) -> Option<Sparse> {
        Some(std::mem::take(&mut self.sparse)).filter(|sparse| sparse.is_there)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), ArchiveFault> {
        let number = |field| whole(value).ok_or(ArchiveFault::Number { field });
        let time = || nanoseconds(value).ok_or(ArchiveFault::Number { field: "time" });
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number("size")?),
            b"uid" => self.uid = Some(number("owner")?),
            b"gid" => self.gid = Some(number("group")?),
            b"mtime" => self.mtime_nsec = Some(time()?),
            b"atime" => self.atime_nsec = Some(time()?),
            b"ctime" => self.ctime_nsec = Some(time()?),
            b"comment" => self.comment = Comment::parse(value),
            key if key.starts_with(b"GNU.sparse.") => {
                let Extended { sparse, path, .. } = self;
                sparse.is_there = true;
                sparse.take(key, value, path).ok_or(ArchiveFault::ExtendedHeader)?;
            }
            key => self.has_attributes |= ATTRIBUTES.iter().any(|beginning| key.starts_with(beginning)),
        }
        Ok(())
    }
}

impl Sparse {
    fn take(&mut self, key: &[u8], value: &[u8], path: &mut Option<Vec<u8>>) -> Option<()> {
        match key {
            b"GNU.sparse.name" => *path = Some(value.to_vec()),
            b"GNU.sparse.major" => self.is_map_in_front = whole(value)? == 1,
            // Of version 1 only 1.0 is known, of version 0 only 0.0 and 0.1.
            b"GNU.sparse.minor" => whole(value).filter(|minor| *minor <= 1).map(|_| ())?,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.file_len = Some(whole(value)?),
            b"GNU.sparse.offset" => self.open = Some(whole(value)?),
            b"GNU.sparse.numbytes" => self.runs.push((self.open.take()?, whole(value)?)),
            b"GNU.sparse.map" => {
                let mut numbers = value.split(|byte| *byte == b',').map(whole);
                while let Some(offset) = numbers.next() {
                    self.runs.push((offset?, numbers.next()??));
                }
            }
            // How many there are, the runs say themselves.
            b"GNU.sparse.numblocks" => {}
            _ => return None,
        }
        Some(())
    }
}

/// A whole number.
pub(super) fn whole(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// Seconds with a fraction, as nanoseconds; what is finer is cut off.
fn nanoseconds(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanos = (0..NANOS).zip(fraction.bytes().chain(std::iter::repeat(b'0')));
    let nanos = nanos.fold(0_i128, |nanos, (_, digit)| nanos * 10 + i128::from(digit - b'0'));
    let seconds = i128::from(whole(seconds.as_bytes())?);
    i64::try_from(sign * (seconds * 1_000_000_000 + nanos)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_with_any_fraction() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1795366554.51807513", Some(1_795_366_554_518_075_130)),
            ("1.0000000019", Some(1_000_000_001)),
            ("-1.5", Some(-1_500_000_000)),
            ("9223372036.854775807", Some(i64::MAX)),
            ("9223372036.854775808", None),
            ("", None),
            (".5", None),
            ("1.x", None),
            ("1e3", None),
            ("--1", None),
        ] {
            assert_eq!(nanoseconds(text.as_bytes()), expected, "{text}");
        }
    }
}
