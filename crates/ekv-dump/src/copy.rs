//! From one place to another, checked on the way.

use std::io::{self, Read};
use std::sync::Arc;

use ekv_files::sink::{Published, Sink};
use ekv_files::source::{Refusal, Source, Visitor};
use ekv_files::{DumpPath, Error, Result};
use ekv_model::Monitor;
use ekv_spill::Scratch;

use crate::verify::{Verification, verify};

/// Bytes read at once of what the check leaves unread.
const BUFFER_LEN: usize = 4 << 10;

/// What a copy came to.
#[derive(Debug)]
pub struct Copied {
    /// What the check found.
    pub verification: Verification,
    /// Where the copy is; `None` if the dump is not sound: then there is no copy.
    pub published: Option<Published>,
}

/// Copies a dump and checks it from the bytes that are copied; publishes the copy if the dump is sound and `accept` has no objection.
///
/// Source: `docs/format/tree.md`, section 9.2. Memory and `monitor` are as for [`verify()`]. Cost: every file is read once.
///
/// # Errors
/// As [`verify()`], those of the sink and that of `accept`; there is no copy then, except as [`Sink::publish`] says.
pub fn copy(
    source: &mut dyn Source,
    mut sink: Box<dyn Sink>,
    scratch: &Arc<dyn Scratch>,
    memory_budget: usize,
    monitor: &dyn Monitor,
    accept: &mut dyn FnMut(&Verification) -> Result<()>,
) -> Result<Copied> {
    let checked = verify(&mut Copying { source, sink: sink.as_mut() }, scratch, memory_budget, monitor)
        .and_then(|verification| accept(&verification).map(|()| verification));
    match checked {
        Ok(verification) if verification.is_sound() => Ok(Copied { published: Some(sink.publish()?), verification }),
        Ok(verification) => {
            sink.abort()?;
            Ok(Copied { verification, published: None })
        }
        Err(error) => Err(match sink.abort() {
            Ok(()) => error,
            Err(later) => error.followed_by(later),
        }),
    }
}

/// A source that writes to a sink what it shows.
struct Copying<'a> {
    source: &'a mut dyn Source,
    sink: &'a mut dyn Sink,
}

impl Source for Copying<'_> {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        self.source.walk(&mut CopyingVisitor { visitor, sink: self.sink })
    }
}

struct CopyingVisitor<'a> {
    visitor: &'a mut dyn Visitor,
    sink: &'a mut dyn Sink,
}

impl Visitor for CopyingVisitor<'_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.sink.directory(path)?;
        self.visitor.directory(path)
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        self.sink.begin(path)?;
        let mut reader = CopyingReader { content, sink: self.sink, failed: None };
        let shown = self.visitor.file(path, &mut reader).and_then(|()| reader.finish());
        // A failure of the sink explains what became of the check.
        reader.failed.map_or(shown, Err)?;
        self.sink.end()
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        self.visitor.refused(path, refusal)
    }
}

/// Writes what is read.
struct CopyingReader<'a> {
    content: &'a mut dyn Read,
    sink: &'a mut dyn Sink,
    failed: Option<Error>,
}

impl CopyingReader<'_> {
    /// Copies what was not read.
    fn finish(&mut self) -> Result<()> {
        let mut buffer = [0; BUFFER_LEN];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(ekv_files::source::read_error(error));
                }
                _ => {}
            }
        }
    }
}

impl Read for CopyingReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.content.read(buf)?;
        self.sink.write(buf.get(..len).unwrap_or_default()).map_err(|error| {
            self.failed = Some(error);
            io::ErrorKind::Other
        })?;
        Ok(len)
    }
}
