//! A stream that becomes an object.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

use ekv_aws::s3::PARTS_MAX;
use sha2::{Digest, Sha256};

use crate::{Error, Meta, Mode, PartTag, Parts, Remote, Result, WHOLE_LEN_MAX};

/// Parts by their length: up to the first number they are as long as the second says, in bytes. Objects of every length in use take far fewer parts
/// than stores allow, and short ones wait for little.
const PART_LENS: [(u32, usize); 3] = [(2_000, WHOLE_LEN_MAX), (5_000, 32 << 20), (9_000, 64 << 20)];
/// Bytes of parts that are on their way at once, besides the one that is filled.
const IN_FLIGHT_LEN_MAX: usize = 64 << 20;

/// An object that is written like a file. Until it is finished nothing is to be seen of it; if it is dropped before, its parts are forgotten.
///
/// Memory: 96 MiB for objects of up to 31 GiB, 128 MiB for longer ones.
pub struct Upload {
    remote: Arc<dyn Remote>,
    key: String,
    mode: Mode,
    /// The part that is filled.
    part: Vec<u8>,
    /// Its number.
    number: u32,
    parts: Option<Arc<dyn Parts>>,
    in_flight: VecDeque<(usize, JoinHandle<Result<PartTag>>)>,
    done: Vec<PartTag>,
    sha256: Sha256,
    len: u64,
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// What the store says of it.
    pub meta: Meta,
    /// SHA-256 of all its bytes.
    pub sha256: [u8; 32],
    /// Parts that it was written in; 1 if it was one request.
    pub parts: u32,
}

impl Upload {
    /// Begins an object; nothing is sent yet.
    pub fn new(remote: Arc<dyn Remote>, key: impl Into<String>, mode: Mode) -> Self {
        Upload {
            remote,
            key: key.into(),
            mode,
            part: Vec::new(),
            number: 1,
            parts: None,
            in_flight: VecDeque::new(),
            done: Vec::new(),
            sha256: Sha256::new(),
            len: 0,
        }
    }

    /// Makes the object of what was written.
    ///
    /// # Errors
    /// [`Error::Exists`] in [`Mode::Create`]; of the service. Nothing is to be seen then.
    pub fn finish(mut self) -> Result<Uploaded> {
        let meta = match &self.parts {
            None => self.remote.put(&self.key, &self.part, self.mode)?,
            Some(_) => {
                self.send_part()?;
                while !self.in_flight.is_empty() {
                    self.await_part()?;
                }
                let Some(parts) = &self.parts else { return Err(self.unfit("its parts are gone".to_owned())) };
                let meta = parts.complete(&self.done)?;
                self.parts = None;
                meta
            }
        };
        if meta.len != self.len {
            return Err(self.unfit(format!("it has {} bytes there, of {} that were sent", meta.len, self.len)));
        }
        let sha256 = std::mem::take(&mut self.sha256).finalize().into();
        Ok(Uploaded { meta, sha256, parts: u32::try_from(self.done.len()).unwrap_or(u32::MAX).max(1) })
    }

    /// Forgets what was written.
    ///
    /// # Errors
    /// Of the service: parts may be left there, which are not to be seen but cost money.
    pub fn abort(mut self) -> Result<()> {
        self.forget()
    }

    fn forget(&mut self) -> Result<()> {
        // A part that arrives behind the abort would stay.
        for (_, thread) in self.in_flight.drain(..) {
            let _ = thread.join();
        }
        self.parts.take().map_or(Ok(()), |parts| parts.abort())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<usize> {
        let room = self.part_len()?.saturating_sub(self.part.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.part.extend_from_slice(taken);
        self.sha256.update(taken);
        self.len = self.len.saturating_add(u64::try_from(taken.len()).unwrap_or(u64::MAX));
        // The last part is sent when it is known to be the last.
        if taken.len() < bytes.len() {
            self.send_part()?;
        }
        Ok(taken.len())
    }

    fn part_len(&self) -> Result<usize> {
        let len = PART_LENS.iter().find(|(last, _)| self.number <= *last).map(|(_, len)| *len);
        len.ok_or_else(|| Error::TooLong { place: self.remote.place(&self.key), len_max: self.len })
    }

    /// Sends the part that is filled, as soon as there is room for it.
    fn send_part(&mut self) -> Result<()> {
        let parts = match &self.parts {
            Some(parts) => Arc::clone(parts),
            None => {
                let parts: Arc<dyn Parts> = Arc::from(self.remote.begin(&self.key, self.mode)?);
                self.parts = Some(Arc::clone(&parts));
                parts
            }
        };
        let bytes = std::mem::take(&mut self.part);
        let len = bytes.len();
        while !self.in_flight.is_empty() && self.in_flight_len().saturating_add(len) > IN_FLIGHT_LEN_MAX {
            self.await_part()?;
        }
        let number = self.number;
        let thread =
            std::thread::Builder::new().name(format!("part-{number}")).spawn(move || parts.put(number, &bytes));
        let thread = thread.map_err(|error| self.unfit(format!("no thread for a part of it: {error}")))?;
        self.in_flight.push_back((len, thread));
        self.number = number.saturating_add(1);
        Ok(())
    }

    fn in_flight_len(&self) -> usize {
        self.in_flight.iter().fold(0, |sum, (len, _)| sum.saturating_add(*len))
    }

    fn await_part(&mut self) -> Result<()> {
        let Some((_, thread)) = self.in_flight.pop_front() else { return Ok(()) };
        let part = thread.join().map_err(|_| self.unfit("a thread that sent a part of it ended early".to_owned()))?;
        self.done.push(part?);
        Ok(())
    }

    fn unfit(&self, what: String) -> Error {
        Error::Unfit { place: self.remote.place(&self.key), what }
    }
}

impl Write for Upload {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut taken = 0;
        // A full part takes nothing; it is on its way then, and the next one takes something.
        while taken == 0 {
            taken = self.add(buf)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = self.forget();
    }
}

const _: () = assert!(PART_LENS[2].0 < PARTS_MAX);
