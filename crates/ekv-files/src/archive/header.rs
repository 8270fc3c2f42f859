//! The header block of an entry: ustar as POSIX has it, and what GNU tar makes of it.

use super::{ArchiveFault, BLOCK_LEN, Block};

const NAME: Field = Field { start: 0, len: 100 };
const MODE: Field = Field { start: 100, len: 8 };
const UID: Field = Field { start: 108, len: 8 };
const GID: Field = Field { start: 116, len: 8 };
const SIZE: Field = Field { start: 124, len: 12 };
const MTIME: Field = Field { start: 136, len: 12 };
const CHECKSUM: Field = Field { start: 148, len: 8 };
const TYPE: Field = Field { start: 156, len: 1 };
const LINK: Field = Field { start: 157, len: 100 };
const MAGIC: Field = Field { start: 257, len: 8 };
const DEV_MAJOR: Field = Field { start: 329, len: 8 };
const DEV_MINOR: Field = Field { start: 337, len: 8 };
const PREFIX: Field = Field { start: 345, len: 155 };

/// Where GNU tar has the beginning of a map of a sparse file, whether more of it follows, and the length of the file.
const SPARSE_RUNS: Field = Field { start: 386, len: 4 * SPARSE_RUN_LEN };
const SPARSE_GOES_ON: Field = Field { start: 482, len: 1 };
const SPARSE_FILE_LEN: Field = Field { start: 483, len: 12 };
/// The same in a block that continues a map.
const MORE_RUNS: Field = Field { start: 0, len: 21 * SPARSE_RUN_LEN };
const MORE_GOES_ON: Field = Field { start: 504, len: 1 };
/// Offset and length of a part of a sparse file, 12 bytes each.
const SPARSE_RUN_LEN: usize = 24;

/// `ustar` with the version of POSIX; what follows the name is the prefix.
const POSIX_MAGIC: &[u8; 8] = b"ustar\x0000";
/// `ustar` as GNU tar writes it; there is no prefix.
const GNU_MAGIC: &[u8; 8] = b"ustar  \0";

/// Permissions of a file and of a directory: those of a dump in a directory, so that whoever unpacks the archive with another program
/// shows it to nobody else.
const FILE_MODE: u64 = 0o600;
const DIRECTORY_MODE: u64 = 0o700;

/// Largest size and time that 11 octal digits hold.
pub const OCTAL_11_MAX: u64 = (1 << 33) - 1;

/// Largest owner and group that 7 octal digits hold.
pub const OCTAL_7_MAX: u64 = (1 << 21) - 1;

/// Longest name and longest target of a link in a header.
pub const NAME_LEN_MAX: usize = NAME.len;

/// Where a field lies in the block.
struct Field {
    start: usize,
    len: usize,
}

impl Field {
    fn of<'b>(&self, block: &'b [u8]) -> &'b [u8] {
        block.get(self.start..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
    }

    /// The bytes before the first NUL.
    fn text_of<'b>(&self, block: &'b [u8]) -> &'b [u8] {
        self.of(block).split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn put(&self, block: &mut [u8], bytes: &[u8]) {
        let len = self.len.min(bytes.len());
        let field = block.get_mut(self.start..).and_then(|rest| rest.get_mut(..len));
        if let (Some(field), Some(bytes)) = (field, bytes.get(..len)) {
            field.copy_from_slice(bytes);
        }
    }

    /// Writes `number` with leading zeros and a NUL behind it.
    fn put_octal(&self, block: &mut [u8], mut number: u64) {
        let mut digits = [0; 12];
        let digits = digits.get_mut(..self.len).unwrap_or_default();
        for digit in digits.iter_mut().rev().skip(1) {
            *digit = b'0' | u8::try_from(number & 7).unwrap_or_default();
            number >>= 3;
        }
        self.put(block, digits);
    }
}

/// Kinds of entries that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A further name of a file that came before.
    Link,
    /// An extended header for the next entry.
    Extended,
}

impl Kind {
    fn type_flag(self) -> u8 {
        match self {
            Kind::File => b'0',
            Kind::Directory => b'5',
            Kind::Link => b'1',
            Kind::Extended => b'x',
        }
    }
}

/// Makes headers: all that is the same in every header is written once.
pub struct HeaderMaker {
    template: Block,
}

impl HeaderMaker {
    /// Headers with this time, in Unix seconds, at most [`OCTAL_11_MAX`].
    pub fn new(modified_unix_s: u64) -> Self {
        let mut template = [0; BLOCK_LEN];
        for field in [UID, GID, DEV_MAJOR, DEV_MINOR] {
            field.put_octal(&mut template, 0);
        }
        MTIME.put_octal(&mut template, modified_unix_s);
        MAGIC.put(&mut template, POSIX_MAGIC);
        HeaderMaker { template }
    }

    /// A header without size and checksum; [`seal`] adds them. What does not fit into `name` and `prefix` is cut off.
    pub fn make(&self, kind: Kind, prefix: &[u8], name: &[u8]) -> Block {
        let mut block = self.template;
        NAME.put(&mut block, name);
        PREFIX.put(&mut block, prefix);
        MODE.put_octal(&mut block, if kind == Kind::Directory { DIRECTORY_MODE } else { FILE_MODE });
        TYPE.put(&mut block, &[kind.type_flag()]);
        block
    }
}

/// Whose an entry is, and what may be done with it; each at most what its field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Time of the last change, in Unix seconds.
    pub modified_unix_s: i64,
}

impl Attributes {
    /// Writes them into a header. What does not fit, and times before 1970, are 0.
    pub fn put(&self, block: &mut [u8]) {
        let fitting = |number: u64, max: u64| if number > max { 0 } else { number };
        MODE.put_octal(block, self.mode.into());
        UID.put_octal(block, fitting(self.uid, OCTAL_7_MAX));
        GID.put_octal(block, fitting(self.gid, OCTAL_7_MAX));
        MTIME.put_octal(block, fitting(u64::try_from(self.modified_unix_s).unwrap_or(0), OCTAL_11_MAX));
    }
}

/// Writes what an entry is a further name of; what does not fit is cut off.
pub fn put_link(block: &mut [u8], target: &[u8]) {
    LINK.put(block, target);
}

/// Adds size and checksum to a header. A size above [`OCTAL_11_MAX`] must be in an extended header and is 0 here.
pub fn seal(block: &mut [u8], size: u64) {
    SIZE.put_octal(block, if size > OCTAL_11_MAX { 0 } else { size });
    let sum = checksum(block);
    // Six digits, NUL, blank.
    let digits = Field { start: CHECKSUM.start, len: CHECKSUM.len - 1 };
    digits.put_octal(block, sum);
    Field { start: CHECKSUM.start + digits.len, len: 1 }.put(block, b" ");
}

/// Splits a path into prefix and name as a header holds them; `None` if it needs an extended header.
pub(super) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= NAME.len {
        return Some((&[], path));
    }
    // The first slash that leaves a short enough name gives the shortest prefix.
    let first = path.len().saturating_sub(NAME.len + 1);
    let slash = path.iter().skip(first).position(|byte| *byte == b'/')?.saturating_add(first);
    let (prefix, rest) = path.split_at_checked(slash)?;
    let name = rest.strip_prefix(b"/")?;
    (!prefix.is_empty() && prefix.len() <= PREFIX.len && !name.is_empty()).then_some((prefix, name))
}

/// The name for readers that do not know extended headers: the beginning of the path.
pub(super) fn stand_in(path: &[u8]) -> Vec<u8> {
    let ascii = path.iter().map(|byte| if byte.is_ascii() { *byte } else { b'_' });
    let mut name: Vec<u8> = ascii.take(NAME.len).collect();
    while name.last() == Some(&b'/') {
        name.pop();
    }
    name
}

/// The sum of all bytes, those of the checksum itself taken as blanks.
fn checksum(block: &[u8]) -> u64 {
    // 256 times 255 is the largest sum that fits.
    let short_sum = |bytes: &[u8]| u64::from(bytes.iter().map(|byte| u16::from(*byte)).sum::<u16>());
    let sum = |bytes: &[u8]| bytes.chunks(256).map(short_sum).sum::<u64>();
    let blanks = u64::from(b' ') * 8;
    sum(block).saturating_add(blanks).saturating_sub(sum(CHECKSUM.of(block)))
}

/// A header as it was read.
pub struct Header<'b> {
    block: &'b Block,
}

impl<'b> Header<'b> {
    /// Checks magic and checksum.
    ///
    /// # Errors
    /// A block that is no header, or a damaged one.
    pub fn parse(block: &'b Block) -> Result<Self, ArchiveFault> {
        match has_right_checksum(block) {
            true if has_magic(block) || is_old(block) => Ok(Header { block }),
            false if has_magic(block) => Err(ArchiveFault::HeaderChecksum),
            _ => Err(ArchiveFault::HeaderMagic),
        }
    }

    /// The byte that says what the entry is.
    pub fn type_flag(&self) -> u8 {
        TYPE.of(self.block).first().copied().unwrap_or_default()
    }

    /// Length of what follows, in bytes.
    ///
    /// # Errors
    /// A number that is none, or negative.
    pub fn size(&self) -> Result<u64, ArchiveFault> {
        number(SIZE.of(self.block))
    }

    /// Whose the entry is; a field without digits is 0.
    ///
    /// # Errors
    /// A number that is none.
    pub fn attributes(&self) -> Result<Attributes, ArchiveFault> {
        let of = |field: &Field, name| {
            let bytes = field.of(self.block);
            if bytes.iter().all(|byte| matches!(byte, b' ' | 0)) { Ok(0) } else { signed(bytes, name) }
        };
        let unsigned = |field, name| u64::try_from(of(field, name)?).map_err(|_| ArchiveFault::Number { field: name });
        Ok(Attributes {
            // Some programs write the bits of the type, too.
            mode: u32::try_from(unsigned(&MODE, "mode")? & 0o7777).unwrap_or_default(),
            uid: unsigned(&UID, "owner")?,
            gid: unsigned(&GID, "group")?,
            modified_unix_s: of(&MTIME, "time")?,
        })
    }

    /// What the entry is a further name of, as far as the field holds it.
    pub fn link(&self) -> &'b [u8] {
        LINK.text_of(self.block)
    }

    /// Length of a sparse file of GNU tar, and its map as far as it is in this block.
    ///
    /// # Errors
    /// A number that is none.
    pub fn sparse(&self) -> Result<(u64, SparseBlock), ArchiveFault> {
        let file_len = number(SPARSE_FILE_LEN.of(self.block))?;
        Ok((file_len, SparseBlock::of(&SPARSE_RUNS, &SPARSE_GOES_ON, self.block)?))
    }

    /// Appends the path.
    pub fn path(&self, out: &mut Vec<u8>) {
        if MAGIC.of(self.block) == POSIX_MAGIC {
            let prefix = PREFIX.text_of(self.block);
            if !prefix.is_empty() {
                out.extend_from_slice(prefix);
                out.push(b'/');
            }
        }
        out.extend_from_slice(NAME.text_of(self.block));
    }
}

/// A piece of a map of a sparse file of GNU tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparseBlock {
    /// Offset and length of each part, in bytes.
    pub runs: Vec<(u64, u64)>,
    /// Whether a block with more follows.
    pub goes_on: bool,
}

impl SparseBlock {
    /// Reads a block that continues a map.
    ///
    /// # Errors
    /// A number that is none.
    pub fn parse(block: &Block) -> Result<Self, ArchiveFault> {
        SparseBlock::of(&MORE_RUNS, &MORE_GOES_ON, block)
    }

    fn of(runs: &Field, goes_on: &Field, block: &Block) -> Result<Self, ArchiveFault> {
        let runs = runs.of(block).chunks_exact(SPARSE_RUN_LEN).take_while(|run| run.first() != Some(&0));
        let runs = runs.map(|run| {
            let (offset, len) = run.split_at_checked(SPARSE_RUN_LEN / 2).unwrap_or_default();
            Ok((number(offset)?, number(len)?))
        });
        Ok(SparseBlock { runs: runs.collect::<Result<_, ArchiveFault>>()?, goes_on: goes_on.of(block) != [0] })
    }
}

/// Whether a block claims to be a header, or is one that makes no claims.
pub(super) fn is_header(block: &[u8]) -> bool {
    has_magic(block) || is_old(block) && has_right_checksum(block)
}

fn has_magic(block: &[u8]) -> bool {
    let magic = MAGIC.of(block);
    magic == POSIX_MAGIC || magic == GNU_MAGIC
}

/// Whether there is nothing where ustar has its fields, device numbers aside, as in archives of Unix version 7 and in a volume label of
/// GNU tar.
fn is_old(block: &[u8]) -> bool {
    let names = Field { start: MAGIC.start, len: DEV_MAJOR.start - MAGIC.start };
    let is_zero = |field: Field| field.of(block).iter().all(|byte| *byte == 0);
    block.len() == BLOCK_LEN && is_zero(names) && is_zero(PREFIX)
}

fn has_right_checksum(block: &[u8]) -> bool {
    octal(CHECKSUM.of(block)) == Some(checksum(block))
}

/// A size: octal digits, or GNU's binary form with the first bit set.
fn number(field: &[u8]) -> Result<u64, ArchiveFault> {
    const NOT_A_NUMBER: ArchiveFault = ArchiveFault::Number { field: "size" };
    match field.split_first() {
        Some((0x80, rest)) => {
            let mut number = 0_u64;
            for byte in rest {
                let shifted = number.checked_mul(256).ok_or(NOT_A_NUMBER)?;
                number = shifted | u64::from(*byte);
            }
            i64::try_from(number).map_or(Err(NOT_A_NUMBER), |_| Ok(number))
        }
        Some((0xff, _)) => Err(ArchiveFault::NegativeSize),
        Some((b'-', _)) => Err(ArchiveFault::NegativeSize),
        _ => octal(field).ok_or(NOT_A_NUMBER),
    }
}

/// A number that may be negative, in GNU's binary form: two's complement.
fn signed(field: &[u8], name: &'static str) -> Result<i64, ArchiveFault> {
    let wide = match field.split_first() {
        // No field has more than 12 bytes.
        Some((0xff, rest)) => Some(rest.iter().fold(-1_i128, |wide, byte| wide.wrapping_shl(8) | i128::from(*byte))),
        _ => number(field).ok().map(i128::from),
    };
    wide.and_then(|wide| i64::try_from(wide).ok()).ok_or(ArchiveFault::Number { field: name })
}

/// Octal digits, with blanks before and blanks or NULs behind them.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|byte| *byte != b' ')?;
    let digits = field.get(start..)?;
    let end = digits.iter().position(|byte| matches!(byte, b' ' | 0)).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end)?;
    if digits.is_empty() || rest.iter().any(|byte| !matches!(byte, b' ' | 0)) {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_tar_programs_write_them() {
        let good: [(&[u8], u64); 8] = [
            (b"00000000000\0", 0),
            (b"00000001750\0", 1000),
            (b"   1750     ", 1000),
            (b"77777777777 ", OCTAL_11_MAX),
            (b"777777777777", (1 << 36) - 1),
            (b"\x80\0\0\0\0\0\0\0\0\0\0\x01", 1),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", 2 << 32),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", (1 << 63) - 1),
        ];
        for (field, expected) in good {
            assert_eq!(number(field), Ok(expected), "{}", field.escape_ascii());
        }
    }

    #[test]
    fn numbers_that_lie_are_refused() {
        let bad: [&[u8]; 10] = [
            b"\0\0\0\0\0\0\0\0\0\0\0\0",
            b"            ",
            b"0000000000a\0",
            b"00000000008\0",
            b"0000 0000\0\0\0",
            b"+0000000001\0",
            b"0x000000001\0",
            b"\x80\0\0\0\x80\0\0\0\0\0\0\0",
            b"\x80\x01\0\0\0\0\0\0\0\0\0\0",
            b"\x81\0\0\0\0\0\0\0\0\0\0\0",
        ];
        for field in bad {
            assert_eq!(number(field), Err(ArchiveFault::Number { field: "size" }), "{}", field.escape_ascii());
        }
        for field in [b"-0000000001\0", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(number(field), Err(ArchiveFault::NegativeSize));
        }
    }

    #[test]
    fn paths_are_split_where_both_parts_fit_and_only_then() {
        let (a, b, c) = ("a".repeat(100), "b".repeat(155), "c".repeat(156));
        let cases = [
            (a.clone(), Some((String::new(), a.clone()))),
            (format!("x/{a}"), Some(("x".to_owned(), a.clone()))),
            (format!("{b}/{a}"), Some((b.clone(), a.clone()))),
            (format!("{c}/{a}"), None),
            (format!("x/{a}a"), None),
            (format!("{a}a"), None),
            (format!("{b}/yy/{}", "a".repeat(97)), Some((b.clone(), format!("yy/{}", "a".repeat(97))))),
            ("caf\u{e9}".to_owned(), None),
        ];
        for (path, expected) in cases {
            let split = split(path.as_bytes()).map(|(prefix, name)| {
                (String::from_utf8(prefix.to_vec()).unwrap(), String::from_utf8(name.to_vec()).unwrap())
            });
            assert_eq!(split, expected, "{path}");
        }
    }

    #[test]
    fn stand_in_is_a_short_name_of_ascii_that_does_not_look_like_a_directory() {
        assert_eq!(stand_in("é/b".as_bytes()), b"__/b");
        assert_eq!(stand_in(format!("{}/b", "a".repeat(99)).as_bytes()), "a".repeat(99).as_bytes());
    }
}
