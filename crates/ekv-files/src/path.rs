//! Paths inside a dump.

use std::fmt;

pub use ekv_text::Shown as Escaped;

/// Longest path component, in bytes.
pub const COMPONENT_LEN_MAX: usize = 255;

/// What marks the name of a staging directory; so many hex digits follow.
pub(crate) const STAGING_MARK: &[u8] = b".ekv-staging-";
pub(crate) const STAGING_HEX_LEN: usize = 16;

/// Whether a name is that of the private directory in which something grows before it gets the name of any target:
/// `.TARGET.ekv-staging-<16 hex digits>`, `.TARGET` only where there is room.
pub fn is_staging_name(name: &[u8]) -> bool {
    let Some((head, hex)) = name.split_last_chunk::<STAGING_HEX_LEN>() else { return false };
    let is_hex = hex.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let base = head.strip_suffix(STAGING_MARK);
    is_hex && base.is_some_and(|base| base.is_empty() || (base.len() > 1 && base.starts_with(b".")))
}

/// A path relative to the root of a dump, valid by construction.
///
/// One or more components, joined by `/`. No component is empty, `.` or `..`, holds `/` or NUL, or is longer than
/// [`COMPONENT_LEN_MAX`] bytes. Components are bytes, not text.
///
/// Source: `docs/format/tree.md`, section 8.2 (threat 27).
///
/// Made for reuse: [`DumpPath::truncate`] goes back to a parent whose length was remembered, so that naming a file costs one
/// copy of its last component.
///
/// ```
/// use ekv_files::DumpPath;
///
/// let mut path = DumpPath::new(b"redis/db_0/strings")?;
/// let strings = path.len();
/// path.push(b"a%2Fb.bin")?;
/// assert_eq!(path.as_bytes(), b"redis/db_0/strings/a%2Fb.bin");
/// path.truncate(strings);
/// assert_eq!(path.to_string(), "redis/db_0/strings");
/// assert!(path.push(b"..").is_err());
/// # Ok::<(), ekv_files::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DumpPath {
    bytes: Vec<u8>,
}

/// Why bytes are no path inside a dump.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A component is empty, or the whole path is.
    #[error("a path has an empty component")]
    EmptyComponent,
    /// A component is `.` or `..`.
    #[error("a path has the component \"{}\"", if *.parent { ".." } else { "." })]
    DotComponent {
        /// Whether it is `..`.
        parent: bool,
    },
    /// A component holds `/` or NUL.
    #[error("the path component \"{}\" contains the byte 0x{byte:02x}", Escaped(.component))]
    ForbiddenByte {
        /// The component.
        component: Vec<u8>,
        /// The byte.
        byte: u8,
    },
    /// A component is longer than [`COMPONENT_LEN_MAX`].
    #[error("a path component of {len} bytes is longer than {COMPONENT_LEN_MAX} bytes")]
    LongComponent {
        /// Its length in bytes.
        len: usize,
    },
}

impl DumpPath {
    /// Checks a whole path.
    ///
    /// # Errors
    /// The first component that is not allowed.
    pub fn new(path: &[u8]) -> Result<Self, PathError> {
        let mut checked = DumpPath::root();
        checked.extend(path)?;
        Ok(checked)
    }

    /// The root of the dump: no component yet.
    pub fn root() -> Self {
        DumpPath::default()
    }

    /// Adds one component.
    ///
    /// # Errors
    /// If the component is not allowed; the path is then unchanged.
    pub fn push(&mut self, component: &[u8]) -> Result<(), PathError> {
        check_component(component)?;
        self.push_checked(component);
        Ok(())
    }

    /// Adds the components of a relative path with `/` between them.
    ///
    /// # Errors
    /// If any component is not allowed; the path is then unchanged.
    pub fn extend(&mut self, path: &[u8]) -> Result<(), PathError> {
        for component in path.split(|byte| *byte == b'/') {
            check_component(component)?;
        }
        self.push_checked(path);
        Ok(())
    }

    /// Cuts the path back to a length that [`DumpPath::len`] gave for it earlier. Other lengths leave it alone.
    pub fn truncate(&mut self, len: usize) {
        if len == 0 || self.bytes.get(len) == Some(&b'/') {
            self.bytes.truncate(len);
        }
    }

    /// Length in bytes; 0 for the root.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether this is the root.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The whole path, components joined by `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The components from the root downwards.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|byte| *byte == b'/').filter(|component| !component.is_empty())
    }

    /// The path of the directory that holds the entry (empty for the root), and the name of the entry in it.
    pub fn split_last(&self) -> (&[u8], &[u8]) {
        split_last(&self.bytes)
    }

    /// Becomes a copy of a path that was checked before.
    pub fn set_checked(&mut self, path: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(path);
    }

    fn push_checked(&mut self, path: &[u8]) {
        if !self.bytes.is_empty() {
            self.bytes.push(b'/');
        }
        self.bytes.extend_from_slice(path);
    }
}

/// Splits `a/b/c` into `a/b` and `c`, and `c` into nothing and `c`.
pub fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else { return (&[], path) };
    let (parent, rest) = path.split_at(slash);
    (parent, rest.strip_prefix(b"/").unwrap_or(rest))
}

/// The directories on the way to `path` from the root downwards, and `path` itself last.
pub fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    slashes.chain([path.len()]).filter_map(|end| path.get(..end)).filter(|prefix| !prefix.is_empty())
}

/// Whether `path` is `directory` or lies below it.
pub fn is_at_or_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The deepest directory at or above which both paths lie: `a/b` for `a/b/c` and `a/b/d`, and for `a/b` and `a/b/c`.
pub fn common_directory<'p>(a: &'p [u8], b: &[u8]) -> &'p [u8] {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let ends_at = |path: &[u8]| path.get(common).is_none_or(|byte| *byte == b'/');
    let beginning = a.get(..common).unwrap_or(a);
    if ends_at(a) && ends_at(b) { beginning } else { split_last(beginning).0 }
}

/// Checks one path component.
pub fn check_component(component: &[u8]) -> Result<(), PathError> {
    if component.is_empty() {
        return Err(PathError::EmptyComponent);
    }
    if component == b"." || component == b".." {
        return Err(PathError::DotComponent { parent: component == b".." });
    }
    if component.len() > COMPONENT_LEN_MAX {
        return Err(PathError::LongComponent { len: component.len() });
    }
    // Without an early end, so that many bytes are looked at at once.
    if !component.iter().fold(false, |is_forbidden, byte| is_forbidden | (*byte == b'/') | (*byte == 0)) {
        return Ok(());
    }
    match component.iter().find(|byte| matches!(byte, b'/' | 0)) {
        Some(byte) => Err(PathError::ForbiddenByte { component: component.to_vec(), byte: *byte }),
        None => Ok(()),
    }
}

impl fmt::Display for DumpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.bytes).fmt(f)
    }
}

impl fmt::Debug for DumpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_with_a_bad_component_is_refused_wherever_it_stands() {
        let long = [b'k'; 256];
        for bad in [&b""[..], b".", b"..", b"a\0b", &long] {
            for path in [bad.to_vec(), [b"a/", bad].concat(), [bad, b"/a"].concat(), [b"a/", bad, b"/b"].concat()] {
                assert!(DumpPath::new(&path).is_err(), "{}", Escaped(&path));
            }
            assert!(DumpPath::root().push(bad).is_err());
        }
        let mut path = DumpPath::new(b"a").unwrap();
        assert_eq!(path.push(b"b/c").unwrap_err(), PathError::ForbiddenByte { component: b"b/c".to_vec(), byte: b'/' });
        assert_eq!(path.as_bytes(), b"a");
    }

    #[test]
    fn odd_but_harmless_components_are_kept_as_they_are() {
        let longest = [b'k'; 255];
        for component in [&b"..."[..], b".hidden", b"a\\b", b"\xff\xfe", b"new\nline", b"trail ", &longest] {
            let path = DumpPath::new(&[b"x/", component].concat()).unwrap();
            assert_eq!(path.components().collect::<Vec<_>>(), [b"x", component]);
            assert_eq!(path.split_last(), (&b"x"[..], component));
        }
    }

    #[test]
    fn truncate_goes_back_to_a_parent_and_nowhere_else() {
        let mut path = DumpPath::new(b"ab/cd").unwrap();
        path.truncate(3);
        path.truncate(99);
        assert_eq!(path.as_bytes(), b"ab/cd");
        path.truncate(2);
        assert_eq!(path.as_bytes(), b"ab");
        path.truncate(0);
        assert!(path.is_empty() && path.components().next().is_none());
        path.push(b"x").unwrap();
        assert_eq!(path.as_bytes(), b"x");
    }

    #[test]
    fn prefixes_are_the_directories_from_the_root_downwards() {
        assert_eq!(prefixes(b"a/bc/d").collect::<Vec<_>>(), [&b"a"[..], b"a/bc", b"a/bc/d"]);
        assert_eq!(prefixes(b"").count(), 0);
        let cases: [(&[u8], &[u8], bool); 4] =
            [(b"a/b", b"a", true), (b"a", b"a", true), (b"ab", b"a", false), (b"a", b"a/b", false)];
        for (path, directory, expected) in cases {
            assert_eq!(is_at_or_below(path, directory), expected);
        }
    }

    #[test]
    fn path_is_shown_without_anything_a_terminal_acts_on() {
        let path = DumpPath::new(b"caf\xc3\xa9/\xff\x1b[2J\xe2\x80\xae").unwrap();
        assert_eq!(path.to_string(), "caf\u{e9}/\\xff\\u{1b}[2J\\u{202e}");
    }
}
