//! What CHECKSUMS says about one file.

use std::cmp::Ordering;
use std::io::BufRead;

use ekv_text::LineError;

use crate::checksums::{
    CHECKSUMS_FILE, CHECKSUMS_LINE_LEN_MAX, ChecksumLine, ChecksumsError, ChecksumsFault, ChecksumsReader, FileDigest,
    parse_line,
};
use crate::error::read_error;
use crate::{DumpPath, Error, Result};

/// Bytes of CHECKSUMS that are looked through line by line.
const STRETCH_LEN: u64 = 64 << 10;

/// Looks through all lines.
///
/// # Errors
/// If a line before that of the file is malformed, or the input fails.
pub(super) fn scan(input: impl BufRead, path: &DumpPath) -> Result<Option<FileDigest>> {
    let mut lines = ChecksumsReader::new(input);
    loop {
        match lines.next_line() {
            Ok(Some(line)) if line.path == *path => return Ok(Some(line.digest)),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(ChecksumsError { fault: ChecksumsFault::Line(LineError::Io(source)), .. }) => {
                return Err(read_error(source).or_at(CHECKSUMS_FILE.as_bytes(), None));
            }
            Err(error) => {
                return Err(Error::from(error.fault).at_line(error.line_number).or_at(CHECKSUMS_FILE.as_bytes(), None));
            }
        }
    }
}

/// Fills the buffer from an offset in CHECKSUMS.
pub(super) type ReadAt<'r> = &'r mut dyn FnMut(u64, &mut [u8]) -> Result<()>;

/// Searches CHECKSUMS, of `len` bytes, for the line of a file: by halves, as it is sorted by path unless somebody changed that. It begins where the
/// line would be if so great a share of all came before it: the first number of the second. What it does not find may still be there.
///
/// # Errors
/// Those of `read`.
pub(super) fn search(
    len: u64,
    share_before: Option<(u64, u64)>,
    path: &DumpPath,
    read: ReadAt<'_>,
) -> Result<Option<FileDigest>> {
    let mut left = Left { start: 0, end: len, len };
    let mut near = share_before.and_then(|(part, whole)| {
        u64::try_from(u128::from(len).checked_mul(part.into())?.checked_div(whole.into())?).ok()
    });
    let (mut step, mut last) = (STRETCH_LEN, None);
    while left.end.saturating_sub(left.start) > STRETCH_LEN {
        let at = near.unwrap_or_else(|| left.start.midpoint(left.end));
        let at = at.clamp(left.start, left.end.saturating_sub(1));
        let order = match left.line_from(at, read)? {
            Found::Line(line, _) if line.path == *path => return Ok(Some(line.digest)),
            Found::Line(line, next) if line.path < *path => {
                left.start = next;
                Ordering::Less
            }
            Found::Line(..) | Found::Nothing => {
                left.end = at;
                Ordering::Greater
            }
            Found::Malformed => return Ok(None),
        };
        // Steps that grow, until it lies between two of them.
        let has_passed = last.is_some_and(|last| last != order);
        near = near.filter(|_| !has_passed).and_then(|_| match order {
            Ordering::Less => at.checked_add(step).filter(|next| *next < left.end),
            _ => at.checked_sub(step).filter(|next| *next > left.start),
        });
        (step, last) = (step.saturating_mul(2), Some(order));
    }
    left.look_through(path, read)
}

/// Where the line can begin, if it is there: at or behind the start, which is the beginning of a line, and before the end.
struct Left {
    start: u64,
    end: u64,
    len: u64,
}

/// What is at an offset.
enum Found {
    /// A line, and where the next one begins.
    Line(ChecksumLine, u64),
    /// No line begins there or behind it.
    Nothing,
    /// Something that is no line.
    Malformed,
}

impl Left {
    /// Looks at all lines that are left.
    fn look_through(&self, path: &DumpPath, read: ReadAt<'_>) -> Result<Option<FileDigest>> {
        let line_len = u64::try_from(CHECKSUMS_LINE_LEN_MAX).unwrap_or(u64::MAX);
        let end = self.end.saturating_add(line_len).min(self.len);
        let mut lines = vec![0; usize::try_from(end.saturating_sub(self.start)).unwrap_or(0)];
        read(self.start, &mut lines)?;
        let lines = lines.split(|byte| *byte == b'\n').map_while(|line| parse_line(line).ok());
        Ok(lines.take_while(|line| line.path <= *path).find(|line| line.path == *path).map(|line| line.digest))
    }

    /// The first line that begins at or behind an offset.
    fn line_from(&self, at: u64, read: ReadAt<'_>) -> Result<Found> {
        // The byte before tells whether a line begins here.
        let from = if at > self.start { at.saturating_sub(1) } else { at };
        let two_lines = u64::try_from(CHECKSUMS_LINE_LEN_MAX).unwrap_or(u64::MAX).saturating_mul(2);
        let stretch_len = usize::try_from(self.len.saturating_sub(from).min(two_lines)).unwrap_or(usize::MAX);
        let mut stretch = vec![0; stretch_len];
        read(from, &mut stretch)?;
        let line_end = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n');
        let skipped = match at > self.start {
            true => match line_end(&stretch) {
                Some(end) => end.saturating_add(1),
                None if from.saturating_add(two_lines) >= self.len => return Ok(Found::Nothing),
                None => return Ok(Found::Malformed),
            },
            false => 0,
        };
        let line_start = from.saturating_add(u64::try_from(skipped).unwrap_or(u64::MAX));
        if line_start >= self.end {
            return Ok(Found::Nothing);
        }
        let rest = stretch.get(skipped..).unwrap_or_default();
        let Some((line, len)) = line_end(rest).and_then(|end| Some((rest.get(..end)?, end.checked_add(1)?))) else {
            return Ok(Found::Malformed);
        };
        let next = line_start.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(parse_line(line).map_or(Found::Malformed, |line| Found::Line(line, next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksums::write_line;

    fn search_in(text: &[u8], share: Option<(u64, u64)>, path: &str) -> (Option<FileDigest>, usize) {
        let mut reads = 0;
        let read: ReadAt<'_> = &mut |offset, buf: &mut [u8]| {
            reads += 1;
            let start = usize::try_from(offset).unwrap();
            buf.copy_from_slice(&text[start..][..buf.len()]);
            Ok(())
        };
        let path = DumpPath::new(path.as_bytes()).unwrap();
        let found = search(u64::try_from(text.len()).unwrap(), share, &path, read).unwrap();
        assert!(found.is_none() || found == scan(text, &path).unwrap(), "both ways find the same");
        (found, reads)
    }

    fn digest(number: u32) -> FileDigest {
        let mut digest = [7; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn every_line_is_found_from_any_guess_and_nothing_else() {
        let name = |number: u32| {
            let long = if number.is_multiple_of(17) { "/long".repeat(2_000) } else { String::new() };
            format!("f{number:05}{long}")
        };
        let mut text = Vec::new();
        (0..3_000).for_each(|number| write_line(&digest(number), name(number).as_bytes(), &mut text));
        for number in (0..3_000).step_by(7).chain([1, 2_998, 2_999]) {
            for share in
                [None, Some((u64::from(number), 3_000)), Some((0, 1)), Some((1, 1)), Some((9, 1)), Some((1, 0))]
            {
                assert_eq!(search_in(&text, share, &name(number)).0, Some(digest(number)), "{number}");
            }
            assert_eq!(search_in(&text, Some((1, 2)), &format!("{}x", name(number))).0, None);
        }
        assert_eq!(search_in(&text, None, "a").0, None);
        assert_eq!(search_in(&text, None, "z").0, None);
    }

    #[test]
    fn good_guess_costs_a_few_reads_near_it() {
        let mut text = Vec::new();
        (0..100_000_u32).for_each(|number| write_line(&digest(number), format!("f{number:06}").as_bytes(), &mut text));
        let (found, reads) = search_in(&text, Some((49_950, 100_000)), "f050000");
        assert_eq!(found, Some(digest(50_000)));
        assert!(reads <= 4, "{reads}");
    }

    #[test]
    fn lines_in_no_order_and_malformed_ones_are_left_to_the_scan() {
        let mut text = Vec::new();
        for number in [5_u32, 3, 9, 1].into_iter().cycle().take(4_000) {
            write_line(&digest(number), format!("f{number}").as_bytes(), &mut text);
        }
        assert_eq!(scan(&text[..], &DumpPath::new(b"f1").unwrap()).unwrap(), Some(digest(1)));
        search_in(&text, None, "f1");
        let malformed = vec![b'x'; 200_000];
        assert_eq!(
            search(200_000, None, &DumpPath::new(b"f1").unwrap(), &mut |_, buf| {
                buf.fill(b'x');
                Ok(())
            })
            .unwrap(),
            None
        );
        assert!(scan(&malformed[..], &DumpPath::new(b"f1").unwrap()).is_err());
    }
}
