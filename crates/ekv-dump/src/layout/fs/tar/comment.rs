//! What tar has no fields for, as the comment of an entry. Source: `docs/format/fs.md`, section 8.

use ekv_model::fs::Inode;

/// What stands before it, so that nobody else's comment is taken for it.
const MARK: &str = "ekv";

/// What is stored of an inode, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) mode: u32,
    /// Change of the content, access, change of anything; Unix nanoseconds.
    pub(super) times_nsec: [i64; 3],
}

impl Comment {
    pub(super) fn of(inode: &Inode<'_>) -> Self {
        let Inode { id, mode, mtime_nsec, atime_nsec, ctime_nsec, .. } = *inode;
        Comment { id, mode, times_nsec: [mtime_nsec, atime_nsec, ctime_nsec] }
    }

    pub(super) fn to_text(self) -> String {
        let Comment { id, mode, times_nsec: [mtime, atime, ctime] } = self;
        format!("{MARK} inode={id:016x} mode={mode:04o} mtime_nsec={mtime} atime_nsec={atime} ctime_nsec={ctime}")
    }

    /// Reads a comment; `None` if it is anybody else's.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let words: Vec<&str> = std::str::from_utf8(text).ok()?.split(' ').collect();
        let [MARK, id, mode, mtime, atime, ctime] = words.as_slice() else { return None };
        let comment = Comment {
            id: u64::from_str_radix(id.strip_prefix("inode=")?, 16).ok()?,
            mode: u32::from_str_radix(mode.strip_prefix("mode=")?, 8).ok()?,
            times_nsec: [
                mtime.strip_prefix("mtime_nsec=")?.parse().ok()?,
                atime.strip_prefix("atime_nsec=")?.parse().ok()?,
                ctime.strip_prefix("ctime_nsec=")?.parse().ok()?,
            ],
        };
        // In the one way to write it.
        (comment.to_text().as_bytes() == text).then_some(comment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comment_is_read_as_it_is_written_and_nothing_else_is_one() {
        for (mode, time) in [(0, 0), (0o755, -1), (0o107_777, i64::MIN), (u32::MAX, i64::MAX)] {
            let comment = Comment { id: u64::MAX, mode, times_nsec: [time, 5, -5] };
            assert_eq!(Comment::parse(comment.to_text().as_bytes()), Some(comment));
        }
        let good = "ekv inode=0000000000000001 mode=0755 mtime_nsec=1 atime_nsec=2 ctime_nsec=3";
        assert!(Comment::parse(good.as_bytes()).is_some());
        for bad in ["", "ekv", "a git hash", &good[1..], &good[..good.len() - 1], &good.replace("0755", "755")] {
            assert_eq!(Comment::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Comment::parse(good.replace("=1 ", "=+1 ").as_bytes()), None);
    }
}
