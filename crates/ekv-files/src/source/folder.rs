//! The folder in which a dump lies in an archive: `tar cf dump.tar dump` packs the folder itself.
//!
//! Source: `docs/format/tree.md`, section 9.2.

use crate::root::{LOSSES_FILE, MANIFEST_FILE, SCOPES_FILE, is_top_directory};

use crate::archive::ArchiveFault;
use crate::checksums::CHECKSUMS_FILE;
use crate::path::{common_directory, is_at_or_below, prefixes, split_last};
use crate::{DumpPath, Error, Result};

/// Files at the top of a dump.
const TOP_FILES: [&[u8]; 4] =
    [MANIFEST_FILE.as_bytes(), CHECKSUMS_FILE.as_bytes(), LOSSES_FILE.as_bytes(), SCOPES_FILE.as_bytes()];

/// What the names of macOS's files beside others begin with.
const APPLE_DOUBLE: &[u8] = b"._";

/// Whether an entry is a file in which macOS keeps attributes of another one.
pub fn is_apple_double(path: &[u8]) -> bool {
    split_last(path).1.starts_with(APPLE_DOUBLE)
}

/// Finds the folder from the first entries, and takes it off all paths.
///
/// The first entry that is no directory, or that has a name from the top of a dump in its path, decides: the folder is what stands before that name,
/// or else the directory of the file. Directories that come earlier wait; each lies in the one before it, so that they are few.
#[derive(Default)]
pub(super) struct Folder {
    found: Option<Vec<u8>>,
    waiting: Vec<Vec<u8>>,
    has_manifest: bool,
    /// Directory of the first manifest that lies elsewhere.
    manifest_elsewhere: Option<Vec<u8>>,
}

/// Where an entry lies.
pub(super) enum Placed {
    /// In the dump; directories that waited are to be shown first.
    Inside,
    /// It waits, or is the folder itself or one above it.
    Nowhere,
}

impl Folder {
    /// Places an entry, and makes its path one from the top of the dump.
    ///
    /// # Errors
    /// [`ArchiveFault::OutsideFolder`], [`ArchiveFault::AppleDouble`].
    pub(super) fn place(&mut self, path: &mut DumpPath, is_directory: bool) -> Result<Placed> {
        if self.found.is_none() {
            match self.folder_of(path.as_bytes(), is_directory)? {
                Some(folder) => self.found = Some(folder),
                None => {
                    // One above those that wait is implied by them.
                    if !self.waiting.last().is_some_and(|last| is_at_or_below(last, path.as_bytes())) {
                        self.waiting.push(path.as_bytes().to_vec());
                    }
                    return Ok(Placed::Nowhere);
                }
            }
        }
        let placed = self.take_off(path, is_directory)?;
        if !is_directory {
            self.note_manifest(path.as_bytes());
        }
        Ok(placed)
    }

    /// Directories that waited, as paths from the top of the dump; in the end also those of an archive without files.
    ///
    /// # Errors
    /// [`ArchiveFault::OutsideFolder`].
    pub(super) fn take_waiting(&mut self) -> Result<Vec<DumpPath>> {
        let mut inside = Vec::new();
        for directory in std::mem::take(&mut self.waiting) {
            let mut path = DumpPath::new(&directory)?;
            if matches!(self.take_off(&mut path, true)?, Placed::Inside) {
                inside.push(path);
            }
        }
        Ok(inside)
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// [`ArchiveFault::DumpElsewhere`] if no manifest lies at the top, but one somewhere else.
    pub(super) fn finish(self) -> Result<()> {
        match self.manifest_elsewhere.filter(|_| !self.has_manifest) {
            Some(folder) => Err(Error::from(ArchiveFault::DumpElsewhere).at(&folder)),
            None => Ok(()),
        }
    }

    /// The folder that an entry tells; `None` if it tells nothing.
    fn folder_of(&self, path: &[u8], is_directory: bool) -> Result<Option<Vec<u8>>> {
        let (directory, name) = split_last(path);
        let whole = if is_directory { path } else { directory };
        let top = prefixes(whole).find(|prefix| is_top_directory(split_last(prefix).1));
        Ok(match (top, is_directory) {
            (Some(top), _) => Some(split_last(top).0.to_vec()),
            (None, false) if TOP_FILES.contains(&name) => Some(directory.to_vec()),
            (None, false) if name.starts_with(APPLE_DOUBLE) => {
                return Err(Error::from(ArchiveFault::AppleDouble).at(path));
            }
            (None, false) => Some(directory.to_vec()),
            (None, true) => match self.waiting.last() {
                Some(last) if !is_at_or_below(path, last) && !is_at_or_below(last, path) => {
                    Some(common_directory(last, path).to_vec())
                }
                _ => None,
            },
        })
    }

    fn take_off(&self, path: &mut DumpPath, is_directory: bool) -> Result<Placed> {
        let folder = self.found.as_deref().unwrap_or_default();
        if folder.is_empty() {
            return Ok(Placed::Inside);
        }
        if is_directory && is_at_or_below(folder, path.as_bytes()) {
            return Ok(Placed::Nowhere);
        }
        let inner = path.as_bytes().strip_prefix(folder).and_then(|rest| rest.strip_prefix(b"/"));
        let Some(inner) = inner else {
            return Err(Error::from(ArchiveFault::OutsideFolder { folder: folder.to_vec() }).at(path.as_bytes()));
        };
        let inner = inner.to_vec();
        path.truncate(0);
        path.extend(&inner)?;
        Ok(Placed::Inside)
    }

    fn note_manifest(&mut self, path: &[u8]) {
        let (directory, name) = split_last(path);
        if name != MANIFEST_FILE.as_bytes() {
            return;
        }
        // An object of S3 may have this name.
        let is_object = directory.starts_with(b"s3/");
        match directory {
            b"" => self.has_manifest = true,
            _ if is_object || self.manifest_elsewhere.is_some() => {}
            _ => {
                let folder = self.found.as_deref().filter(|folder| !folder.is_empty());
                let whole = folder.map_or_else(|| directory.to_vec(), |folder| [folder, b"/", directory].concat());
                self.manifest_elsewhere = Some(whole);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths as they are shown: of directories with `/` at the end.
    fn shown(entries: &[&str]) -> std::result::Result<Vec<String>, String> {
        let mut folder = Folder::default();
        let mut shown = Vec::new();
        let with_slash = |path: &DumpPath| format!("{path}/");
        for entry in entries {
            let (name, is_directory) = entry.strip_suffix('/').map_or((*entry, false), |name| (name, true));
            let mut path = DumpPath::new(name.as_bytes()).unwrap();
            let placed = folder.place(&mut path, is_directory).map_err(|error| error.to_string())?;
            if matches!(placed, Placed::Inside) || folder.found.is_some() {
                shown.extend(folder.take_waiting().map_err(|error| error.to_string())?.iter().map(with_slash));
            }
            if matches!(placed, Placed::Inside) {
                shown.push(if is_directory { with_slash(&path) } else { path.to_string() });
            }
        }
        shown.extend(folder.take_waiting().map_err(|error| error.to_string())?.iter().map(with_slash));
        folder.finish().map_err(|error| error.to_string())?;
        Ok(shown)
    }

    #[test]
    fn dump_is_found_at_the_top_and_in_folders_of_any_name_and_depth() {
        let cases: [(&[&str], &[&str]); 12] = [
            (&["MANIFEST.json", "redis/x"], &["MANIFEST.json", "redis/x"]),
            (&["redis/", "redis/db_0/", "MANIFEST.json"], &["redis/", "redis/db_0/", "MANIFEST.json"]),
            (
                &["dump/", "dump/CHECKSUMS", "dump/redis/", "dump/MANIFEST.json"],
                &["CHECKSUMS", "redis/", "MANIFEST.json"],
            ),
            (&["dump/redis/db_0/strings/a.bin", "dump/MANIFEST.json"], &["redis/db_0/strings/a.bin", "MANIFEST.json"]),
            (&["a/", "a/b/", "a/b/LOSSES.jsonl", "a/b/MANIFEST.json"], &["LOSSES.jsonl", "MANIFEST.json"]),
            (&["a/b/s3/k/redis/sqs/x", "a/b/MANIFEST.json"], &["s3/k/redis/sqs/x", "MANIFEST.json"]),
            (&["a/b/", "a/", "a/b/MANIFEST.json", "a/b/", "a/"], &["MANIFEST.json"]),
            (&["d/", "d/odd/", "d/odd/inner/", "d/MANIFEST.json"], &["odd/", "odd/inner/", "MANIFEST.json"]),
            (&["d/", "d/odd/", "d/other/", "d/MANIFEST.json"], &["odd/", "other/", "MANIFEST.json"]),
            (&["odd/", "z", "odd/y"], &["odd/", "z", "odd/y"]),
            (&["alone/", "alone/inner/"], &["alone/", "alone/inner/"]),
            (&["ab/", "ac/"], &["ab/", "ac/"]),
        ];
        for (entries, expected) in cases {
            assert_eq!(shown(entries).unwrap(), expected, "{entries:?}");
        }
    }

    #[test]
    fn what_lies_beside_the_folder_is_refused() {
        for entries in [
            &["dump/", "dump/MANIFEST.json", "MANIFEST.json"][..],
            &["dump/MANIFEST.json", "dump2/MANIFEST.json"],
            &["dump/MANIFEST.json", "dump2/"],
            &["dump/redis/x", "dump"],
            &["a/b/MANIFEST.json", "a/x"],
            &["ab/", "ab/MANIFEST.json", "a/"],
        ] {
            let error = shown(entries).unwrap_err();
            assert!(error.contains("an archive holds one dump, at its top or in one folder"), "{entries:?}: {error}");
        }
    }

    #[test]
    fn manifest_in_a_folder_that_cannot_be_told_from_a_part_of_a_dump_is_named() {
        for (entries, folder) in [
            (&["redis/", "redis/MANIFEST.json", "redis/CHECKSUMS"][..], "redis: "),
            (&["my/redis/dump/", "my/redis/dump/MANIFEST.json"], "my/redis/dump: "),
            (&["note.txt", "dump/MANIFEST.json"], "dump: "),
        ] {
            let error = shown(entries).unwrap_err();
            assert!(error.starts_with(folder) && error.contains("tar -C"), "{error}");
        }
        assert!(shown(&["s3/b/MANIFEST.json"]).is_ok(), "an object of S3");
        assert!(shown(&["redis/MANIFEST.json", "MANIFEST.json"]).is_ok(), "it is told as a stranger in the dump");
    }

    #[test]
    fn file_of_macos_before_anything_else_is_named() {
        for entries in [&["._dump"][..], &["dump/", "dump/._x"]] {
            let error = shown(entries).unwrap_err();
            assert!(error.contains("COPYFILE_DISABLE=1"), "{error}");
        }
        assert_eq!(shown(&["MANIFEST.json", "s3/b/._x"]).unwrap(), ["MANIFEST.json", "s3/b/._x"]);
    }
}
