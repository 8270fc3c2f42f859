//! Strings, in any of their forms.
//!
//! Source: `docs/format/rdb.md`, section 1.3.

use std::io::Write;
use std::sync::Arc;

use ekv_model::{Body, ByteSource};
use ekv_spill::{Scratch, Spooled};

use super::cursor::{Cursor, LengthOrForm, WINDOW_LEN};
use super::fault::{Fault, Result, Stop};
use super::lzf;
use crate::file_len;

/// Compressed strings of so many bytes are decompressed in memory.
const LZF_MEMORY_LEN: u64 = 1 << 20;

const INT8: u8 = 0;
const INT16: u8 = 1;
const INT32: u8 = 2;
const LZF: u8 = 3;

/// What a string begins with.
enum Form {
    Raw(u64),
    Integer(i64),
    Lzf { packed_len: u64, len: u64 },
}

/// A part of a source.
pub(super) struct Slice<'s> {
    pub(super) source: &'s dyn ByteSource,
    pub(super) start: u64,
    pub(super) len: u64,
}

impl ByteSource for Slice<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        self.source.read_exact_at(self.start.saturating_add(offset), buf)
    }
}

/// Keeps the bytes of a string that do not lie in the window as they are.
pub(super) struct Held<'s> {
    scratch: Arc<dyn Scratch>,
    text: Vec<u8>,
    spooled: Option<Spooled>,
    slice: Option<Slice<'s>>,
}

impl<'s> Held<'s> {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        Held { scratch: Arc::clone(scratch), text: Vec::new(), spooled: None, slice: None }
    }

    /// Passes a string and returns it.
    pub(super) fn string<'a>(&'a mut self, cursor: &'a mut Cursor<'s>) -> Result<Body<'a>> {
        match form(cursor)? {
            Form::Raw(len) => match usize::try_from(len).ok().filter(|len| *len <= WINDOW_LEN) {
                Some(len) => Ok(Body::Inline(cursor.take(len)?)),
                None => self.long(cursor, len),
            },
            Form::Integer(value) => {
                self.text.clear();
                push_decimal(&mut self.text, value);
                Ok(Body::Inline(&self.text))
            }
            Form::Lzf { packed_len, len } if len <= LZF_MEMORY_LEN => {
                self.text.clear();
                lzf::decompress(cursor, packed_len, len, &mut self.text)?;
                Ok(Body::Inline(&self.text))
            }
            Form::Lzf { packed_len, len } => {
                let spooled = lzf::spool(cursor, packed_len, len, &self.scratch)?;
                Ok(self.spooled.insert(spooled).body())
            }
        }
    }

    fn long<'a>(&'a mut self, cursor: &'a mut Cursor<'s>, len: u64) -> Result<Body<'a>> {
        let start = cursor.offset();
        match cursor.source() {
            Some(source) => {
                cursor.skip(len)?;
                Ok(Body::Streamed(self.slice.insert(Slice { source, start, len })))
            }
            None => cursor.take(usize::try_from(len).unwrap_or(usize::MAX)).map(Body::Inline),
        }
    }
}

/// Passes a string without looking at it.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Result<()> {
    match form(cursor)? {
        Form::Raw(len) | Form::Lzf { packed_len: len, .. } => cursor.skip(len),
        Form::Integer(_) => Ok(()),
    }
}

fn form(cursor: &mut Cursor<'_>) -> Result<Form> {
    Ok(match cursor.length_or_form()? {
        LengthOrForm::Length(len) => {
            cursor.check_left(len)?;
            Form::Raw(len)
        }
        LengthOrForm::Form(INT8) => Form::Integer(i8::from_le_bytes(cursor.array()?).into()),
        LengthOrForm::Form(INT16) => Form::Integer(i16::from_le_bytes(cursor.array()?).into()),
        LengthOrForm::Form(INT32) => Form::Integer(i32::from_le_bytes(cursor.array()?).into()),
        LengthOrForm::Form(LZF) => {
            let (packed_len, len) = (cursor.length()?, cursor.length()?);
            lzf::check(cursor, packed_len, len)?;
            Form::Lzf { packed_len, len }
        }
        LengthOrForm::Form(_) => return Err(cursor.fault(Fault::Length("no string has this special form"))),
    })
}

/// Writes a whole number as text.
pub(super) fn push_decimal(to: &mut Vec<u8>, value: i64) {
    // Writing into memory cannot fail.
    let _ = write!(to, "{value}");
}

/// Puts a string of at most `max` bytes into `to`; `what` it is, messages say.
pub(super) fn load(body: Body<'_>, what: &'static str, max: usize, to: &mut Vec<u8>) -> Result<()> {
    to.clear();
    if body.len() > file_len(max) {
        return Err(Stop::Fault(Fault::TooLong { what, max: file_len(max) }, 0));
    }
    let append = |chunk: &[u8]| {
        to.extend_from_slice(chunk);
        Ok(())
    };
    Ok(body.for_each_chunk(append)?)
}

#[cfg(test)]
mod tests {
    use ekv_model::InMemory;
    use ekv_spill::SystemScratch;
    use ekv_testkit::vectors::hex;

    use super::*;

    fn string(bytes: &[u8]) -> Result<Vec<u8>> {
        let source = InMemory(bytes);
        let mut cursor = Cursor::of(&source);
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut held = Held::new(&scratch);
        let mut text = Vec::new();
        let body = held.string(&mut cursor)?;
        body.for_each_chunk(|chunk| {
            text.extend_from_slice(chunk);
            Ok(())
        })?;
        assert_eq!(cursor.left(), 0);
        let mut skipped = Cursor::of(&source);
        skip(&mut skipped)?;
        assert_eq!(skipped.left(), 0);
        Ok(text)
    }

    #[test]
    fn strings_of_all_forms_are_those_of_a_server() {
        let cases: [(&str, &[u8]); 6] = [
            ("0568656c6c6f", b"hello"),
            ("00", b""),
            ("c0fb", b"-5"),
            ("c12c01", b"300"),
            ("c270110100", b"70000"),
            ("c309 4064 016161 e05700 016161", &[b'a'; 100]),
        ];
        for (bytes, text) in cases {
            assert_eq!(string(&hex(bytes)).unwrap(), text, "{bytes}");
        }
        let long = vec![7; 300_000];
        let mut bytes = Vec::new();
        crate::length::push_string(&mut bytes, &long);
        assert!(string(&bytes).unwrap() == long);
    }

    #[test]
    fn torn_and_unknown_strings_are_refused() {
        for bytes in ["05 6865", "c0", "c4 00", "c3 09 7fff 016161 e05700 016161", "81 8000000000000000 00"] {
            assert!(matches!(string(&hex(bytes)), Err(Stop::Fault(..))), "{bytes}");
        }
    }
}
