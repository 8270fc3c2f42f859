//! The few operations on scratch files, each with the place in its error.

use std::fs::File;
use std::io::{self, Write};

use crate::{Error, Operation, Result, Scratch};

/// A scratch file that knows where it lies.
#[derive(Debug)]
pub(crate) struct ScratchFile {
    file: File,
    place: String,
}

impl ScratchFile {
    pub(crate) fn create(scratch: &dyn Scratch) -> Result<Self> {
        Ok(ScratchFile { file: scratch.create()?, place: scratch.place() })
    }

    /// Writes at the end; the file's position is its length as long as nothing is read from it.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.try_append(bytes).map_err(|source| self.error(Operation::Write, source))
    }

    fn try_append(&mut self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        fault::hit(Operation::Write)?;
        self.file.write_all(bytes)
    }

    /// Fills `buf` from `offset`; a file that ends before that is an error.
    pub(crate) fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.try_read_exact_at(buf, offset).map_err(|source| self.error(Operation::Read, source))
    }

    fn try_read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        #[cfg(test)]
        fault::hit(Operation::Read)?;
        crate::read_exact_at(&self.file, buf, offset)
    }

    pub(crate) fn into_file(self) -> File {
        self.file
    }

    fn error(&self, operation: Operation, source: io::Error) -> Error {
        Error::Io { operation, place: self.place.clone(), source }
    }
}

/// Makes the n-th operation of a kind fail, per thread.
#[cfg(test)]
pub(crate) mod fault {
    use std::cell::Cell;
    use std::io;

    use crate::Operation;

    /// The system's "input/output error".
    const EIO: i32 = 5;

    thread_local! {
        static ARMED: Cell<Option<(Operation, u32)>> = const { Cell::new(None) };
    }

    /// Runs `body` with the `n`-th (from 0) operation of this kind failing; also answers whether it came to that.
    pub(crate) fn with_fault<T>(operation: Operation, n: u32, body: impl FnOnce() -> T) -> (T, bool) {
        ARMED.set(Some((operation, n)));
        let result = body();
        let fired = ARMED.take().is_none();
        (result, fired)
    }

    pub(crate) fn hit(operation: Operation) -> io::Result<()> {
        match ARMED.get() {
            Some((armed, 0)) if armed == operation => {
                ARMED.set(None);
                Err(io::Error::from_raw_os_error(EIO))
            }
            Some((armed, n)) if armed == operation => {
                ARMED.set(Some((armed, n - 1)));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
