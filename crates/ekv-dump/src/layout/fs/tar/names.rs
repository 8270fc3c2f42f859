//! Which entries of an archive are names of one file.

use std::io::Read as _;

use ekv_files::Result;
use ekv_spill::{Sorted, Sorter, Spool, Spooled, SpooledReader};

use super::fault::TarFault;
use super::row::{Row, RowKind};
use crate::layout::fs::fault::FsFault;

/// Rows by path, in order, which can be read again.
pub(super) struct Rows(Spooled);

/// Reads rows from the first one on.
pub(super) struct RowReader<'r> {
    input: std::io::BufReader<SpooledReader<'r>>,
}

/// A path that sorts behind that of the directory around it, and before every other that sorts behind that.
pub(super) fn key_of(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}

/// The reverse of [`key_of`].
pub(super) fn path_of(key: &[u8]) -> Vec<u8> {
    key.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect()
}

impl Rows {
    /// Puts rows in order that are sorted by [`key_of`] their paths.
    pub(super) fn of(mut sorted: Sorted, mut spool: Spool) -> Result<Self> {
        while let Some((key, row)) = sorted.next()? {
            put(&mut spool, key, row)?;
        }
        Ok(Rows(spool.into_reader()?))
    }

    /// The same of what [`resolve`] found out: of one name the file counts before further names.
    pub(super) fn of_resolved(mut resolved: Sorted, mut spool: Spool) -> Result<Self> {
        let mut last = None;
        while let Some((name, row)) = resolved.next()? {
            let key = name.get(..name.len().saturating_sub(FILE.len())).unwrap_or_default();
            if last.as_deref() != Some(key) {
                put(&mut spool, key, row)?;
                last = Some(key.to_vec());
            }
        }
        Ok(Rows(spool.into_reader()?))
    }

    pub(super) fn read(&self) -> RowReader<'_> {
        RowReader { input: std::io::BufReader::new(self.0.reader()) }
    }
}

fn put(spool: &mut Spool, key: &[u8], row: &[u8]) -> Result<()> {
    for bytes in [key, row] {
        spool.write_all(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes())?;
        spool.write_all(bytes)?;
    }
    Ok(())
}

impl RowReader<'_> {
    /// The next row with its key.
    pub(super) fn next(&mut self) -> Result<Option<(Vec<u8>, Row)>> {
        let Some(key) = self.bytes()? else { return Ok(None) };
        Ok(self.bytes()?.map(|row| (key, Row::parse(&row))))
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>> {
        let mut len = [0; 8];
        let failed = ekv_files::source::read_error;
        match self.input.read(len.get_mut(..1).unwrap_or_default()).map_err(failed)? {
            0 => return Ok(None),
            _ => self.input.read_exact(len.get_mut(1..).unwrap_or_default()).map_err(failed)?,
        }
        let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(len)).unwrap_or(usize::MAX)];
        self.input.read_exact(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }
}

/// Finds out what stands in the place of entries of files with several names: the first name in order has the file, the others are further names
/// of it.
///
/// `links` are further names by the path of the file, `id_of` tells the inode of the file with a path.
pub(super) fn resolve(
    rows: &Rows,
    links: Sorter,
    resolved: &mut Sorter,
    id_of: &dyn Fn(&[u8], &Row) -> u64,
) -> Result<()> {
    let (mut links, mut rows) = (links.finish()?, rows.read());
    let mut group: Option<(Vec<u8>, Group)> = None;
    while let Some((target, name)) = links.next()? {
        match &mut group {
            Some((own, group)) if own == target => {
                group.count = group.count.saturating_add(1);
                if name < group.first.as_slice() {
                    group.first = name.to_vec();
                }
            }
            _ => {
                if let Some((target, group)) = group.take() {
                    group.put(&target, resolved, id_of)?;
                }
                let no_file =
                    || FsFault::TarEntry { path: path_of(name), fault: TarFault::Link { target: path_of(target) } };
                let row = loop {
                    match rows.next()? {
                        Some((key, row)) if key == target => break row,
                        Some((key, _)) if key.as_slice() < target => {}
                        _ => return Err(no_file().into()),
                    }
                };
                if row.kind != RowKind::File {
                    return Err(no_file().into());
                }
                group = Some((target.to_vec(), Group { first: name.to_vec(), count: 2, row }));
            }
        }
        if let Some((target, group)) = &group {
            group.put_name(name, target, resolved, id_of)?;
        }
    }
    match group {
        Some((target, group)) => group.put(&target, resolved, id_of),
        None => Ok(()),
    }
}

/// A file with several names.
struct Group {
    /// The first of the further names.
    first: Vec<u8>,
    count: u32,
    row: Row,
}

impl Group {
    /// Puts one further name.
    fn put_name(
        &self,
        name: &[u8],
        target: &[u8],
        resolved: &mut Sorter,
        id_of: &dyn Fn(&[u8], &Row) -> u64,
    ) -> Result<()> {
        let link = Row { kind: RowKind::Link, id: id_of(target, &self.row), link: Vec::new(), ..self.row.clone() };
        Ok(resolved.push(&[name, LINK].concat(), &link.to_bytes())?)
    }

    /// Puts the name that has the file, and the one that had it if that is another.
    fn put(&self, target: &[u8], resolved: &mut Sorter, id_of: &dyn Fn(&[u8], &Row) -> u64) -> Result<()> {
        let first = self.first.as_slice().min(target);
        let file = Row { id: id_of(target, &self.row), names: self.count, ..self.row.clone() };
        resolved.push(&[first, FILE].concat(), &file.to_bytes())?;
        if first != target {
            self.put_name(target, target, resolved, id_of)?;
        }
        Ok(())
    }
}

/// What stands behind a name that has the file, and behind one that has not: of one name the first counts.
const FILE: &[u8] = b"\0\0f";
const LINK: &[u8] = b"\0\0l";
