//! Reads an input in a thread of its own, a few blocks ahead of who needs them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use crate::checksum::Checksum;
use crate::{Input, Result};

/// Bytes of the input in a block.
const BLOCK_LEN: usize = 256 << 10;
/// Room before them, for what is left of the block before.
const ROOM_LEN: usize = 8 << 10;
/// Blocks that there are: waiting to be taken, in use, and used. Enough that neither side waits for a slice of the other's time.
const BLOCKS_MAX: usize = 12;
/// Blocks that go back together: to wake the thread for each one costs as much as to fill it.
const GIVEN_BACK_AT_ONCE: usize = 4;
/// Shorter inputs are read as fast without a thread.
const INPUT_LEN_MIN: u64 = 4 << 20;

/// A stretch of the input.
pub(crate) struct Block {
    /// Room, then bytes of the input.
    pub(crate) bytes: Vec<u8>,
    /// Where the bytes of the input begin.
    pub(crate) start: usize,
    /// The checksum up to the end of this block.
    pub(crate) checksum: Checksum,
}

/// A thread that reads and hashes. It ends with the input, with the first error, and when this is dropped.
///
/// Cost: at most 12 blocks of 264 KiB.
pub(crate) struct ReadAhead {
    blocks: Receiver<Result<Block>>,
    used: Vec<Vec<u8>>,
    give_back: Sender<Vec<Vec<u8>>>,
}

impl ReadAhead {
    /// Starts at the front of an input; `None` if that is not worth a thread, or there are no threads.
    pub(crate) fn start(input: &Input) -> Option<Self> {
        if input.len < INPUT_LEN_MIN {
            return None;
        }
        let (give, blocks) = channel();
        let (give_back, spare) = channel();
        let input = input.clone();
        let thread = Builder::new().name("read".to_owned()).spawn(move || read(&input, &give, &spare));
        thread.ok().map(|_| ReadAhead { blocks, used: Vec::new(), give_back })
    }

    /// The next block; `None` behind the last one.
    ///
    /// # Errors
    /// A failing read, once.
    pub(crate) fn next(&mut self) -> Result<Option<Block>> {
        self.blocks.recv().ok().transpose()
    }

    /// Gives a buffer back to be filled again.
    pub(crate) fn give_back(&mut self, buffer: Vec<u8>) {
        self.used.push(buffer);
        if self.used.len() >= GIVEN_BACK_AT_ONCE {
            // A thread that has ended needs none.
            let _ = self.give_back.send(std::mem::take(&mut self.used));
        }
    }
}

fn read(input: &Input, give: &Sender<Result<Block>>, spare: &Receiver<Vec<Vec<u8>>>) {
    let mut checksum = Checksum::new(input);
    let mut offset = 0_u64;
    let mut free = vec![Vec::new(); BLOCKS_MAX];
    while offset < input.len {
        if free.is_empty() {
            // Whoever took the blocks may be gone.
            free = spare.recv().unwrap_or_default();
        }
        let Some(mut bytes) = free.pop() else { return };
        bytes.resize(ROOM_LEN + BLOCK_LEN, 0);
        let filled = input.fill_at(offset, bytes.get_mut(ROOM_LEN..).unwrap_or_default());
        let block = filled.map(|filled| {
            bytes.truncate(ROOM_LEN.saturating_add(filled));
            checksum.add(bytes.get(ROOM_LEN..).unwrap_or_default());
            offset = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            Block { bytes, start: ROOM_LEN, checksum }
        });
        let is_last = block.is_err();
        if give.send(block).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sequential::Sequential;
    use crate::{FooterPolicy, MemoryInput};
    use ekv_model::NoMonitor;

    fn input(len: usize) -> Input {
        let bytes: Vec<u8> =
            (0..len).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 7 & 0xff).unwrap()).collect();
        Input {
            source: Arc::new(MemoryInput(bytes.into())),
            len: u64::try_from(len).unwrap(),
            name: "memory".to_owned(),
            footer: FooterPolicy::Optional,
            token_crc32c: None,
        }
    }

    #[test]
    fn bytes_and_checksum_are_those_of_a_reader_without_a_thread() {
        let input = input((5 << 20) + 3);
        assert!(ReadAhead::start(&input).is_some());
        let mut plain = Sequential::new(&input, &NoMonitor);
        let mut ahead = Sequential::new(&input, &NoMonitor).reading_ahead();
        // Looks far beyond a block and its room, and skips over several blocks.
        for (look, skip) in [(16, 16), (300_000, 299_990), (1 << 20, 5), (9, 700_001), (0, 0)].into_iter().cycle() {
            if plain.left() < (2 << 20) {
                break;
            }
            assert_eq!(plain.ahead(look).unwrap(), ahead.ahead(look).unwrap());
            plain.skip(skip).unwrap();
            ahead.skip(skip).unwrap();
            assert_eq!(plain.offset(), ahead.offset());
        }
        let ending = plain.finish().unwrap();
        assert!(ending.is_some());
        assert_eq!(ending, ahead.finish().unwrap());
    }

    #[test]
    fn short_input_is_read_without_a_thread() {
        assert!(ReadAhead::start(&input(1000)).is_none());
    }

    #[test]
    fn file_that_became_shorter_is_reported_where_it_ends() {
        let whole = input(6 << 20);
        let shorter = Input { len: whole.len + (1 << 20), ..whole };
        let mut ahead = Sequential::new(&shorter, &NoMonitor).reading_ahead();
        let error = ahead.skip(shorter.len).unwrap_err();
        assert!(error.to_string().contains("read the snapshot"), "{error}");
    }
}
