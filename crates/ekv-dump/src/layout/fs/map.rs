//! Where in a file its stored parts lie: `<offset> <length>` on each line. Source: `docs/format/fs.md`, section 6.3.

use std::io::BufRead;

use ekv_files::Result;
use ekv_files::source::read_error;
use ekv_text::{LineError, Lines};

use super::fault::FsFault;
use crate::layout::in_scope::decimal;

/// Longest line, in bytes: two numbers of 20 digits.
const LINE_LEN_MAX: usize = 41;

/// A part of a file that is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Run {
    pub(super) fn end(self) -> u64 {
        self.offset.saturating_add(self.len)
    }

    /// Joins a part that touches this one to it; else answers this one, and becomes that part.
    pub(super) fn join(&mut self, next: Run) -> Option<Run> {
        if self.end() == next.offset {
            self.len = self.len.saturating_add(next.len);
            return None;
        }
        Some(std::mem::replace(self, next)).filter(|run| run.len > 0)
    }

    pub(super) fn push_line(self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{} {}\n", self.offset, self.len).as_bytes());
    }
}

/// Calls `take` for every part of a map, of a file of `size` bytes.
pub(super) fn read_map(input: &mut dyn BufRead, size: u64, take: &mut dyn FnMut(Run) -> Result<()>) -> Result<()> {
    let mut lines = Lines::new(input, LINE_LEN_MAX);
    let mut end = None;
    loop {
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(LineError::Io(source)) => return Err(read_error(source)),
            Err(_) => return Err(ekv_files::Error::from(FsFault::Map { size }).at_line(lines.number())),
        };
        let mut numbers = line.split(|byte| *byte == b' ').map(decimal::<u64>);
        let run = match (numbers.next().flatten(), numbers.next().flatten(), numbers.next()) {
            (Some(offset), Some(len), None) => Some(Run { offset, len }),
            _ => None,
        };
        let run = run.filter(|run| {
            let is_inside = run.offset.checked_add(run.len).is_some_and(|end| end <= size);
            run.len > 0 && is_inside && end.is_none_or(|end| run.offset > end)
        });
        let Some(run) = run else {
            return Err(ekv_files::Error::from(FsFault::Map { size }).at_line(lines.number()));
        };
        end = Some(run.end());
        take(run)?;
    }
}
