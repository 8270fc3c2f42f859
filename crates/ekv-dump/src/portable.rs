//! Names that another system would refuse, change or take for each other.
//!
//! Source: `docs/format/tree.md`, section 5. Names are never changed for it: a dump must not depend on the machine that wrote it.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use ekv_files::path::{Escaped, split_last};
use ekv_files::{DumpPath, Result};
use ekv_spill::{Scratch, Sorter, Spool, Spooled};
use unicode_normalization::UnicodeNormalization as _;

/// Names that a report shows.
const EXAMPLES_MAX: usize = 8;

/// Bytes of plain names that are gathered before they are set aside.
const WAITING_LEN: usize = 64 << 10;

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
            trailing_dot_or_blank: ends_in_dot_or_blank(name),
            reserved_character: name.iter().any(|byte| is_reserved(*byte)),
        }
    }

    /// Whether there is any.
    pub fn any(self) -> bool {
        self.device_name || self.trailing_dot_or_blank || self.reserved_character
    }
}

fn is_reserved(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b':' | b'"' | b'\\' | b'|' | b'?' | b'*' | 0..0x20)
}

fn ends_in_dot_or_blank(name: &[u8]) -> bool {
    matches!(name.last(), Some(b'.' | b' '))
}

fn is_device_name(name: &[u8]) -> bool {
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or_default().trim_ascii_end();
    if !(3..=4).contains(&stem.len()) {
        return false;
    }
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
/// Shape: the path of every file once, in any order; the directories follow from them. Cost: memory within the budget and 128 KiB. Names
/// that could collide go through an external sort; those that only another kind of name can collide with are set aside, and join
/// the sort if there seems to be such a name.
pub struct PortableCheck {
    /// Key: directory, NUL, folded name, NUL, name.
    names: Sorter,
    /// The keys in `names`, without the name itself.
    folded: KeyFilter,
    /// Paths of files with plain names, a NUL behind each.
    plain: Spool,
    /// What goes to `plain` next.
    plain_waiting: Vec<u8>,
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
        let plain = Spool::new(Arc::clone(&scratch), memory_budget / 4);
        PortableCheck {
            names: Sorter::new(scratch, memory_budget / 2),
            folded: KeyFilter::default(),
            plain,
            plain_waiting: Vec::new(),
            key: Vec::new(),
            last_directory: Vec::new(),
        }
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
                    self.push_name(parent, component)?;
                }
                parent_len = end;
            }
            self.last_directory.clear();
            self.last_directory.extend_from_slice(directory);
        }
        if is_plain(name) {
            self.plain_waiting.extend_from_slice(path.as_bytes());
            self.plain_waiting.push(0);
            if self.plain_waiting.len() >= WAITING_LEN {
                self.plain.write_all(&self.plain_waiting)?;
                self.plain_waiting.clear();
            }
            return Ok(());
        }
        self.push_name(directory, name)
    }

    fn push_name(&mut self, directory: &[u8], name: &[u8]) -> Result<()> {
        set_key(&mut self.key, directory, name);
        self.folded.insert(folded_part(&self.key));
        Ok(self.names.push(&self.key, b"")?)
    }

    /// Counts.
    ///
    /// # Errors
    /// If a scratch file fails.
    pub fn finish(self) -> Result<PortableReport> {
        let PortableCheck { mut names, folded, mut plain, plain_waiting, mut key, .. } = self;
        if names.is_empty() {
            return Ok(PortableReport::default());
        }
        plain.write_all(&plain_waiting)?;
        for_each_line(&plain.into_reader()?, &mut |path| {
            let (directory, name) = split_last(path);
            set_key(&mut key, directory, name);
            match folded.may_hold(folded_part(&key)) {
                true => Ok(names.push(&key, b"")?),
                false => Ok(()),
            }
        })?;
        let mut report = PortableReport::default();
        let mut names = names.finish()?;
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
    /// This report again, if a name is not portable and [`PortableNames::Require`] was chosen.
    pub fn enforce(&self, mode: PortableNames) -> Result<(), Box<Self>> {
        match mode {
            PortableNames::Require if !self.is_portable() => Err(Box::new(self.clone())),
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

/// Whether a name is portable by itself and can only collide with one that is not plain: ASCII, with capitals only in percent escapes,
/// which are all in capitals. Two such names that fold to the same are the same.
fn is_plain(name: &[u8]) -> bool {
    let mut rest = name;
    while let Some((byte, behind)) = rest.split_first() {
        rest = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) if is_capital_hex(*high) && is_capital_hex(*low) => behind,
            (b'%' | b'A'..=b'Z' | 0x80.., _) => return false,
            (byte, _) if is_reserved(*byte) => return false,
            _ => behind,
        };
    }
    !is_device_name(name) && !ends_in_dot_or_blank(name)
}

fn is_capital_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

/// Tells of most keys that they are not in a set. Cost: fixed.
struct KeyFilter {
    bits: Vec<u64>,
}

/// Bits of a [`KeyFilter`], a power of two.
const FILTER_BITS: u64 = 1 << 20;

impl Default for KeyFilter {
    fn default() -> Self {
        KeyFilter { bits: vec![0; usize::try_from(FILTER_BITS / 64).unwrap_or(0)] }
    }
}

impl KeyFilter {
    fn insert(&mut self, key: &[u8]) {
        for (word, mask) in Self::places(key) {
            if let Some(word) = self.bits.get_mut(word) {
                *word |= mask;
            }
        }
    }

    fn may_hold(&self, key: &[u8]) -> bool {
        Self::places(key).into_iter().all(|(word, mask)| self.bits.get(word).is_some_and(|word| word & mask != 0))
    }

    fn places(key: &[u8]) -> [(usize, u64); 2] {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        let hash = hasher.finish();
        [hash, hash >> 32].map(|hash| {
            let bit = hash % FILTER_BITS;
            (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
        })
    }
}

/// Calls `f` with what stands before each NUL.
fn for_each_line(spooled: &Spooled, f: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut line = Vec::new();
    spooled.for_each_chunk(|chunk| {
        let mut parts = chunk.split(|byte| *byte == 0);
        let last = parts.next_back().unwrap_or_default();
        for part in parts {
            line.extend_from_slice(part);
            f(&line)?;
            line.clear();
        }
        line.extend_from_slice(last);
        Ok(())
    })
}

/// Paths hold no NUL, so it separates the parts of the key.
fn set_key(key: &mut Vec<u8>, directory: &[u8], name: &[u8]) {
    key.clear();
    key.extend_from_slice(directory);
    key.push(0);
    fold_into(name, key);
    key.push(0);
    key.extend_from_slice(name);
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
    use proptest::prelude::*;

    use super::*;
    use ekv_files::Error;

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
    fn plain_names_are_found_to_collide_with_others_whichever_comes_first() {
        for paths in [["d/user%3A1.bin", "d/User%3A1.bin"], ["d/user%3A1.bin", "d/user%3a1.bin"], ["d/x", "d/X"]] {
            let mut paths = paths.to_vec();
            for _ in 0..2 {
                assert_eq!(report(&paths).collisions, 1, "{paths:?}");
                paths.reverse();
            }
        }
        let plain: Vec<String> = (0..20_000).map(|i| format!("d/user%3A{i}.bin")).collect();
        let mut paths: Vec<&str> = plain.iter().map(String::as_str).collect();
        assert!(report(&paths).is_portable());
        paths.extend(["d/User%3A7.bin", "e/User%3A8.bin", "d/USER%3A19999.bin"]);
        let found = report(&paths);
        assert_eq!(found.collisions, 2);
        assert_eq!(found.examples, [&b"d/user%3A19999.bin"[..], b"d/user%3A7.bin"]);
    }

    #[test]
    fn names_with_capitals_outside_of_escapes_are_not_plain() {
        for plain in ["a%3Ab.bin", "%2F", "x", "a%20"] {
            assert!(is_plain(plain.as_bytes()), "{plain}");
        }
        for other in ["A", "a%3ab", "%2f", "%", "%3", "a%zz", "\u{e9}", "con", "a:", "a."] {
            assert!(!is_plain(other.as_bytes()), "{other}");
        }
    }

    proptest! {
        #[test]
        fn collisions_are_those_of_comparing_every_pair(names in prop::collection::btree_set("[aAbB%3éÉ]{1,4}", 1..30)) {
            let paths: Vec<String> = names.iter().map(|name| format!("d/{name}")).collect();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let folds: std::collections::BTreeSet<Vec<u8>> = names.iter().map(|name| {
                let mut folded = Vec::new();
                fold_into(name.as_bytes(), &mut folded);
                folded
            }).collect();
            let expected = u64::try_from(names.len() - folds.len()).unwrap();
            prop_assert_eq!(report(&paths).collisions, expected);
        }
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
        let error = Error::from(odd.enforce(PortableNames::Require).unwrap_err());
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
