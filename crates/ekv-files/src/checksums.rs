//! CHECKSUMS: one line per file, as `sha256sum` writes and checks it.
//!
//! Source: `docs/format/tree.md`, section 7.

use std::io::BufRead;

use ekv_text::hex::{HexCase, parse_lower_hex_array, push_hex};
use ekv_text::{LineError, Lines};

use crate::{DumpPath, PathError};

/// Name of the file in the root of the dump.
pub const CHECKSUMS_FILE: &str = "CHECKSUMS";

/// Longest line in bytes.
pub const CHECKSUMS_LINE_LEN_MAX: usize = 16 << 10;

/// Hex digits of a digest.
const HEX_LEN: usize = 64;

/// A SHA-256 digest.
pub type FileDigest = [u8; 32];

/// Appends the line of a file, line feed included.
///
/// `path` is relative to the root, with `/` between components; any bytes except NUL.
pub fn write_line(digest: &FileDigest, path: &[u8], out: &mut Vec<u8>) {
    let needs_escape = path.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\\'));
    if needs_escape {
        out.push(b'\\');
    }
    push_hex(digest, HexCase::Lower, out);
    out.extend_from_slice(b"  ");
    match needs_escape {
        true => path.iter().for_each(|byte| match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => out.push(*byte),
        }),
        false => out.extend_from_slice(path),
    }
    out.push(b'\n');
}

/// A line: what the file at `path` must hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChecksumLine {
    /// The digest.
    pub digest: FileDigest,
    /// The path, unescaped.
    pub path: DumpPath,
}

/// Why a CHECKSUMS file is refused.
#[derive(Debug, thiserror::Error)]
#[error("line {line_number} of CHECKSUMS is refused")]
pub struct ChecksumsError {
    /// Number of the line, from 1.
    pub line_number: u64,
    /// What is wrong with it.
    #[source]
    pub fault: ChecksumsFault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChecksumsFault {
    /// No whole line could be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Not 64 lowercase hex digits, two blanks (or a blank and `*`), and a path; among others a blank line.
    #[error("it is not 64 lowercase hex digits, two blanks and a path")]
    Form,
    /// The line ends in a carriage return.
    #[error("the line ends in a carriage return: the file was changed to Windows line ends")]
    CarriageReturn,
    /// An escape other than `\n`, `\r`, `\\`.
    #[error("the path has an unknown escape")]
    Escape,
    /// A path that is absolute, or has an empty, `.` or `..` component, or NUL.
    #[error("the path is not a plain path below the root")]
    Path(#[from] PathError),
    /// CHECKSUMS lists itself.
    #[error("CHECKSUMS cannot list itself")]
    Itself,
    /// There is no line at all.
    #[error("the file is empty")]
    Empty,
}

/// Reads CHECKSUMS line by line.
///
/// Checks each line by itself; repeated paths are for the caller to find. Cost: one line, at most [`CHECKSUMS_LINE_LEN_MAX`] bytes.
#[derive(Debug)]
pub struct ChecksumsReader<R> {
    lines: Lines<R>,
}

impl<R: BufRead> ChecksumsReader<R> {
    /// Begins to read.
    pub fn new(input: R) -> Self {
        ChecksumsReader { lines: Lines::new(input, CHECKSUMS_LINE_LEN_MAX) }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// [`ChecksumsError`] with the number of the line; nothing more may be read.
    pub fn next_line(&mut self) -> Result<Option<ChecksumLine>, ChecksumsError> {
        let line = match self.lines.next_line() {
            Ok(Some(line)) => parse_line(line).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(ChecksumsFault::Line(error)),
        };
        let line_number = self.lines.number();
        match line {
            Ok(None) if line_number <= 1 => Err(ChecksumsError { line_number, fault: ChecksumsFault::Empty }),
            result => result.map_err(|fault| ChecksumsError { line_number, fault }),
        }
    }
}

/// Reads a line without its line feed.
pub fn parse_line(line: &[u8]) -> Result<ChecksumLine, ChecksumsFault> {
    if line.ends_with(b"\r") {
        return Err(ChecksumsFault::CarriageReturn);
    }
    let (escaped, line) = match line.strip_prefix(b"\\") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (hex, rest) = line.split_at_checked(HEX_LEN).ok_or(ChecksumsFault::Form)?;
    let path = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *")).ok_or(ChecksumsFault::Form)?;
    let digest = parse_digest(hex).ok_or(ChecksumsFault::Form)?;
    let path = if escaped { unescape(path).ok_or(ChecksumsFault::Escape)? } else { path.to_vec() };
    if path == CHECKSUMS_FILE.as_bytes() {
        return Err(ChecksumsFault::Itself);
    }
    Ok(ChecksumLine { digest, path: DumpPath::new(&path)? })
}

fn parse_digest(hex: &[u8]) -> Option<FileDigest> {
    parse_lower_hex_array(hex)
}

fn unescape(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            },
            _ => byte,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "6023910b8fcca8f11e8b58748ed657a0eacde71547c1e277869fdf0c8d13a99a";

    fn read(text: &[u8]) -> Result<Vec<ChecksumLine>, ChecksumsError> {
        let mut reader = ChecksumsReader::new(text);
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line()? {
            lines.push(line);
        }
        Ok(lines)
    }

    #[test]
    fn lines_have_the_documented_form_and_are_read_back() {
        let paths: [&[u8]; 4] = [b"s3/bkt/_bucket.json", b"s3/bkt/a\nb", b"s3/bkt/c\rd", b"s3/bkt/\xff\\"];
        let digest = parse_digest(HEX.as_bytes()).unwrap();
        let mut out = Vec::new();
        paths.iter().for_each(|path| write_line(&digest, path, &mut out));
        let expected = [
            format!("{HEX}  s3/bkt/_bucket.json\n").as_bytes(),
            format!("\\{HEX}  s3/bkt/a\\nb\n").as_bytes(),
            format!("\\{HEX}  s3/bkt/c\\rd\n").as_bytes(),
            format!("\\{HEX}  s3/bkt/").as_bytes(),
            b"\xff\\\\\n",
        ]
        .concat();
        assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(read(&out).unwrap(), paths.map(|path| ChecksumLine { digest, path: DumpPath::new(path).unwrap() }));
    }

    #[test]
    fn binary_mark_is_accepted() {
        assert_eq!(read(format!("{HEX} *a b\n").as_bytes()).unwrap()[0].path.as_bytes(), b"a b");
    }

    #[test]
    fn backslashes_are_plain_in_the_plain_form() {
        assert_eq!(read(format!("{HEX}  a\\nb\n").as_bytes()).unwrap()[0].path.as_bytes(), b"a\\nb");
    }

    #[test]
    fn malformed_lines_are_refused_with_their_number() {
        let bad: Vec<(String, &str)> = vec![
            (String::new(), "it is not 64 lowercase hex digits, two blanks and a path"),
            (format!("{}  a", HEX.to_uppercase()), "it is not 64 lowercase hex digits, two blanks and a path"),
            (format!("{}  a", &HEX[1..]), "it is not 64 lowercase hex digits, two blanks and a path"),
            (format!("{HEX} a"), "it is not 64 lowercase hex digits, two blanks and a path"),
            (format!("{HEX}\t\ta"), "it is not 64 lowercase hex digits, two blanks and a path"),
            (format!("{HEX}0  a"), "it is not 64 lowercase hex digits, two blanks and a path"),
            (format!("{HEX}  a\r"), "the line ends in a carriage return: the file was changed to Windows line ends"),
            (format!("\\{HEX}  a\\tb"), "the path has an unknown escape"),
            (format!("\\{HEX}  a\\"), "the path has an unknown escape"),
            (format!("{HEX}  "), "the path is not a plain path below the root"),
            (format!("{HEX}  ."), "the path is not a plain path below the root"),
            (format!("{HEX}  ./a"), "the path is not a plain path below the root"),
            (format!("{HEX}  a/../b"), "the path is not a plain path below the root"),
            (format!("{HEX}  ../b"), "the path is not a plain path below the root"),
            (format!("{HEX}  /b"), "the path is not a plain path below the root"),
            (format!("{HEX}  a//b"), "the path is not a plain path below the root"),
            (format!("{HEX}  a/"), "the path is not a plain path below the root"),
            (format!("{HEX}  a\0b"), "the path is not a plain path below the root"),
            (format!("{HEX}  CHECKSUMS"), "CHECKSUMS cannot list itself"),
        ];
        for (line, fault) in bad {
            let error = read(format!("{HEX}  ok\n{line}\n").as_bytes()).unwrap_err();
            assert_eq!((error.line_number, error.fault.to_string().as_str()), (2, fault), "{line:?}");
        }
    }

    #[test]
    fn empty_cut_and_overlong_files_are_refused() {
        assert!(matches!(read(b"").unwrap_err().fault, ChecksumsFault::Empty));
        let cut = read(format!("{HEX}  a").as_bytes()).unwrap_err();
        assert!(matches!(cut.fault, ChecksumsFault::Line(LineError::Cut)));
        let long = format!("{HEX}  {}\n", "a".repeat(CHECKSUMS_LINE_LEN_MAX));
        assert!(matches!(read(long.as_bytes()).unwrap_err().fault, ChecksumsFault::Line(LineError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn every_plain_path_round_trips(path in prop::collection::vec(1_u8.., 1..40), digest in any::<FileDigest>()) {
            let Ok(path) = DumpPath::new(&path) else { return Ok(()) };
            let mut out = Vec::new();
            write_line(&digest, path.as_bytes(), &mut out);
            prop_assert_eq!(read(&out).unwrap(), [ChecksumLine { digest, path }]);
        }
    }
}
