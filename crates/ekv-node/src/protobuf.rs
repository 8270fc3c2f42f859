//! Messages in the files of a Raft member, read by position.

use ekv_snapshot::{Error, Input, Result};
use ekv_text::protobuf::{Field, Fields, Malformed, Wire};
use ekv_text::{BytesAt, Window};

pub(crate) use ekv_text::protobuf::{Span, put_bytes, put_number};

/// Length of the buffer behind varints, in bytes.
const BUFFER_LEN: usize = 512;

/// How many fields and list elements may still be looked at, which bounds time and memory for hostile files.
pub(crate) struct Budget {
    left: u32,
}

impl Budget {
    pub(crate) fn new(field_count: u32) -> Self {
        Budget { left: field_count }
    }

    fn spend(&mut self) -> Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| Error::from(Malformed::TooManyFields))?;
        Ok(())
    }
}

/// Calls `f` with number and value of every field of the message that lies in `span`.
///
/// # Errors
/// `Invalid` for a malformed message, a failing read, or the first error of `f`.
pub(crate) fn for_each_field(
    input: &Input,
    span: Span,
    budget: &mut Budget,
    mut f: impl FnMut(&mut Budget, u64, Wire) -> Result<()>,
) -> Result<()> {
    let (mut bytes, mut fields) = open(input, span);
    while let Some(at) = fields.position() {
        let next = budget.spend().and_then(|()| fields.next(&mut bytes));
        if let Some(Field { number, content }) = next.map_err(|e| e.at(at))? {
            f(budget, number, content).map_err(|e| e.at(at))?;
        }
    }
    Ok(())
}

/// Calls `f` with the elements of a packed list.
pub(crate) fn packed_varints(input: &Input, span: Span, budget: &mut Budget, mut f: impl FnMut(u64)) -> Result<()> {
    let (mut bytes, mut elements) = open(input, span);
    while let Some(element) = elements.next_varint(&mut bytes)? {
        budget.spend()?;
        f(element);
    }
    Ok(())
}

fn open(input: &Input, span: Span) -> (Window<Bytes<'_>>, Fields) {
    let len = span.len.min(input.len.saturating_sub(span.start));
    (Window::new(Bytes(input), BUFFER_LEN), Fields::of(Span { len, ..span }))
}

struct Bytes<'i>(&'i Input);

impl BytesAt for Bytes<'_> {
    type Error = Error;

    fn byte_count(&self) -> u64 {
        self.0.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if self.0.fill_at(offset, buf)? < buf.len() { Err(Malformed::BeyondEnd.into()) } else { Ok(()) }
    }
}
