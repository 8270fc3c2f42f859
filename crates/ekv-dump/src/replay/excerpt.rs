//! The few files of a dump in which some things lie, as a dump of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

use ekv_files::checksums::{CHECKSUMS_FILE, FileDigest, write_line};
use ekv_files::path::{prefixes, split_last};
use ekv_files::source::{ScopedSource, Source, SourceError, SourceOperation, Visitor, read_error};
use ekv_files::{DumpPath, Error, Result};
use ekv_model::Monitor;
use ekv_text::{LineError, Lines};
use sha2::{Digest, Sha256};

use crate::losses::LOSSES_FILE;
use crate::manifest::MANIFEST_FILE;
use crate::scope_list::SCOPES_FILE;
use crate::verify::hashing::HashingReader;

/// Most bytes of lines that are kept.
const LINES_LEN_MAX: usize = 1 << 20;

/// In which files of a dump some things lie.
pub(crate) struct Wanted {
    /// The directories of their scopes, with those above them.
    pub(crate) directories: Vec<Vec<u8>>,
    /// Where the things lie, if they are there: whole files.
    pub(crate) files: Vec<Vec<u8>>,
    /// Files with lines about many things.
    pub(crate) lists: Vec<WantedLines>,
}

/// Tells whether a line is wanted.
pub(crate) type IsWanted = Box<dyn Fn(&[u8]) -> bool>;

/// Some lines of a file.
pub(crate) struct WantedLines {
    pub(crate) path: Vec<u8>,
    /// The files that they are about: without one of these, none is wanted.
    pub(crate) of: Vec<Vec<u8>>,
    /// Longest line in bytes.
    pub(crate) len_max: usize,
    pub(crate) is_wanted: IsWanted,
}

/// A dump of which nothing is shown but some files, and lists without other lines.
pub(crate) struct Excerpt<'s> {
    pub(crate) source: &'s mut dyn ScopedSource,
    pub(crate) found: Found,
}

/// What of a dump is shown. Its CHECKSUMS has the lines of these files; lists have been compared with theirs.
#[derive(Default)]
pub(crate) struct Found {
    /// With their content where it is not that of the source.
    files: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    directories: BTreeSet<Vec<u8>>,
    checksums: Vec<u8>,
}

impl Found {
    /// Looks for the files; without `is_checked`, CHECKSUMS is not asked. `None` if all of the dump must be read to say more.
    pub(crate) fn of(
        source: &mut dyn ScopedSource,
        wanted: Wanted,
        is_checked: bool,
        monitor: &dyn Monitor,
    ) -> Result<Option<Self>> {
        let Wanted { directories, files, lists } = wanted;
        let mut found = Found::default();
        if !has(source, CHECKSUMS_FILE.as_bytes())? {
            return Ok(None);
        }
        for directory in directories {
            if has(source, &directory)? {
                found.directories.insert(directory);
            }
        }
        let about_all = [MANIFEST_FILE, LOSSES_FILE, SCOPES_FILE].map(|name| name.as_bytes().to_vec());
        for path in about_all.into_iter().chain(files) {
            if has(source, &path)? {
                found.directories.extend(prefixes(split_last(&path).0).map(<[u8]>::to_vec));
                found.files.insert(path, None);
            }
        }
        let mut digests = BTreeMap::new();
        for list in lists {
            if !list.of.iter().any(|path| found.files.contains_key(path)) || !has(source, &list.path)? {
                continue;
            }
            let Some((lines, digest)) = read_lines(source, &list, monitor)? else { return Ok(None) };
            if is_checked && source.listed_digest(&DumpPath::new(&list.path)?)? != Some(digest) {
                return Ok(None);
            }
            if !lines.is_empty() {
                digests.insert(list.path.clone(), Sha256::digest(&lines).into());
                found.files.insert(list.path, Some(lines));
            }
        }
        for path in found.files.keys().filter(|_| is_checked) {
            let listed = match digests.get(path) {
                Some(digest) => Some(*digest),
                None => source.listed_digest(&DumpPath::new(path)?)?,
            };
            if let Some(digest) = listed {
                write_line(&digest, path, &mut found.checksums);
            }
        }
        // Nothing of it is listed: what that means, all of it tells.
        Ok((!is_checked || !found.checksums.is_empty()).then_some(found))
    }
}

/// Whether something has this name, whatever it is.
fn has(source: &mut dyn ScopedSource, path: &[u8]) -> Result<bool> {
    match source.open_file(&DumpPath::new(path)?).map(drop) {
        Err(error) if error.is_missing() => Ok(false),
        Err(error) if !error.is_refused() => Err(error),
        _ => Ok(true),
    }
}

/// The lines that are wanted, and the digest of the whole file; `None` if they are too many, or not all are lines.
fn read_lines(
    source: &mut dyn ScopedSource,
    list: &WantedLines,
    monitor: &dyn Monitor,
) -> Result<Option<(Vec<u8>, FileDigest)>> {
    let mut content = source.open_file(&DumpPath::new(&list.path)?)?;
    let mut reader = HashingReader::new(&mut content, monitor);
    let kept = lines_of(&mut reader, list);
    let digest = reader.finish(&mut Vec::new());
    // The wish to stop is no fault of the file.
    monitor.advance(0).map_err(ekv_model::Error::from)?;
    let at = |error: io::Error| read_error(error).or_at(&list.path, None);
    match kept.map_err(at)? {
        Some(kept) => Ok(Some((kept, digest.map_err(at)?.0))),
        None => Ok(None),
    }
}

fn lines_of(reader: &mut HashingReader<'_>, list: &WantedLines) -> io::Result<Option<Vec<u8>>> {
    let mut lines = Lines::new(BufReader::with_capacity(LINES_LEN_MAX / 16, reader), list.len_max);
    let mut kept = Vec::new();
    loop {
        match lines.next_line() {
            Ok(None) => return Ok(Some(kept)),
            Ok(Some(line)) if (list.is_wanted)(line) => {
                kept.extend_from_slice(line);
                kept.push(b'\n');
                if kept.len() > LINES_LEN_MAX {
                    return Ok(None);
                }
            }
            Ok(Some(_)) => {}
            Err(LineError::Io(error)) => return Err(error),
            Err(_) => return Ok(None),
        }
    }
}

impl Source for Excerpt<'_> {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        self.walk_directory(&DumpPath::root(), visitor)?;
        for directory in self.found.directories.clone() {
            self.walk_directory(&DumpPath::new(&directory)?, visitor)?;
        }
        Ok(())
    }
}

impl ScopedSource for Excerpt<'_> {
    fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> Result<()> {
        let Excerpt { source, found: Found { files, directories, .. } } = self;
        let directories = directories.iter().map(|path| (path, None));
        let entries: BTreeMap<&Vec<u8>, Option<&Option<Vec<u8>>>> =
            directories.chain(files.iter().map(|(path, content)| (path, Some(content)))).collect();
        for (path, content) in entries {
            let path = DumpPath::new(path)?;
            if path.split_last().0 != directory.as_bytes() {
                continue;
            }
            match content {
                None => visitor.directory(&path)?,
                Some(Some(content)) => visitor.file(&path, &mut content.as_slice())?,
                Some(None) => visitor.file(&path, &mut source.open_file(&path)?)?,
            }
        }
        Ok(())
    }

    fn open_file(&mut self, path: &DumpPath) -> Result<Box<dyn Read + '_>> {
        let Excerpt { source, found: Found { files, checksums, .. } } = self;
        match files.get(path.as_bytes()) {
            _ if path.as_bytes() == CHECKSUMS_FILE.as_bytes() => Ok(Box::new(checksums.as_slice())),
            Some(Some(content)) => Ok(Box::new(content.as_slice())),
            Some(None) => source.open_file(path),
            None => {
                let (operation, source) = (SourceOperation::OpenFile, io::ErrorKind::NotFound.into());
                Err(Error::from(SourceError::Io { operation, source }).at(path.as_bytes()))
            }
        }
    }
}
