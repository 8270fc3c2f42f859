//! The KEYMAP of a bucket. Source: `docs/format/tree.md`, section 3.2.

use std::io::BufReader;

use ekv_files::{DumpPath, Error, Result};
use ekv_text::LineError;

use crate::keymap::{KeymapFault, KeymapKind, KeymapReader};
use crate::replay::ReplayFault;
use crate::replay::reading::Reading;
use crate::s3_name::check_record;
use crate::verify::walk::read_error;

/// Takes the path and the rest of a record.
type Take<'t> = &'t mut dyn FnMut(&[u8], &[u8]) -> Result<()>;

/// Reads a KEYMAP record by record. Every record must rename its key as the format does.
pub(super) fn read(reading: &mut Reading<'_>, path: &DumpPath, take: Take<'_>) -> Result<()> {
    let place = reading.place();
    let mut payload = Vec::new();
    reading.read_file(path, &mut |file| {
        let mut records = KeymapReader::new(BufReader::new(file));
        loop {
            let record = match records.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(()),
                Err(error) => {
                    return Err(match error.fault {
                        KeymapFault::Line(LineError::Io(source)) => read_error(source),
                        fault => Error::from(fault).at_line(error.line_number),
                    });
                }
            };
            let line = records.line_number();
            place.enter_line(line);
            check_record(&record).map_err(|fault| Error::from(ReplayFault::KeymapRecord(fault)).at_line(line))?;
            Record { line, kind: record.kind, original: &record.original }.write_into(&mut payload);
            take(record.encoded.as_bytes(), &payload)?;
        }
    })
}

/// A record as payload of a sort.
#[derive(Clone, Copy)]
pub(super) struct Record<'r> {
    pub(super) line: u64,
    pub(super) kind: KeymapKind,
    pub(super) original: &'r [u8],
}

impl<'r> Record<'r> {
    fn write_into(self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.line.to_be_bytes());
        out.push(kind_byte(Some(self.kind)));
        out.extend_from_slice(self.original);
    }

    pub(super) fn parse(payload: &'r [u8]) -> Option<Self> {
        let (line, rest) = payload.split_first_chunk()?;
        let (kind, original) = rest.split_first()?;
        Some(Record { line: u64::from_be_bytes(*line), kind: kind_of(*kind)?, original })
    }
}

/// How a key is renamed, as a byte.
pub(super) fn kind_byte(kind: Option<KeymapKind>) -> u8 {
    match kind {
        None => b'n',
        Some(KeymapKind::ShaFallback) => b'f',
        Some(KeymapKind::S3LeafData) => b'l',
        Some(KeymapKind::MetaSuffixRename) => b'm',
    }
}

/// The reverse of [`kind_byte`].
pub(super) fn kind_of(byte: u8) -> Option<KeymapKind> {
    KeymapKind::ALL.into_iter().find(|kind| kind_byte(Some(*kind)) == byte)
}
