//! Reads in a thread of its own, a few blocks ahead of who needs the bytes.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

/// Bytes in a block: to wake the other side costs little beside filling it.
const BLOCK_LEN: usize = 512 << 10;
/// Blocks that there are: waiting to be taken, in use, and used.
const BLOCKS_MAX: usize = 6;

/// The bytes of an input that another thread reads. It ends with the input, with the first error, and when this is dropped.
///
/// Cost: at most 6 blocks of 512 KiB.
pub(crate) struct Ahead {
    /// A block without bytes is the end.
    blocks: Receiver<io::Result<Vec<u8>>>,
    give_back: Sender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
}

impl Ahead {
    /// Begins to read.
    ///
    /// # Errors
    /// Gives the input back if there are no threads.
    pub(crate) fn start<R: Read + Send + 'static>(input: R) -> Result<Self, R> {
        let ((give, blocks), (give_back, spare), (lend, lent)) = (channel(), channel(), channel());
        let thread = Builder::new().name("unpack".to_owned()).spawn(move || {
            if let Ok(input) = lent.recv() {
                read(input, &give, &spare);
            }
        });
        if thread.is_err() {
            return Err(input);
        }
        for _ in 0..BLOCKS_MAX {
            // A thread that has ended needs none.
            let _ = give_back.send(Vec::new());
        }
        lend.send(input).map_err(|refused| refused.0)?;
        Ok(Ahead { blocks, give_back, block: Vec::new(), at: 0 })
    }
}

fn read(mut input: impl Read, give: &Sender<io::Result<Vec<u8>>>, spare: &Receiver<Vec<u8>>) {
    // Whoever takes the blocks may be gone.
    while let Ok(mut block) = spare.recv() {
        block.clear();
        block.reserve_exact(BLOCK_LEN);
        let read = input.by_ref().take(u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX)).read_to_end(&mut block);
        // What came before an error counts.
        let error = read.err();
        let is_last = error.is_some() || block.is_empty();
        if (error.is_none() || !block.is_empty()) && give.send(Ok(block)).is_err() {
            return;
        }
        if let Some(error) = error {
            let _ = give.send(Err(error));
        }
        if is_last {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            let next = self.blocks.recv();
            let block = next.map_err(|_| io::Error::other("the thread that reads ahead has ended"))??;
            self.at = 0;
            // At the end this block stays, and is asked for again.
            let used = std::mem::replace(&mut self.block, block);
            if self.block.is_empty() {
                return Ok(0);
            }
            let _ = self.give_back.send(used);
        }
        let len = self.block.get(self.at..).unwrap_or_default().read(buf)?;
        self.at = self.at.saturating_add(len);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives bytes in pieces of odd lengths, and then an error if there is one.
    struct Trickle(Vec<u8>, usize, Option<io::Error>);

    impl Read for Trickle {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.1 == self.0.len() {
                return self.2.take().map_or(Ok(0), Err);
            }
            let len = self.0[self.1..].len().min(buf.len()).min(70_001);
            buf[..len].copy_from_slice(&self.0[self.1..self.1 + len]);
            self.1 += len;
            Ok(len)
        }
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 9 & 0xff).unwrap()).collect()
    }

    fn start(input: Trickle) -> Ahead {
        Ahead::start(input).unwrap_or_else(|_| panic!("no thread"))
    }

    #[test]
    fn bytes_are_those_of_the_input_whatever_its_length() {
        for len in [0, 1, BLOCK_LEN - 1, BLOCK_LEN, BLOCK_LEN + 1, BLOCK_LEN * (BLOCKS_MAX + 3)] {
            let mut read = Vec::new();
            start(Trickle(bytes(len), 0, None)).read_to_end(&mut read).unwrap();
            assert!(read == bytes(len), "{len}");
        }
    }

    #[test]
    fn error_comes_behind_the_bytes_that_were_read_before_it() {
        for len in [0, 5, BLOCK_LEN, BLOCK_LEN + 5] {
            let mut ahead = start(Trickle(bytes(len), 0, Some(io::Error::from_raw_os_error(5))));
            let mut read = Vec::new();
            assert_eq!(ahead.read_to_end(&mut read).unwrap_err().raw_os_error(), Some(5), "{len}");
            assert!(read == bytes(len), "{len}");
        }
    }

    #[test]
    fn thread_that_panics_is_no_end_of_the_input() {
        struct Panics;
        impl Read for Panics {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("on purpose")
            }
        }
        let mut ahead = Ahead::start(Panics).unwrap_or_else(|_| panic!("no thread"));
        assert!(ahead.read(&mut [0; 9]).is_err());
    }
}
