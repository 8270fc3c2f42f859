//! Where below the directory of the file system a path lies. Source: `docs/format/fs.md`, sections 6.1 and 6.2.

use ekv_files::path::COMPONENT_LEN_MAX;
use ekv_text::hex::{HexCase, push_hex};

use super::entry::{DEEP, DIRECTORY, PACKED, TREE};
use crate::segment::{has_fallback_shape, sha_fallback_into};

/// Longest path in a dump, in bytes, from its root on.
const PATH_LEN_MAX: usize = 1023;
/// Length of what stands before a path in the directory of the file system: the directories of protocol and file system, and slashes.
const FRONT_LEN: usize = b"fs/".len() + DIRECTORY.len() + 1;

/// The places of the directories around what is at hand.
///
/// Memory: their names, each at most 256 bytes.
#[derive(Default)]
pub(super) struct Places {
    frames: Vec<Frame>,
    /// The places of all of them: a directory that lies below the one around it goes on where that ends.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Frame {
    id: u64,
    start: usize,
    end: usize,
}

/// Where something lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location<'p> {
    /// Path in the directory of the file system.
    pub(super) path: &'p [u8],
    /// What a line says of it; nothing where it has its own name.
    pub(super) disk: Option<&'p [u8]>,
}

impl Places {
    /// Goes back to the directory with this number; answers whether it is one of those around what is at hand.
    pub(super) fn go_to(&mut self, directory: u64) -> bool {
        let found = self.frames.iter().rposition(|frame| frame.id == directory);
        self.frames.truncate(found.map_or(0, |at| at.saturating_add(1)));
        found.is_some()
    }

    /// The place of a name in the innermost directory, of what has this number; of the root the name is empty. Where no directory is open, the
    /// name lies in the root.
    pub(super) fn place(&mut self, name: &[u8], id: u64) -> Location<'_> {
        let Places { frames, bytes } = self;
        let (start, end) = frames.last().map_or((0, 0), |frame| (frame.start, frame.end));
        bytes.truncate(end);
        if end == 0 {
            bytes.extend_from_slice(TREE);
        }
        if name.is_empty() {
            return Location { path: bytes.get(start..).unwrap_or_default(), disk: None };
        }
        bytes.push(b'/');
        let name_start = bytes.len();
        let is_renamed = push_component(name, bytes);
        if bytes.len().saturating_sub(start) > PATH_LEN_MAX.saturating_sub(FRONT_LEN) {
            bytes.truncate(end);
            push_numbered(DEEP, id, bytes);
            let path = bytes.get(end..).unwrap_or_default();
            return Location { path, disk: Some(path) };
        }
        let disk = bytes.get(name_start..).filter(|_| is_renamed);
        Location { path: bytes.get(start..).unwrap_or_default(), disk }
    }

    /// Opens the directory that was placed last.
    pub(super) fn enter(&mut self, id: u64) {
        let (around_start, around_end) = self.frames.last().map_or((0, 0), |frame| (frame.start, frame.end));
        let is_below = around_end == 0 || self.bytes.get(around_end) == Some(&b'/');
        let start = if is_below { around_start } else { around_end };
        self.frames.push(Frame { id, start, end: self.bytes.len() });
    }
}

/// Where the parts of a file with large holes lie, without extension.
pub(super) fn packed(id: u64) -> Vec<u8> {
    let mut path = Vec::new();
    push_numbered(PACKED, id, &mut path);
    path
}

fn push_numbered(directory: &[u8], id: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(directory);
    out.push(b'/');
    push_hex(&id.to_be_bytes(), HexCase::Lower, out);
}

/// Appends the name of a file or directory; answers whether it is another than its own.
fn push_component(name: &[u8], out: &mut Vec<u8>) -> bool {
    let is_renamed = name.len() > COMPONENT_LEN_MAX || std::str::from_utf8(name).is_err() || has_fallback_shape(name);
    match is_renamed {
        true => sha_fallback_into(name, out),
        false => out.extend_from_slice(name),
    }
    is_renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_is_too_long_and_children_of_what_was_moved_go_on_below_it() {
        let mut places = Places::default();
        assert_eq!(places.place(b"", 1).path, b"tree");
        places.enter(1);
        let name = [b'n'; 200];
        let mut moved = 0;
        for id in 2..42 {
            assert!(places.go_to(id - 1));
            let place = places.place(&name, id);
            assert!(FRONT_LEN + place.path.len() <= PATH_LEN_MAX);
            let deep = format!("deep/{id:016x}");
            moved += u64::from(place.path == deep.as_bytes());
            assert_eq!(place.disk.is_some(), place.path == deep.as_bytes());
            places.enter(id);
        }
        assert_eq!(moved, 7, "5 levels of 201 bytes in the tree, and 5 in each place beside it");
        assert!(places.go_to(1));
        assert_eq!(places.place(b"a", 99).path, b"tree/a");
    }

    #[test]
    fn the_longest_path_is_exactly_1023_bytes() {
        let mut places = Places::default();
        places.place(b"", 1);
        places.enter(1);
        let names = [255, 255, 255];
        for (name_len, id) in names.into_iter().zip(2..) {
            places.place(&vec![b'n'; name_len], id);
            places.enter(id);
        }
        let so_far = FRONT_LEN + TREE.len() + 3 * 256;
        let fitting = vec![b'n'; PATH_LEN_MAX - so_far - 1];
        assert!(places.place(&fitting, 9).path.starts_with(b"tree/"));
        assert_eq!(places.place(&[fitting.as_slice(), b"n"].concat(), 9).path, b"deep/0000000000000009");
    }

    #[test]
    fn names_that_no_file_can_have_are_replaced_and_others_stay_as_they_are() {
        for name in
            [&b"a%2F b\n\\"[..], b"...", b"-x", b"KEYMAP.jsonl", b"entries.jsonl", b"CON", "é".as_bytes(), &[b'x'; 255]]
        {
            let mut out = Vec::new();
            assert!(!push_component(name, &mut out));
            assert_eq!(out, name);
        }
        for name in [&b"\xff"[..], &[b'x'; 256], b"0123456789abcdefABCDEF0123456789__", &[b'x'; 100_000]] {
            let mut out = Vec::new();
            assert!(push_component(name, &mut out));
            assert!(has_fallback_shape(&out) && out.len() <= COMPONENT_LEN_MAX);
        }
    }
}
