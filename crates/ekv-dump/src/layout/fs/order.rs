//! The lines of `entries.jsonl` one after the other: where each belongs, and whether they make a tree. Source: `docs/format/fs.md`,
//! sections 7 and 9.

use std::sync::Arc;

use ekv_files::Result;
use ekv_model::fs::{DIRECTORY, PATH_LEN_MAX, ROOT, ROOT_PATH};
use ekv_spill::{Scratch, Sorter, Table, TableBuilder};

use super::fault::FsFault;
use super::line::Line;
use super::places::{Location, Places, packed};

/// Memory for sorting the numbers of inodes, in bytes.
const INODES_BUDGET: usize = 4 << 20;

/// Follows lines.
pub(super) struct Order {
    places: Places,
    /// The directories around the last line.
    frames: Vec<Frame>,
    path: Vec<u8>,
    has_begun: bool,
    inodes: Sorter,
    links: u64,
    scratch: Arc<dyn Scratch>,
}

struct Frame {
    id: u64,
    path_len: usize,
    /// The last name in it.
    last: Vec<u8>,
}

/// Where a line belongs.
pub(super) struct Placed<'o> {
    /// Path from the root.
    pub(super) path: &'o [u8],
    /// Path in the directory of the file system; of packed files without extension.
    pub(super) place: Vec<u8>,
    pub(super) is_packed: bool,
}

/// Lines that describe inodes with further names: number and offset of each.
pub(super) type FirstLines = Option<Table<16>>;

impl Order {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        Order {
            places: Places::default(),
            frames: Vec::new(),
            path: Vec::new(),
            has_begun: false,
            inodes: Sorter::new(Arc::clone(scratch), INODES_BUDGET),
            links: 0,
            scratch: Arc::clone(scratch),
        }
    }

    /// Takes the next line, which has this number and begins at this offset.
    pub(super) fn take(&mut self, line: &Line, number: u64, offset: u64) -> Result<Placed<'_>> {
        let is_directory = !line.is_link && line.inode().kind == DIRECTORY;
        let is_root = !std::mem::replace(&mut self.has_begun, true);
        let claims_root = line.id == ROOT && line.parent == ROOT && line.name.is_empty() && is_directory;
        if is_root != claims_root || (line.id == ROOT) != is_root || line.id == 0 {
            return Err(FsFault::Root.into());
        }
        if !is_root {
            self.check_name(line)?;
        }
        // A link sorts behind the line that describes the inode.
        let key = [&line.id.to_be_bytes()[..], &[u8::from(line.is_link)], &number.to_be_bytes()].concat();
        self.inodes.push(&key, &offset.to_be_bytes())?;
        self.links = self.links.saturating_add(u64::from(line.is_link));
        let Location { path: place, disk } = self.places.place(&line.name, line.id);
        let packed = packed(line.id);
        let is_packed = !is_directory && !line.is_link && line.disk.as_deref().map(str::as_bytes) == Some(&packed);
        if !line.is_link && !is_packed && line.disk.as_deref().map(str::as_bytes) != disk {
            let disk = disk.map(|disk| String::from_utf8_lossy(disk).into_owned());
            return Err(FsFault::Location { place: place.to_vec(), disk }.into());
        }
        let place = if is_packed { packed } else { place.to_vec() };
        if is_directory {
            self.places.enter(line.id);
            let path_len = self.path.len();
            self.frames.push(Frame { id: line.id, path_len, last: Vec::new() });
        }
        let path = if is_root { ROOT_PATH } else { &self.path };
        Ok(Placed { path, place, is_packed })
    }

    /// Whether a name can stand where it does.
    fn check_name(&mut self, line: &Line) -> Result<(), FsFault> {
        let Line { name, parent, .. } = line;
        let around = self.frames.iter().rposition(|frame| frame.id == *parent);
        let Some(around) = around else { return Err(FsFault::Parent { parent: *parent }) };
        self.frames.truncate(around.saturating_add(1));
        self.places.go_to(*parent);
        if matches!(name.as_slice(), b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
            return Err(FsFault::IllegalName { name: name.clone() });
        }
        let Some(frame) = self.frames.last_mut() else { return Err(FsFault::Parent { parent: *parent }) };
        if frame.last >= *name {
            return Err(FsFault::Order { name: name.clone(), before: frame.last.clone() });
        }
        frame.last.clone_from(name);
        self.path.truncate(frame.path_len);
        if frame.path_len > 0 {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
        match self.path.len() {
            len if len > PATH_LEN_MAX => Err(FsFault::LongPath { len, limit: PATH_LEN_MAX }),
            _ => Ok(()),
        }
    }

    /// Checks that each inode has one line that describes it, before all further names; tells which have such.
    pub(super) fn finish(self) -> Result<FirstLines> {
        if !self.has_begun {
            return Err(FsFault::Root.into());
        }
        let mut sorted = self.inodes.finish()?;
        let mut table = TableBuilder::new(&self.scratch);
        // Number, first line and its offset of the inode at hand, and whether it is in the table.
        let mut first: Option<(u64, u64, u64, bool)> = None;
        while let Some((key, offset)) = sorted.next()? {
            let (inode, rest) = number_of(key);
            let is_link = rest.first() == Some(&1);
            let (line, _) = number_of(rest.get(1..).unwrap_or_default());
            let fault = match &mut first {
                Some((own, first_line, first_offset, is_kept)) if *own == inode => match is_link {
                    false => Some(FsFault::InodeRepeated { inode, first_line: *first_line }),
                    true if line < *first_line => Some(FsFault::LinkWithoutFile { inode }),
                    true => {
                        if !std::mem::replace(is_kept, true) {
                            let row = u128::from(*first_line) << u64::BITS | u128::from(*first_offset);
                            table.push(&inode.to_be_bytes(), &row.to_be_bytes())?;
                        }
                        None
                    }
                },
                _ if is_link => Some(FsFault::LinkWithoutFile { inode }),
                _ => {
                    first = Some((inode, line, number_of(offset).0, false));
                    None
                }
            };
            if let Some(fault) = fault {
                return Err(ekv_files::Error::from(fault).at_line(line));
            }
        }
        Ok(if self.links > 0 { Some(table.finish()?) } else { None })
    }
}

/// Number and offset of the line that describes an inode with further names.
pub(super) fn first_line(lines: &mut FirstLines, inode: u64) -> Result<Option<(u64, u64)>> {
    let Some(table) = lines else { return Ok(None) };
    let wanted = inode.to_be_bytes();
    let mut found = None;
    table.rows_from(&wanted, &mut |key, row: &[u8; 16]| {
        if key == wanted {
            let (line, rest) = number_of(row);
            found = Some((line, number_of(rest).0));
        }
        Ok::<bool, ekv_spill::Error>(key < wanted.as_slice())
    })?;
    Ok(found)
}

fn number_of(bytes: &[u8]) -> (u64, &[u8]) {
    bytes.split_first_chunk().map_or((0, &[]), |(number, rest)| (u64::from_be_bytes(*number), rest))
}
