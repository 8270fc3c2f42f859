//! The content of a file that can be read once, from front to back.

use std::cell::RefCell;
use std::io::{self, Read};

use ekv_files::source::read_error;
use ekv_files::{Error, Result};
use ekv_model::{ByteSource, CHUNK_LEN, Class};

/// A content of any length.
pub(crate) struct OneWay<'r> {
    len: u64,
    state: RefCell<State<'r>>,
}

struct State<'r> {
    input: &'r mut dyn Read,
    /// Told what is read.
    watch: &'r mut dyn FnMut(&[u8]),
    at: u64,
    /// Why the last read failed.
    failure: Option<Error>,
    /// Whether more was asked for than there is.
    is_short: bool,
}

impl<'r> OneWay<'r> {
    /// What `input` has, of which `len` bytes are expected; `watch` is told all that is read.
    pub(crate) fn new(input: &'r mut dyn Read, len: u64, watch: &'r mut dyn FnMut(&[u8])) -> Self {
        OneWay { len, state: RefCell::new(State { input, watch, at: 0, failure: None, is_short: false }) }
    }

    /// Reads what nobody asked for; answers how long the content is, unless it is shorter than expected: then only that. What is wrong
    /// with the content counts before `taken`, what its taker says.
    pub(crate) fn finish(self, taken: Result<()>) -> Result<u64> {
        let mut state = self.state.into_inner();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        if state.is_short {
            return Ok(state.at);
        }
        taken?;
        let mut buffer = vec![0; CHUNK_LEN];
        while state.read(&mut buffer)? > 0 {}
        Ok(state.at)
    }
}

impl ByteSource for OneWay<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        let mut state = self.state.borrow_mut();
        if offset < state.at {
            return Err(ekv_model::Error::new(Class::Data, "the body of a file can be read once, from front to back"));
        }
        while state.at < offset {
            let ahead = usize::try_from(offset.saturating_sub(state.at)).unwrap_or(usize::MAX).min(CHUNK_LEN);
            state.fill(&mut vec![0; ahead])?;
        }
        state.fill(buf)
    }
}

impl State<'_> {
    fn fill(&mut self, buf: &mut [u8]) -> ekv_model::Result<()> {
        let mut rest = buf;
        while !rest.is_empty() {
            match self.read(rest) {
                Ok(0) => {
                    self.is_short = true;
                    return Err(ekv_model::Error::new(Class::Data, "the body is shorter than its metadata says"));
                }
                Ok(len) => rest = rest.split_at_mut_checked(len).unwrap_or_default().1,
                Err(error) => {
                    self.failure = Some(error);
                    return Err(ekv_model::Error::new(Class::Environment, "the body cannot be read"));
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        loop {
            match self.input.read(buf) {
                Ok(len) => {
                    (self.watch)(buf.get(..len).unwrap_or_default());
                    self.at = self.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                    return Ok(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(error)),
            }
        }
    }
}
