//! Sorted digests, and what two of them differ in.

use std::cmp::Ordering;

use ekv_model::dynamodb::{ItemKey, KeyValue};
use ekv_model::{Name, Protocol, Result};
use ekv_spill::Sorted;
use ekv_text::ordered::{push_segment, split_segment, unescape};

use super::canonical::Sum;

/// Which part of a thing a digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Itself,
    Extension,
    Sequence,
}

/// A difference between two sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// Both have the thing, in another way.
    Contents,
    /// Only the first one has it.
    OnlyFirst,
    /// Only the second one has it.
    OnlySecond,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thing {
    /// Its address, for people.
    pub(crate) name: Name,
    pub(crate) part: Part,
}

/// The digests of all things of a source, in the order of their addresses.
pub(crate) struct Digests {
    sorted: Sorted,
    has_row: bool,
    key: Vec<u8>,
    sum: Sum,
    shown: Vec<u8>,
}

impl Digests {
    pub(super) fn new(sorted: Sorted) -> Self {
        Digests { sorted, has_row: false, key: Vec::new(), sum: Sum::default(), shown: Vec::new() }
    }

    fn advance(&mut self) -> Result<()> {
        let next = self.sorted.next().map_err(scratch_error)?;
        self.has_row = next.is_some();
        if let Some((key, row)) = next {
            self.key.clear();
            self.key.extend_from_slice(key);
            let (sum, shown) = row.split_first_chunk().unwrap_or((&[0; 32], &[]));
            self.sum = *sum;
            self.shown.clear();
            self.shown.extend_from_slice(shown);
        }
        Ok(())
    }

    /// Calls `report` for every difference, in the order of the addresses.
    ///
    /// # Errors
    /// A failing scratch file.
    pub(crate) fn compare(mut self, mut second: Digests, mut report: impl FnMut(Thing, Difference)) -> Result<()> {
        self.advance()?;
        second.advance()?;
        while self.has_row || second.has_row {
            let order = match (self.has_row, second.has_row) {
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                _ => self.key.cmp(&second.key),
            };
            match order {
                Ordering::Less => report(self.thing(), Difference::OnlyFirst),
                Ordering::Greater => report(second.thing(), Difference::OnlySecond),
                Ordering::Equal if self.sum != second.sum => report(self.thing(), Difference::Contents),
                Ordering::Equal => {}
            }
            if order.is_le() {
                self.advance()?;
            }
            if order.is_ge() {
                second.advance()?;
            }
        }
        Ok(())
    }

    fn thing(&self) -> Thing {
        let (head, rest) = self.key.split_first().map_or((0, &[][..]), |(head, rest)| (*head, rest));
        let protocol = Protocol::ALL.into_iter().find(|protocol| number(*protocol) == head).unwrap_or(Protocol::Redis);
        let (scope, rest) = split_segment(rest).unwrap_or((rest, &[]));
        let scope = unescape(scope);
        let (part, key) = rest.split_first().map_or((0, &[][..]), |(part, key)| (*part, key));
        let part = [Part::Extension, Part::Sequence].into_iter().find(|one| byte(*one) == part);
        // A key in a numbered scope may be empty, and is a key all the same.
        let is_scope = key.is_empty() && !protocol.has_numbered_scopes();
        let key = match (!self.shown.is_empty(), is_scope) {
            (true, _) => item_parts(&self.shown),
            (_, true) => Vec::new(),
            _ => vec![key.to_vec()],
        };
        Thing { name: Name { protocol, scope, key }, part: part.unwrap_or(Part::Itself) }
    }
}

/// Longest part of the key of an item that is kept for people, in bytes.
const SHOWN_LEN: usize = 128;

/// The key of an item for people; what it sorts by does not tell its text.
pub(super) fn shown_item(key: &ItemKey<'_>) -> Vec<u8> {
    let cut = |value: &KeyValue<'_>| value.bytes.get(..SHOWN_LEN).unwrap_or(value.bytes).to_vec();
    let hash = cut(&key.hash);
    let hash_len = u8::try_from(hash.len()).unwrap_or(u8::MAX);
    let range = key.range.as_ref().map(|range| [&[1], cut(range).as_slice()].concat()).unwrap_or_default();
    [&[hash_len], hash.as_slice(), &range].concat()
}

/// The parts of what [`shown_item`] has written.
fn item_parts(shown: &[u8]) -> Vec<Vec<u8>> {
    let (hash_len, rest) = shown.split_first().map_or((0, shown), |(len, rest)| (usize::from(*len), rest));
    let (hash, range) = rest.split_at_checked(hash_len).unwrap_or((rest, &[]));
    [hash].into_iter().chain(range.get(1..)).map(<[u8]>::to_vec).collect()
}

/// Writes the address of a row into `out`; addresses sort by protocol, scope and key.
pub(super) fn put_key(out: &mut Vec<u8>, protocol: Protocol, scope: &[u8], part: Part, key: &[u8]) {
    out.clear();
    out.push(number(protocol));
    push_segment(scope, out);
    out.push(byte(part));
    out.extend_from_slice(key);
}

/// A byte for each protocol.
fn number(protocol: Protocol) -> u8 {
    Protocol::ALL.into_iter().zip(0..).find(|(one, _)| *one == protocol).map_or(u8::MAX, |(_, number)| number)
}

fn byte(part: Part) -> u8 {
    match part {
        Part::Itself => 0,
        Part::Extension => 1,
        Part::Sequence => 2,
    }
}

pub(super) fn scratch_error(error: ekv_spill::Error) -> ekv_model::Error {
    ekv_snapshot::Error::from(error).into()
}
