//! Names that another system would refuse, change or take for each other.
//!
//! Source: `docs/format/tree.md`, section 5. Names are never changed for it: a dump must not depend on the machine that wrote it.

use std::fmt;
use std::sync::Arc;

use ekv_spill::{Scratch, Sorter};
use unicode_normalization::UnicodeNormalization as _;

use crate::path::Escaped;
use crate::{DumpPath, ErrorKind, Result};

/// Names that a report shows.
const EXAMPLES_MAX: usize = 8;

/// What to do about names that are not portable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortableNames {
    /// Count and report them.
    #[default]
    Off,
    /// Refuse to publish the dump.
    Require,
}

/// Why a name by itself is not portable; more than one reason may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameFaults {
    /// A Windows device: `CON`, `PRN`, `AUX`, `NUL`, `COM0` to `COM9`, `LPT0` to `LPT9`, in any case, with or without extension.
    pub device_name: bool,
    /// Ends in a dot or a blank.
    pub trailing_dot_or_blank: bool,
    /// Holds one of `< > : " \ | ? *` or a control character.
    pub reserved_character: bool,
}

impl NameFaults {
    /// The faults of one path component.
    pub fn of(name: &[u8]) -> Self {
        NameFaults {
            device_name: is_device_name(name),
            trailing_dot_or_blank: matches!(name.last(), Some(b'.' | b' ')),
            reserved_character: name
                .iter()
                .any(|byte| matches!(byte, b'<' | b'>' | b':' | b'"' | b'\\' | b'|' | b'?' | b'*' | 0..0x20)),
        }
    }

    /// Whether there is any.
    pub fn any(self) -> bool {
        self.device_name || self.trailing_dot_or_blank || self.reserved_character
    }
}

fn is_device_name(name: &[u8]) -> bool {
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or_default().trim_ascii_end();
    let is = |device: &str| stem.eq_ignore_ascii_case(device.as_bytes());
    match stem.split_last() {
        Some((digit, front)) if digit.is_ascii_digit() => {
            front.eq_ignore_ascii_case(b"COM") || front.eq_ignore_ascii_case(b"LPT")
        }
        _ => ["CON", "PRN", "AUX", "NUL"].into_iter().any(is),
    }
}

/// Collects the names of a dump and counts those that are not portable.
///
/// Shape: the path of every file once, in any order; the directories follow from them. Cost: memory within the budget, the names go
/// through an external sort.
pub struct PortableCheck {
    /// Key: directory, NUL, folded name, NUL, name.
    names: Sorter,
    key: Vec<u8>,
    /// Directory of the last file; its names are already collected.
    last_directory: Vec<u8>,
}

/// What [`PortableCheck`] found; every name counts once in each line that holds for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortableReport {
    /// Names that are Windows devices.
    pub device_names: u64,
    /// Names that end in a dot or a blank.
    pub trailing_dots_or_blanks: u64,
    /// Names with a reserved character.
    pub reserved_characters: u64,
    /// Names that an earlier name of the same directory equals up to letter case and Unicode composition.
    pub collisions: u64,
    /// The first few paths concerned, in the order of their directories.
    pub examples: Vec<Vec<u8>>,
}

impl PortableCheck {
    /// Begins a check. `memory_budget` in bytes.
    pub fn new(scratch: Arc<dyn Scratch>, memory_budget: usize) -> Self {
        PortableCheck { names: Sorter::new(scratch, memory_budget), key: Vec::new(), last_directory: Vec::new() }
    }

    /// Takes the path of a file.
    ///
    /// # Errors
    /// If a scratch file fails.
    pub fn add_file(&mut self, path: &DumpPath) -> Result<()> {
        let (directory, name) = path.split_last();
        if directory != self.last_directory {
            let mut parent_len = 0;
            for component in directory.split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
                let parent = directory.get(..parent_len).unwrap_or_default();
                let end = parent_len.saturating_add(usize::from(parent_len > 0)).saturating_add(component.len());
                let this = directory.get(..end).unwrap_or(directory);
                let is_known =
                    self.last_directory.strip_prefix(this).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
                if !is_known {
                    push_name(&mut self.names, &mut self.key, parent, component)?;
                }
                parent_len = end;
            }
            self.last_directory.clear();
            self.last_directory.extend_from_slice(directory);
        }
        push_name(&mut self.names, &mut self.key, directory, name)
    }

    /// Counts.
    ///
    /// # Errors
    /// If a scratch file fails.
    pub fn finish(self) -> Result<PortableReport> {
        let mut report = PortableReport::default();
        let mut names = self.names.finish()?;
        let mut last = Vec::new();
        while let Some((key, _)) = names.next()? {
            if key == last {
                continue;
            }
            let collides = folded_part(key) == folded_part(&last);
            report.count(key, collides);
            last.clear();
            last.extend_from_slice(key);
        }
        Ok(report)
    }
}

impl PortableReport {
    /// Whether every name is portable.
    pub fn is_portable(&self) -> bool {
        self.examples.is_empty()
    }

    /// Applies the user's choice.
    ///
    /// # Errors
    /// [`ErrorKind::NotPortable`] under [`PortableNames::Require`] if a name is not portable.
    pub fn enforce(&self, mode: PortableNames) -> Result<()> {
        match mode {
            PortableNames::Require if !self.is_portable() => Err(ErrorKind::NotPortable(Box::new(self.clone())).into()),
            _ => Ok(()),
        }
    }

    fn count(&mut self, key: &[u8], collides: bool) {
        let mut parts = key.split(|byte| *byte == 0);
        let directory = parts.next().unwrap_or_default();
        let name = parts.next_back().unwrap_or_default();
        let faults = NameFaults::of(name);
        let counters = [
            (&mut self.device_names, faults.device_name),
            (&mut self.trailing_dots_or_blanks, faults.trailing_dot_or_blank),
            (&mut self.reserved_characters, faults.reserved_character),
            (&mut self.collisions, collides),
        ];
        for (counter, holds) in counters {
            *counter = counter.saturating_add(u64::from(holds));
        }
        if (faults.any() || collides) && self.examples.len() < EXAMPLES_MAX {
            let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
            self.examples.push([directory, separator, name].concat());
        }
    }
}

impl fmt::Display for PortableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} device names, {} trailing dots or blanks, {} reserved characters, {} collisions",
            self.device_names, self.trailing_dots_or_blanks, self.reserved_characters, self.collisions
        )?;
        let mut separator = ", for example ";
        for example in &self.examples {
            write!(f, "{separator}{}", Escaped(example))?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Paths hold no NUL, so it separates the parts of the key.
fn push_name(names: &mut Sorter, key: &mut Vec<u8>, directory: &[u8], name: &[u8]) -> Result<()> {
    key.clear();
    key.extend_from_slice(directory);
    key.push(0);
    fold_into(name, key);
    key.push(0);
    key.extend_from_slice(name);
    Ok(names.push(key, b"")?)
}

/// Directory and folded name of a key.
fn folded_part(key: &[u8]) -> &[u8] {
    key.iter().rposition(|byte| *byte == 0).and_then(|nul| key.get(..nul)).unwrap_or_default()
}

/// Appends a form that is equal for names which differ in letter case or Unicode composition: lower case of NFC, composed again.
/// Names that are not UTF-8 fold in ASCII only. File systems differ in detail; this finds what any common one takes for equal, apart
/// from special cases such as `ß` and `ss`.
fn fold_into(name: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(name) {
        Ok(text) if !text.is_ascii() => {
            let mut utf8 = [0; 4];
            for character in text.nfc().flat_map(char::to_lowercase).nfc() {
                out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            }
        }
        _ => out.extend(name.iter().map(u8::to_ascii_lowercase)),
    }
}

#[cfg(test)]
mod tests {
    use ekv_model::Class;
    use ekv_spill::SystemScratch;

    use super::*;

    fn report(paths: &[&str]) -> PortableReport {
        let mut check = PortableCheck::new(Arc::new(SystemScratch::new()), 1 << 16);
        paths.iter().for_each(|path| check.add_file(&DumpPath::new(path.as_bytes()).unwrap()).unwrap());
        check.finish().unwrap()
    }

    #[test]
    fn device_names_are_found_in_any_case_with_and_without_extension() {
        for name in
            ["CON", "con", "CON.bin", "nul.txt.bin", "Prn", "aux.", "COM0", "com9.json", "LPT1", "con .x", "NUL "]
        {
            assert!(NameFaults::of(name.as_bytes()).device_name, "{name}");
        }
        for name in ["CONSOLE", "COM", "COM10", "COMx", "xCON", "CON%20", "con-1", "", ".con", "COM11.bin"] {
            assert!(!NameFaults::of(name.as_bytes()).device_name, "{name}");
        }
    }

    #[test]
    fn trailing_and_reserved_characters_are_found() {
        for name in ["a.", "a ", "..."] {
            assert!(NameFaults::of(name.as_bytes()).trailing_dot_or_blank, "{name}");
        }
        for name in ["<", ">", ":", "\"", "\\", "|", "?", "*", "a\nb"] {
            assert!(NameFaults::of(name.as_bytes()).reserved_character, "{name}");
        }
        assert!(!NameFaults::of("a%3A b.é~$.bin".as_bytes()).any());
    }

    #[test]
    fn names_that_differ_in_case_or_composition_collide_inside_one_directory_only() {
        let found =
            report(&["d/Case", "d/case", "d/CASE", "e/case", "d/\u{e9}", "d/e\u{301}", "d/E\u{301}", "d/x", "e/X"]);
        assert_eq!(found.collisions, 4);
        assert_eq!(found.examples, [&b"d/Case"[..], b"d/case", "d/e\u{301}".as_bytes(), "d/\u{e9}".as_bytes()]);
    }

    #[test]
    fn directories_count_once_however_many_files_they_hold() {
        let found = report(&[
            "s3/Foo/a",
            "s3/foo/a",
            "s3/Foo/b",
            "s3/foo/sub./b",
            "s3/Foo/c",
            "s3/foo/sub./c",
            "con/x/1",
            "con/y/1",
        ]);
        assert_eq!((found.collisions, found.trailing_dots_or_blanks, found.device_names), (1, 1, 1));
    }

    #[test]
    fn require_refuses_and_off_does_not() {
        let clean = report(&["MANIFEST.json", "redis/db_0/strings/a%2Fb.bin"]);
        assert!(clean.is_portable());
        clean.enforce(PortableNames::Require).unwrap();
        let odd = report(&["s3/b/what?", "s3/b/trail."]);
        odd.enforce(PortableNames::Off).unwrap();
        let error = odd.enforce(PortableNames::Require).unwrap_err();
        assert_eq!(error.class(), Class::Data);
        let text = error.to_string();
        assert!(text.contains("1 reserved characters") && text.contains("s3/b/trail., s3/b/what?"), "{text}");
    }

    #[test]
    fn names_that_are_not_text_fold_in_ascii() {
        let mut check = PortableCheck::new(Arc::new(SystemScratch::new()), 0);
        for path in [&b"d/\xffA"[..], b"d/\xffa", b"d/\xfea"] {
            check.add_file(&DumpPath::new(path).unwrap()).unwrap();
        }
        assert_eq!(check.finish().unwrap().collisions, 1);
    }
}
