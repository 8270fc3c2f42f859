//! `diff`: what two sources differ in, or one at two moments. Source: `docs/format/tree.md`, section 20.3.

use std::cmp::Ordering;
use std::sync::Arc;

use ekv_model::{Consumer, Event, Kind, Name, Protocol, Result, Size, Step, Thing, ThingKey, Things};
use ekv_spill::{Scratch, Sorted, Sorter};
use ekv_text::hex::hex;
use ekv_text::ordered::{push_segment, split_segment, unescape};
use ekv_text::protobuf::{put_varint, read_varint};
use ekv_text::{ByteCursor, shorten};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::look::{Enough, Look};
use super::source::Source;
use crate::digest::{Aspects, Fingerprint, Sum};
use crate::losses::{garbled_row, scratch_error};
use crate::progress::Progress;
use crate::{EventOptions, Resources};

/// Memory for sorting each side, in bytes.
const SORT_BUDGET: usize = 16 << 20;
/// Longest key by which things are sorted as it is; of a longer one the rest counts by its digest.
const KEY_LEN_MAX: usize = 1 << 20;
/// Longest address that is told, in characters.
const ADDRESS_LEN_MAX: usize = 1 << 20;
/// Stands for a table, bucket or queue in place of the kind of a thing.
const SCOPE: u8 = u8::MAX;

/// How sources are compared.
#[derive(Clone, Debug)]
pub struct DiffOptions {
    /// What is selected on both sides.
    pub events: EventOptions,
    /// Whether it counts who has received a message, and when it can be received again.
    pub strict_sqs: bool,
    /// Whether the first difference is enough.
    pub first_only: bool,
    /// What reading may take.
    pub resources: Resources,
}

/// What happened to a thing from the first side to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the second side has it.
    Added,
    /// Only the first side has it.
    Removed,
    /// It has another type.
    Type,
    /// It has another value.
    Value,
    /// It expires at another time, and is the same else.
    Expiry,
    /// Its value is the same, but not what describes it.
    Metadata,
}

impl Change {
    /// One character for it.
    pub fn mark(self) -> char {
        match self {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Type => 'T',
            Change::Value => '~',
            Change::Expiry => 'E',
            Change::Metadata => 'M',
        }
    }
}

/// One side of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its type: of a thing as `--type` takes it, else `table`, `bucket` or `queue`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Payload in bytes.
    pub bytes: u64,
    /// Elements of a Redis collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<u64>,
    /// Expiry in Unix milliseconds.
    pub expire_at_ms: Option<u64>,
    /// SHA-256 over its value in a form that is the same in snapshots and dumps, in hex.
    pub digest: String,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What is different.
    pub address: String,
    /// How.
    pub change: Change,
    /// Address of the database, table, bucket or queue.
    #[serde(skip)]
    pub scope: String,
    /// As the first side has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Side>,
    /// As the second side has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Side>,
}

/// What came of a comparison.
pub struct Compared {
    /// How many differences were told.
    pub differences: u64,
    /// What is known of the first side.
    pub first: Look,
    /// What is known of the second side.
    pub second: Look,
    /// Adapters that a side leaves out, so that they were not compared.
    pub not_compared: Vec<Protocol>,
}

/// Compares everything that is selected and calls `take` with each difference, in the order of protocols, scopes and keys.
///
/// Compared are type, value, expiry and what describes a thing, and the settings of tables, buckets and queues that every dump holds. Not
/// compared: when something was committed, and how it is stored. Cost: both are read once and sorted. Memory is bounded; scratch space about
/// 100 bytes and the name of each thing.
///
/// # Errors
/// As [`Source::look`]; those of `take`, which may end with [`Enough`].
pub fn diff(
    first: &mut Source,
    second: &mut Source,
    options: &DiffOptions,
    take: &mut dyn FnMut(&Difference) -> Result<()>,
    progress: &dyn Progress,
) -> Result<Compared> {
    let mut events = options.events.clone();
    let mut not_compared: Vec<Protocol> = [first.left_out(second), second.left_out(first)].concat();
    not_compared.retain(|adapter| events.adapters.contains(adapter) && events.scope.includes(*adapter));
    not_compared.sort_unstable();
    not_compared.dedup();
    events.adapters.retain(|adapter| !not_compared.contains(adapter));
    let side = |source: &mut Source| {
        diff_side(options, &mut |fingers, scratch| source.look(&events, fingers, scratch, progress))
    };
    let (first, second) = (side(first)?, side(second)?);
    Ok(Compared { not_compared, ..diff_sides(first, second, options, &mut |_| true, take)? })
}

/// One side of a comparison, in order.
pub(crate) struct DiffSide {
    rows: Rows,
    look: Look,
}

/// Compares two sides; what `is_told` does not accept is no difference.
///
/// # Errors
/// Of scratch files, and of `take`, which may end with [`Enough`].
pub(crate) fn diff_sides(
    first: DiffSide,
    second: DiffSide,
    options: &DiffOptions,
    is_told: &mut dyn FnMut(&Difference) -> bool,
    take: &mut dyn FnMut(&Difference) -> Result<()>,
) -> Result<Compared> {
    let (DiffSide { mut rows, look: first }, DiffSide { rows: mut others, look: second }) = (first, second);
    let mut compared = Compared { differences: 0, first, second, not_compared: Vec::new() };
    rows.advance()?;
    others.advance()?;
    while rows.has_row || others.has_row {
        let order = match (rows.has_row, others.has_row) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => rows.key.cmp(&others.key),
        };
        let difference = match order {
            // Most things are the same on both sides, to the byte.
            Ordering::Equal if rows.row == others.row => None,
            _ => Row::difference(
                order.is_le().then(|| rows.row()).transpose()?,
                order.is_ge().then(|| others.row()).transpose()?,
            ),
        };
        if let Some(difference) = difference.filter(|difference| is_told(difference)) {
            compared.differences = compared.differences.saturating_add(1);
            match take(&difference) {
                Err(error) if error.get_ref().is::<Enough>() => break,
                told => told?,
            }
            if options.first_only {
                break;
            }
        }
        if order.is_le() {
            rows.advance()?;
        }
        if order.is_ge() {
            others.advance()?;
        }
    }
    Ok(compared)
}

/// Hands everything to a consumer, and says what there was.
pub(crate) type LookInto<'l> = &'l mut dyn FnMut(&mut dyn Consumer, &Arc<dyn Scratch>) -> Result<Look>;

/// Reads one side and sorts it. `look` hands everything to the consumer, and says what there was.
///
/// # Errors
/// Of `look`, and of scratch files.
pub(crate) fn diff_side(options: &DiffOptions, look: LookInto<'_>) -> Result<DiffSide> {
    let scratch: Arc<dyn Scratch> = options.resources.scratch();
    let mut fingers = Fingers {
        things: Things::default(),
        aspects: Aspects::new(options.strict_sqs),
        sort_key: Vec::new(),
        key: Vec::new(),
        row: Vec::new(),
        rows: Sorter::new(Arc::clone(&scratch), SORT_BUDGET),
    };
    let look = look(&mut fingers, &scratch)?;
    let sorted = fingers.rows.finish().map_err(scratch_error)?;
    Ok(DiffSide { rows: Rows { sorted, has_row: false, key: Vec::new(), row: Vec::new() }, look })
}

/// Makes a row of everything that passes by.
struct Fingers {
    things: Things,
    aspects: Aspects,
    /// What the open item sorts by.
    sort_key: Vec<u8>,
    /// The row that is made.
    key: Vec<u8>,
    row: Vec<u8>,
    rows: Sorter,
}

impl Consumer for Fingers {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let fingerprint = self.aspects.event(&event)?;
        let scope = match event.step() {
            Step::Scope { name, is_gone: false, .. } => event.protocol().zip(Some(name)),
            Step::Thing { key: ThingKey::Item(key), .. } => {
                self.sort_key.clear();
                self.sort_key.extend_from_slice(key.sort_key);
                None
            }
            _ => None,
        };
        let Fingers { things, sort_key, key, row, rows, .. } = self;
        let thing = things.event(&event);
        key.clear();
        row.clear();
        match (scope, thing, fingerprint) {
            (Some((protocol, scope)), _, Some(fingerprint)) => {
                put_key(protocol, scope, None, key);
                Row { kind: SCOPE, fingerprint, ..Row::default() }.put(None, row);
            }
            (None, Some(thing), Some(fingerprint)) => {
                let Thing { kind, scope, key: name, size, expire_at_ms, .. } = thing;
                let own: &[u8] = match kind {
                    Kind::Item => sort_key,
                    _ => name.first().map_or(&[], Vec::as_slice),
                };
                put_key(kind.protocol(), scope, Some(own), key);
                // Any other address is known from the key.
                let has_address = kind == Kind::Item || own.len() > KEY_LEN_MAX;
                let address = has_address.then(|| shorten(&thing.address().to_string(), ADDRESS_LEN_MAX));
                let number = Kind::ALL.iter().position(|one| *one == kind).and_then(|at| u8::try_from(at).ok());
                let Size { bytes, elements } = size;
                Row { kind: number.unwrap_or(SCOPE), bytes, elements, expire_at_ms, fingerprint, ..Row::default() }
                    .put(address.as_deref(), row);
            }
            _ => return Ok(()),
        }
        rows.push(key, row).map_err(scratch_error)
    }
}

/// What rows are sorted by: protocol, scope, the scope itself before what is in it, key.
fn put_key(protocol: Protocol, scope: &[u8], key: Option<&[u8]>, row_key: &mut Vec<u8>) {
    let number = Protocol::ALL.iter().position(|one| *one == protocol).and_then(|at| u8::try_from(at).ok());
    row_key.push(number.unwrap_or(u8::MAX));
    push_segment(scope, row_key);
    let Some(key) = key else { return };
    row_key.push(1);
    row_key.extend_from_slice(key.get(..KEY_LEN_MAX).unwrap_or(key));
    if key.len() > KEY_LEN_MAX {
        row_key.extend_from_slice(&Sha256::digest(key));
    }
}

/// What [`put_key`] was given.
fn name_of(row_key: &[u8]) -> Option<Name> {
    let (number, rest) = row_key.split_first()?;
    let (scope, rest) = split_segment(rest)?;
    let key = rest.split_first().map(|(_, key)| key.to_vec()).into_iter().collect();
    Some(Name { protocol: *Protocol::ALL.get(usize::from(*number))?, scope: unescape(scope), key })
}

/// What is kept of a thing, or of a table, bucket or queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    /// Place in [`Kind::ALL`], or [`SCOPE`].
    kind: u8,
    bytes: u64,
    elements: Option<u64>,
    expire_at_ms: Option<u64>,
    fingerprint: Fingerprint,
    address: String,
    /// Address of the scope; known from the address.
    scope: String,
}

/// What a row has, in its second byte.
const HAS_ELEMENTS: u8 = 1;
const HAS_EXPIRY: u8 = 2;
const HAS_VALUE: u8 = 4;
const HAS_METADATA: u8 = 8;
const HAS_ADDRESS: u8 = 16;

impl Row {
    /// Appends the row, with its address if the key does not tell it. Equal rows have equal bytes.
    fn put(&self, address: Option<&str>, out: &mut Vec<u8>) {
        let Row { kind, bytes, elements, expire_at_ms, fingerprint: Fingerprint { value, metadata }, .. } = self;
        let has = |flag: u8, has: bool| if has { flag } else { 0 };
        let flags = has(HAS_ELEMENTS, elements.is_some())
            | has(HAS_EXPIRY, expire_at_ms.is_some())
            | has(HAS_VALUE, *value != Sum::default())
            | has(HAS_METADATA, *metadata != Sum::default())
            | has(HAS_ADDRESS, address.is_some());
        out.extend_from_slice(&[*kind, flags]);
        for number in [Some(*bytes), *elements, *expire_at_ms].into_iter().flatten() {
            put_varint(number, out);
        }
        for (flag, sum) in [(HAS_VALUE, value), (HAS_METADATA, metadata)] {
            if flags & flag != 0 {
                out.extend_from_slice(sum);
            }
        }
        out.extend_from_slice(address.unwrap_or_default().as_bytes());
    }

    /// What [`put_key`] and [`Row::put`] wrote.
    fn parse(key: &[u8], bytes: &[u8]) -> Option<Row> {
        let mut cursor = ByteCursor::new(bytes);
        let [kind, flags] = *cursor.take::<2>()?;
        let mut number = || read_varint(|| cursor.u8().ok_or(())).ok().flatten();
        let bytes = number()?;
        let elements = if flags & HAS_ELEMENTS != 0 { Some(number()?) } else { None };
        let expire_at_ms = if flags & HAS_EXPIRY != 0 { Some(number()?) } else { None };
        let mut sum = |flag| if flags & flag != 0 { cursor.take().copied() } else { Some(Sum::default()) };
        let fingerprint = Fingerprint { value: sum(HAS_VALUE)?, metadata: sum(HAS_METADATA)? };
        let address = match flags & HAS_ADDRESS != 0 {
            true => std::str::from_utf8(cursor.rest()).ok()?.to_owned(),
            false => shorten(&name_of(key)?.to_string(), ADDRESS_LEN_MAX),
        };
        let slash = address.find('/').map_or(address.len(), |at| at.saturating_add(1));
        let scope = address.get(..slash).unwrap_or_default().to_owned();
        Some(Row { kind, bytes, elements, expire_at_ms, fingerprint, address, scope })
    }

    /// What the sides of a thing differ in.
    fn difference(before: Option<Row>, after: Option<Row>) -> Option<Difference> {
        let change = match (&before, &after) {
            (Some(_), None) => Change::Removed,
            (None, Some(_)) => Change::Added,
            (before, after) => before.as_ref()?.change_to(after.as_ref()?)?,
        };
        let Row { address, scope, .. } = before.as_ref().or(after.as_ref())?.clone();
        let side = |row: Option<Row>| row.as_ref().map(Row::side);
        Some(Difference { address, change, scope, before: side(before), after: side(after) })
    }

    fn change_to(&self, after: &Row) -> Option<Change> {
        match () {
            () if self.kind != after.kind => Some(Change::Type),
            () if self.fingerprint.value != after.fingerprint.value => Some(Change::Value),
            () if self.fingerprint.metadata != after.fingerprint.metadata => Some(Change::Metadata),
            () if self.expire_at_ms != after.expire_at_ms => Some(Change::Expiry),
            () => None,
        }
    }

    fn side(&self) -> Side {
        let kind = match Kind::ALL.get(usize::from(self.kind)) {
            Some(kind) => kind.name(),
            None => Protocol::ALL
                .iter()
                .find(|protocol| self.address.split(':').next() == Some(protocol.name()))
                .map_or("scope", |protocol| protocol.scope_word()),
        };
        let Row { bytes, elements, expire_at_ms, fingerprint, .. } = self;
        let digest: &Sum = if self.kind == SCOPE { &fingerprint.metadata } else { &fingerprint.value };
        Side { kind, bytes: *bytes, elements: *elements, expire_at_ms: *expire_at_ms, digest: hex(digest) }
    }
}

/// The rows of a side, in order.
struct Rows {
    sorted: Sorted,
    has_row: bool,
    key: Vec<u8>,
    row: Vec<u8>,
}

impl Rows {
    fn advance(&mut self) -> Result<()> {
        let next = self.sorted.next().map_err(scratch_error)?;
        self.has_row = next.is_some();
        if let Some((key, row)) = next {
            for (own, next) in [(&mut self.key, key), (&mut self.row, row)] {
                own.clear();
                own.extend_from_slice(next);
            }
        }
        Ok(())
    }

    fn row(&self) -> Result<Row> {
        Row::parse(&self.key, &self.row).ok_or_else(garbled_row)
    }
}
