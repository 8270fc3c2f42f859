//! LZF: what servers compress strings with.
//!
//! Source: `docs/format/rdb.md`, section 1.3.

use std::sync::Arc;

use ekv_spill::{Scratch, Spool, Spooled};

use super::cursor::Cursor;
use super::fault::{Fault, Result};
use crate::file_len;

/// How far back a copy reaches, in bytes.
const DISTANCE_MAX: usize = 1 << 13;
/// Control bytes below it are followed by so many literals, and one.
const LITERALS: u8 = 32;
/// A copy whose length goes on in the next byte.
const LONG: u8 = 7;
/// How many times its length compressed bytes can have at most: three stand for 264.
const RATIO_MAX: u64 = 88;
/// Bytes that are gathered before they go to scratch space.
const PENDING_LEN: usize = 64 << 10;

/// Refuses what no compressed string is that long.
pub(super) fn check(cursor: &Cursor<'_>, packed_len: u64, len: u64) -> Result<()> {
    cursor.check_left(packed_len)?;
    if len == 0 || len > packed_len.saturating_mul(RATIO_MAX) {
        return Err(cursor.fault(Fault::Lzf("it cannot be as long as it says")));
    }
    Ok(())
}

/// Appends what `packed_len` bytes stand for, which is `len` bytes.
pub(super) fn decompress(cursor: &mut Cursor<'_>, packed_len: u64, len: u64, to: &mut Vec<u8>) -> Result<()> {
    run(cursor, packed_len, len, to, &mut |_| Ok(()))
}

/// As [`decompress`], into a spool, in fixed memory.
pub(super) fn spool(cursor: &mut Cursor<'_>, packed_len: u64, len: u64, scratch: &Arc<dyn Scratch>) -> Result<Spooled> {
    let mut spool = Spool::new(Arc::clone(scratch), 0);
    let mut pending = Vec::new();
    run(cursor, packed_len, len, &mut pending, &mut |pending| {
        if pending.len() >= PENDING_LEN + DISTANCE_MAX {
            let done = pending.len() - DISTANCE_MAX;
            spool.write_all(pending.get(..done).unwrap_or_default())?;
            pending.drain(..done);
        }
        Ok(())
    })?;
    spool.write_all(&pending)?;
    Ok(spool.into_reader()?)
}

/// Appends to `to`, of which `pass_on` may take all but the last bytes away after each step.
fn run(
    cursor: &mut Cursor<'_>,
    packed_len: u64,
    len: u64,
    to: &mut Vec<u8>,
    pass_on: &mut dyn FnMut(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let end = cursor.offset().saturating_add(packed_len);
    let mut made = 0_u64;
    while cursor.offset() < end {
        let control = cursor.byte()?;
        let step = if control < LITERALS {
            let step = usize::from(control) + 1;
            let literals = cursor.take(step)?;
            to.extend_from_slice(literals);
            step
        } else {
            let more = if control >> 5 == LONG { cursor.byte()? } else { 0 };
            let step = usize::from(control >> 5) + usize::from(more) + 2;
            let distance = usize::from(u16::from_be_bytes([control & 0x1f, cursor.byte()?])) + 1;
            let Some(from) = to.len().checked_sub(distance) else {
                return Err(cursor.fault(Fault::Lzf("it repeats what comes before its beginning")));
            };
            if distance >= step {
                to.extend_from_within(from..from + step);
            } else {
                for at in from..from + step {
                    let byte = to.get(at).copied().unwrap_or(0);
                    to.push(byte);
                }
            }
            step
        };
        made = made.saturating_add(file_len(step));
        if made > len {
            return Err(cursor.fault(Fault::Lzf("it is longer than it says")));
        }
        pass_on(to)?;
    }
    match made == len && cursor.offset() == end {
        true => Ok(()),
        false => Err(cursor.fault(Fault::Lzf("it is not as long as it says"))),
    }
}

#[cfg(test)]
mod tests {
    use ekv_model::Body;
    use ekv_spill::SystemScratch;

    use super::*;

    fn both(packed: &[u8], len: u64) -> Result<Vec<u8>> {
        let cursor = || Cursor::of_body(Body::Inline(packed));
        let mut text = Vec::new();
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let spooled = spool(&mut cursor(), file_len(packed.len()), len, &scratch);
        decompress(&mut cursor(), file_len(packed.len()), len, &mut text)?;
        let mut again = Vec::new();
        std::io::Read::read_to_end(&mut spooled?.reader(), &mut again).unwrap();
        assert!(again == text);
        Ok(text)
    }

    #[test]
    fn hundred_letters_are_those_of_a_server_and_long_texts_go_through_scratch_space() {
        let packed = [0x01, b'a', b'a', 0xe0, 0x57, 0x00, 0x01, b'a', b'a'];
        assert_eq!(both(&packed, 100).unwrap(), [b'a'; 100]);
        let mut long = packed.to_vec();
        let mut expected = vec![b'a'; 100];
        for n in 0..2000_u16 {
            let [high, low] = n.to_be_bytes();
            long.extend([1, high, low, 0xe0, 0xff, low.min(90)]);
            expected.extend([high, low]);
            let from = expected.len() - usize::from(low.min(90)) - 1;
            (from..from + 264).for_each(|at| expected.push(expected[at]));
        }
        assert!(both(&long, file_len(expected.len())).unwrap() == expected);
    }

    #[test]
    fn what_is_no_compressed_text_is_refused() {
        let cases: [(&[u8], u64); 5] =
            [(b"\x01aa", 1), (b"\x01aa", 3), (b"\x02aa", 3), (b"\x00a\x20\x01", 4), (b"\x00a\xe0", 10)];
        for (packed, len) in cases {
            assert!(both(packed, len).is_err(), "{}", packed.escape_ascii());
        }
        let cursor = Cursor::of_body(Body::Inline(b"abc"));
        assert!(check(&cursor, 3, 264).is_ok());
        assert!(check(&cursor, 3, 265).is_err() && check(&cursor, 4, 8).is_err() && check(&cursor, 3, 0).is_err());
    }
}
