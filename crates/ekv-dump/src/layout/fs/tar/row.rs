//! What is kept of an entry of an archive.

use ekv_model::fs::{CHUNK_SIZE, DIRECTORY, FILE, Inode};

/// What an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RowKind {
    #[default]
    File,
    Directory,
    /// A further name of a file.
    Link,
}

/// What is kept of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: RowKind,
    /// Inode; 0 if nobody says it.
    pub(super) id: u64,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Change of the content, access, change of anything; Unix nanoseconds.
    pub(super) times_nsec: [i64; 3],
    /// Length of the file, in bytes.
    pub(super) size: u64,
    /// Where its stored bytes begin in the archive, and how many there are.
    pub(super) content_offset: u64,
    pub(super) content_len: u64,
    /// Which parts of the file they are: the number of the first row of the list of all parts, and of rows; `None` = the whole file.
    pub(super) parts: Option<(u64, u64)>,
    /// Where the entry is in the archive.
    pub(super) offset: u64,
    /// How many names the file has; 0 while that is not known.
    pub(super) names: u32,
    /// Of a further name the path of another.
    pub(super) link: Vec<u8>,
}

const NUMBERS: usize = 15;

impl Row {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            RowKind::File => 0,
            RowKind::Directory => 1,
            RowKind::Link => 2,
        };
        let [mtime, atime, ctime] = self.times_nsec.map(i64::cast_unsigned);
        let (first, count) = self.parts.unwrap_or((0, u64::MAX));
        let numbers: [u64; NUMBERS] = [
            kind,
            self.id,
            self.mode.into(),
            self.uid.into(),
            self.gid.into(),
            mtime,
            atime,
            ctime,
            self.size,
            self.content_offset,
            self.content_len,
            first,
            count,
            self.offset,
            self.names.into(),
        ];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend_from_slice(&self.link);
        bytes
    }

    /// The reverse of [`Row::to_bytes`].
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut numbers = [0; NUMBERS];
        let mut rest = bytes;
        for number in &mut numbers {
            let Some((own, after)) = rest.split_first_chunk() else { break };
            *number = u64::from_le_bytes(*own);
            rest = after;
        }
        #[rustfmt::skip]
        let [kind, id, mode, uid, gid, mtime, atime, ctime, size, content_offset, content_len, first, count, offset, names] = numbers;
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Row {
            kind: match kind {
                0 => RowKind::File,
                1 => RowKind::Directory,
                _ => RowKind::Link,
            },
            id,
            mode: small(mode),
            uid: small(uid),
            gid: small(gid),
            times_nsec: [mtime, atime, ctime].map(u64::cast_signed),
            size,
            content_offset,
            content_len,
            parts: (count != u64::MAX).then_some((first, count)),
            offset,
            names: small(names),
            link: rest.to_vec(),
        }
    }

    /// What is stored of it, with so many names, or directories in it and 2.
    pub(super) fn inode(&self, nlink: u32) -> Inode<'static> {
        let [mtime_nsec, atime_nsec, ctime_nsec] = self.times_nsec;
        let is_directory = self.kind == RowKind::Directory;
        Inode {
            id: self.id,
            kind: if is_directory { DIRECTORY } else { FILE },
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            nlink,
            atime_nsec,
            mtime_nsec,
            ctime_nsec,
            generation: 1,
            chunk_size: CHUNK_SIZE,
            extra: "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_read_as_it_is_written() {
        let row = Row {
            kind: RowKind::Link,
            id: u64::MAX,
            mode: 1,
            uid: 2,
            gid: u32::MAX,
            times_nsec: [i64::MIN, -1, i64::MAX],
            size: 3,
            content_offset: 4,
            content_len: 5,
            parts: Some((6, 7)),
            offset: 8,
            names: 9,
            link: b"a/b".to_vec(),
        };
        assert_eq!(Row::parse(&row.to_bytes()), row);
        assert_eq!(Row::parse(&Row::default().to_bytes()), Row::default());
    }
}
