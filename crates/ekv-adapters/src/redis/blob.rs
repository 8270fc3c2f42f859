//! Hashes, sets and sorted sets that one record holds as a message. Source: `docs/format/redis.md`, section 2.9.

use ekv_model::payload::element_len;
use ekv_model::redis::{CollectionKind, CollectionSize, Element};
use ekv_model::{ByteSource, KEY_LEN_MAX, Result};
use ekv_snapshot::{Range, StoredValue, Visible};
use ekv_spill::{Sorted, Sorter};

use super::collection::{CollectionExpiry, CollectionFate, Seen, begin, element, end};
use super::expiry::ExpiryVerdict;
use super::keys::put_counted;
use super::ranks::Ranks;
use super::scalars::shadowed;
use super::selected::Selected;
use super::wide_kind::WideKind;
use super::{BareKeys, Options, findings};
use crate::protobuf::{Content, Malformed, Message, is_utf8};
use crate::run::scratch_error;
use crate::{Outcome, Run};

/// Memory for sorting the elements of one blob, in bytes.
const SORT_BUDGET_BYTES: usize = 4 << 20;
/// Bytes of the magic.
const MAGIC_LEN: usize = 4;

fn magic(kind: CollectionKind) -> [u8; MAGIC_LEN] {
    let letter = match kind {
        CollectionKind::Hash => b'H',
        CollectionKind::ZSet => b'Z',
        CollectionKind::Set | CollectionKind::List | CollectionKind::Stream { .. } => b'S',
    };
    [0x00, b'R', letter, 0x01]
}

/// Emits the collections of a kind that exist as a blob only; those with other records have been dealt with.
pub(super) fn decode(run: &mut Run<'_>, options: &Options, kind: &WideKind, selected: &Selected<'_>) -> Result<()> {
    if run.visible(kind.blob) == 0 {
        return Ok(());
    }
    let mut ranks = Ranks::above(run, kind.blob_rank, options.bare_keys == BareKeys::Strings);
    let mut expiry = CollectionExpiry::new(run);
    let mut scan = run.view().scan();
    for range in selected.plain(kind.blob.prefix()) {
        scan.seek(range)?;
        while let Some(found) = scan.next_visible()? {
            let key = found.user_key.get(kind.blob.prefix().len()..).unwrap_or(&[]);
            if !selected.contains(key) {
                continue;
            }
            let outcome = match ranks.winner(key)? {
                Some(kept) if kept == kind.rank => continue,
                Some(kept) => {
                    shadowed(run, key, kept, kind.blob_rank);
                    Outcome::Shadowed
                }
                None => match expiry.fate(run, options, key, None)? {
                    CollectionFate::Damaged => Outcome::Lost,
                    CollectionFate::Known(ExpiryVerdict::Drop) => Outcome::Expired,
                    CollectionFate::Known(ExpiryVerdict::Keep(at_ms)) => {
                        emit(run, options, kind, key, &found, at_ms, Seen::default().expiry(&expiry))?
                    }
                },
            };
            run.account(kind.blob, outcome, 1)?;
        }
    }
    // What is still open lies beside metadata of its own kind with a damaged value header, which no range read shows.
    match run.unaccounted(kind.blob) {
        0 => Ok(()),
        left => beside_damaged_metadata(run, kind, selected, &mut ranks, left),
    }
}

/// Names and accounts for the blobs of which nothing else is visible, while the metadata record beside them is damaged: all `left` ones,
/// if everything is selected.
fn beside_damaged_metadata(
    run: &mut Run<'_>,
    kind: &WideKind,
    selected: &Selected<'_>,
    ranks: &mut Ranks,
    left: u64,
) -> Result<()> {
    let view = run.view();
    let mut metas = view.lookup();
    let mut others = [kind.elements, kind.deltas].map(|family| (family, view.probe()));
    let mut user_key = Vec::new();
    let mut named = 0_u64;
    let mut scan = view.scan();
    for range in selected.plain(kind.blob.prefix()) {
        scan.seek(range)?;
        while named < left
            && let Some(found) = scan.next_visible()?
        {
            let key = found.user_key.get(kind.blob.prefix().len()..).unwrap_or(&[]);
            if !selected.contains(key) || ranks.winner(key)? != Some(kind.rank) {
                continue;
            }
            put_counted(&mut user_key, kind.meta.prefix(), key);
            let mut is_alone = metas.get(&user_key)?.is_some_and(|meta| meta.is_damaged);
            for (family, probe) in &mut others {
                put_counted(&mut user_key, family.prefix(), key);
                probe.seek(Range::prefix(&user_key))?;
                is_alone = is_alone && probe.next_visible()?.is_none();
            }
            if is_alone {
                named = named.saturating_add(1);
                run.record_finding(findings::INVALID_META, key, Some(found.byte_offset), || {
                    "the metadata beside it has a damaged value header".to_owned()
                });
            }
            run.monitor().advance(0)?;
        }
    }
    let left = if selected.is_everything { left } else { named };
    run.record_findings(findings::INVALID_META, left.saturating_sub(named));
    run.account(kind.blob, Outcome::Lost, left)
}

/// Emits the collection that a blob holds; a damaged blob is a finding and `Lost`.
pub(super) fn emit(
    run: &mut Run<'_>,
    options: &Options,
    kind: &WideKind,
    key: &[u8],
    found: &Visible<'_>,
    expire_at_ms: Option<u64>,
    mut seen: Seen,
) -> Result<Outcome> {
    let elements = if found.is_damaged { Err(Malformed) } else { read(run, kind.collection, &found.body)? };
    let mut sorted = match elements {
        Ok(sorted) => sorted,
        Err(Malformed) => {
            run.record_finding(findings::INVALID_BLOB, key, Some(found.byte_offset), || {
                format!("{} value of {} bytes does not parse", kind.blob.name(), found.body.len())
            });
            return Ok(Outcome::Lost);
        }
    };
    seen.record(found);
    if run.looks_ahead()
        && let Ok(sorted) = read(run, kind.collection, &found.body)?
    {
        seen.size = Some(size(kind.collection, sorted)?);
    }
    begin(run, options, kind.collection, key, expire_at_ms, seen)?;
    // Of repeated names the last one counts.
    let mut last: Option<(Vec<u8>, Vec<u8>)> = None;
    while let Some((name, payload)) = sorted.next().map_err(scratch_error)? {
        let next = (name.to_vec(), payload.to_vec());
        if let Some((name, payload)) = last.replace(next)
            && last.as_ref().is_some_and(|(next, _)| *next != name)
        {
            emit_element(run, options, kind, key, (&name, &payload), &found.body)?;
        }
    }
    if let Some((name, payload)) = last {
        emit_element(run, options, kind, key, (&name, &payload), &found.body)?;
    }
    end(run, options)?;
    Ok(Outcome::Emitted)
}

/// How large a collection is; of repeated names the last one counts.
fn size(kind: CollectionKind, mut sorted: Sorted) -> Result<CollectionSize> {
    let mut size = CollectionSize::default();
    let mut last: Option<(Vec<u8>, u64)> = None;
    while let Some((name, payload)) = sorted.next().map_err(scratch_error)? {
        let value_len = if kind == CollectionKind::Hash { number(payload, 8) } else { 0 };
        let element = match kind {
            CollectionKind::ZSet => Element::Scored { member: name, score: 0.0 },
            _ => Element::Member(name),
        };
        let len = element_len(&element).saturating_add(value_len);
        match &mut last {
            Some((last, last_len)) if last == name => {
                size.bytes = size.bytes.saturating_sub(*last_len).saturating_add(len);
                *last_len = len;
            }
            _ => {
                size.elements = size.elements.saturating_add(1);
                size.bytes = size.bytes.saturating_add(len);
                last = Some((name.to_vec(), len));
            }
        }
    }
    Ok(size)
}

/// The number that stands at a place in the payload of an element.
fn number(payload: &[u8], at: usize) -> u64 {
    payload.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn emit_element(
    run: &mut Run<'_>,
    options: &Options,
    kind: &WideKind,
    key: &[u8],
    (name, payload): (&[u8], &[u8]),
    blob: &StoredValue<'_>,
) -> Result<()> {
    match kind.collection {
        CollectionKind::Hash => {
            let value = blob.slice(number(payload, 0), number(payload, 8));
            element(run, options, Element::Field { name, value: value.body() })
        }
        CollectionKind::ZSet => {
            let score = f64::from_bits(number(payload, 0));
            if score.is_nan() {
                run.record_finding(findings::NAN_SCORE, key, None, || format!("member {}", ekv_text::Percent(name)));
            }
            element(run, options, Element::Scored { member: name, score })
        }
        _ => element(run, options, Element::Member(name)),
    }
}

/// Sorts the elements by name; the payload is where a hash value lies in the blob, or the bits of a score.
fn read(run: &Run<'_>, kind: CollectionKind, blob: &StoredValue<'_>) -> Result<Result<Sorted, Malformed>> {
    let mut sorter = Sorter::new(run.scratch(), SORT_BUDGET_BYTES);
    if !blob.is_empty() {
        if !blob.head().starts_with(&magic(kind)) {
            return Ok(Err(Malformed));
        }
        let mut message = Message::new(blob.after(MAGIC_LEN));
        loop {
            let field = match message.next_field()? {
                Ok(Some(field)) => field,
                Ok(None) => break,
                Err(malformed) => return Ok(Err(malformed)),
            };
            let (1, Content::Bytes(content)) = (field.number, field.content) else { continue };
            let entry = match kind {
                CollectionKind::Hash | CollectionKind::ZSet => entry(&content, blob)?,
                _ => Ok(Entry { name: Some(content), ..Entry::default() }),
            };
            let Ok(entry) = entry else { return Ok(Err(Malformed)) };
            let Some(name) = read_name(entry.name.as_ref())? else { return Ok(Err(Malformed)) };
            let payload = match kind {
                CollectionKind::Hash => [entry.value.0.to_be_bytes(), entry.value.1.to_be_bytes()].concat(),
                CollectionKind::ZSet => entry.score_bits.to_be_bytes().to_vec(),
                _ => Vec::new(),
            };
            sorter.push(&name, &payload).map_err(scratch_error)?;
        }
    }
    Ok(Ok(sorter.finish().map_err(scratch_error)?))
}

/// An entry message of a hash or sorted set.
#[derive(Default)]
struct Entry<'a> {
    name: Option<StoredValue<'a>>,
    /// Start and length of a hash value inside the blob.
    value: (u64, u64),
    score_bits: u64,
}

fn entry<'a>(content: &StoredValue<'a>, blob: &StoredValue<'a>) -> Result<Result<Entry<'a>, Malformed>> {
    let mut entry = Entry::default();
    let mut message = Message::new(*content);
    loop {
        let field = match message.next_field()? {
            Ok(Some(field)) => field,
            Ok(None) => return Ok(Ok(entry)),
            Err(malformed) => return Ok(Err(malformed)),
        };
        match (field.number, field.content) {
            (1, Content::Bytes(name)) => entry.name = Some(name),
            (2, Content::Bytes(value)) => {
                if !is_utf8(&value)? {
                    return Ok(Err(Malformed));
                }
                entry.value = (value.byte_offset().saturating_sub(blob.byte_offset()), value.len());
            }
            (2, Content::Fixed64(bits)) => entry.score_bits = bits,
            _ => {}
        }
    }
}

/// The bytes of a name; `None` if they are not UTF-8 or too many.
fn read_name(name: Option<&StoredValue<'_>>) -> Result<Option<Vec<u8>>> {
    let Some(name) = name else { return Ok(Some(Vec::new())) };
    if usize::try_from(name.len()).map_or(true, |len| len > KEY_LEN_MAX) || !is_utf8(name)? {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(name.len()).unwrap_or(0)];
    match name.whole() {
        Some(whole) => bytes.copy_from_slice(whole),
        None => name.read_exact_at(0, &mut bytes)?,
    }
    Ok(Some(bytes))
}
