//! Streams. Source: `docs/format/redis.md`, sections 2.8 and 5.5.

use ekv_model::Result;
use ekv_model::payload::element_len;
use ekv_model::redis::{CollectionKind, Element, StreamId};
use ekv_snapshot::{Range, RangeScan, StoredValue, Visible};

use super::collection::{CollectionExpiry, CollectionFate, Damage, Seen, begin, element, end};
use super::expiry::ExpiryVerdict;
use super::keys::split_counted;
use super::meta::StreamMeta;
use super::ranks::{Rank, Ranks};
use super::scalars::shadowed;
use super::selected::Selected;
use super::{BareKeys, Options, findings};
use crate::protobuf::{Content, Malformed, Message, is_utf8};
use crate::{Family, Outcome, Run};

/// What every entry value begins with.
pub(super) const ENTRY_MAGIC: &[u8] = &[0x00, 0x52, 0x58, 0x45, 0x01];

/// Number of the field with the id of an entry.
pub(super) const FIELD_ID: u64 = 1;
/// Number of the fields with names and values.
pub(super) const FIELD_TEXT: u64 = 2;

/// Emits every stream that clients see, in the order of key length and key bytes.
pub(super) fn decode(run: &mut Run<'_>, options: &Options, selected: &Selected<'_>) -> Result<()> {
    if run.visible(Family::StreamMeta) > 0 || run.visible(Family::StreamEntry) > 0 {
        let mut streams = Streams {
            options,
            selected,
            entries: run.view().scan(),
            ranks: Ranks::above(run, Rank::Stream, options.bare_keys == BareKeys::Strings),
            expiry: CollectionExpiry::new(run),
        };
        let mut beginnings = selected.counted(run, &[(Family::StreamMeta, None), (Family::StreamEntry, None)]);
        while let Some(beginning) = beginnings.next()? {
            streams.run(run, &beginning)?;
        }
    }
    blobs(run, options, selected)
}

/// The server shows a stream of the old one-record form as an empty stream; there is nothing to write.
fn blobs(run: &mut Run<'_>, options: &Options, selected: &Selected<'_>) -> Result<()> {
    if run.visible(Family::RedisStreamBlob) == 0 {
        return Ok(());
    }
    let mut ranks = Ranks::above(run, Rank::StreamBlob, options.bare_keys == BareKeys::Strings);
    let mut expiry = CollectionExpiry::new(run);
    let mut scan = run.view().scan();
    for range in selected.plain(Family::RedisStreamBlob.prefix()) {
        scan.seek(range)?;
        while let Some(found) = scan.next_visible()? {
            let key = found.user_key.get(Family::RedisStreamBlob.prefix().len()..).unwrap_or(&[]);
            if !selected.contains(key) {
                continue;
            }
            match ranks.winner(key)? {
                Some(kept) => shadowed(run, key, kept, Rank::StreamBlob),
                None => {
                    expiry.pass(run, key)?;
                    run.record_finding(findings::STREAM_BLOB, key, Some(found.byte_offset), || {
                        "shown as an empty stream".to_owned()
                    });
                }
            }
            run.account(Family::RedisStreamBlob, Outcome::Shadowed, 1)?;
        }
    }
    Ok(())
}

struct Streams<'o> {
    options: &'o Options,
    selected: &'o Selected<'o>,
    entries: RangeScan,
    ranks: Ranks,
    expiry: CollectionExpiry,
}

/// The metadata records of one stream.
#[derive(Default)]
struct Metas {
    records: u64,
    /// Whether the stream exists: there is a record at exactly its key.
    exists: bool,
    meta: Option<StreamMeta>,
    damage: Option<Damage>,
    seen: Seen,
}

/// What a first look at the entries of one stream told.
#[derive(Default)]
struct Survey {
    visible: u64,
    trimmed: u64,
    /// Greatest id of the visible entries.
    last: StreamId,
    damage: Option<Damage>,
    seen: Seen,
}

impl Streams<'_> {
    /// Deals with the streams of which `beginning` follows the family prefixes.
    fn run(&mut self, run: &mut Run<'_>, beginning: &[u8]) -> Result<()> {
        let below = |family: Family| Range::prefix(&[family.prefix(), beginning].concat());
        self.entries.seek(below(Family::StreamEntry))?;
        self.entries.next_visible()?;
        let mut scan = run.view().scan_range(below(Family::StreamMeta))?;
        scan.next_visible()?;
        let mut group = Vec::new();
        while let Some(found) = scan.current() {
            let rest = meta_rest(&found);
            let Some((key, tail)) = split_counted(rest) else {
                if self.selected.is_everything {
                    let at = Some(found.byte_offset);
                    run.record_finding(findings::INVALID_KEY, rest, at, || {
                        "stream metadata key does not parse".to_owned()
                    });
                    run.account(Family::StreamMeta, Outcome::Lost, 1)?;
                }
                scan.next_visible()?;
                continue;
            };
            let key_start = rest.len().saturating_sub(tail.len()).saturating_sub(key.len());
            group.clear();
            group.extend_from_slice(rest.strip_suffix(tail).unwrap_or(rest));
            let metas = gather(&mut scan, &group)?;
            self.orphans_below(run, Some(&group))?;
            let key = group.get(key_start..).unwrap_or(&[]);
            if !self.selected.contains(key) {
                while self.tail(&group).is_some() {
                    run.monitor().advance(0)?;
                    self.entries.next_visible()?;
                }
                continue;
            }
            let outcome = self.stream(run, &group, key, &metas)?;
            run.account(Family::StreamMeta, outcome, metas.records)?;
        }
        self.orphans_below(run, None)
    }

    /// What follows the family prefix in the current entry's key.
    fn rest(&self) -> Option<&[u8]> {
        self.entries.current().and_then(|found| found.user_key.get(Family::StreamEntry.prefix().len()..))
    }

    fn tail(&self, group: &[u8]) -> Option<&[u8]> {
        self.rest().and_then(|rest| rest.strip_prefix(group))
    }

    /// Accounts for entries of streams without metadata, up to the group given.
    fn orphans_below(&mut self, run: &mut Run<'_>, group: Option<&[u8]>) -> Result<()> {
        let mut last: Option<Vec<u8>> = None;
        while let Some(rest) = self.rest() {
            if group.is_some_and(|group| rest >= group) {
                break;
            }
            let at = self.entries.current().map(|found| found.byte_offset);
            let outcome = match split_counted(rest) {
                Some((key, _)) if !self.selected.contains(key) => None,
                Some((key, _)) => {
                    if last.as_deref() != Some(key) {
                        run.record_finding(findings::STREAM_ORPHAN_ENTRIES, key, at, || {
                            "entries without metadata".to_owned()
                        });
                        last = Some(key.to_vec());
                    }
                    Some(Outcome::Orphaned)
                }
                None if !self.selected.is_everything => None,
                None => {
                    run.record_finding(findings::INVALID_KEY, rest, at, || {
                        "stream entry key does not parse".to_owned()
                    });
                    Some(Outcome::Lost)
                }
            };
            if let Some(outcome) = outcome {
                run.account(Family::StreamEntry, outcome, 1)?;
            }
            self.entries.next_visible()?;
        }
        Ok(())
    }

    /// Emits or accounts for a stream and its entries; returns the outcome of its metadata.
    fn stream(&mut self, run: &mut Run<'_>, group: &[u8], key: &[u8], metas: &Metas) -> Result<Outcome> {
        if let (false, Some(damage)) = (metas.exists, &metas.damage) {
            damage.note(run, key);
            return Ok(Outcome::Lost);
        }
        let start = self.entries.mark();
        let trimmed = metas.meta.map_or(StreamId::default(), |meta| meta.trimmed);
        let survey = self.survey(run, group, key, trimmed)?;
        if let Some(kept) = self.ranks.winner(key)? {
            shadowed(run, key, kept, Rank::Stream);
            return account(run, &survey, Outcome::Shadowed, Outcome::Shadowed);
        }
        let damage = metas.damage.as_ref().or(survey.damage.as_ref());
        let (Some(meta), None) = (metas.meta, damage) else {
            self.expiry.pass(run, key)?;
            if let Some(damage) = damage {
                damage.note(run, key);
            }
            return account(run, &survey, Outcome::Lost, Outcome::Lost);
        };
        let expire_at_ms = match self.expiry.fate(run, self.options, key, Some(meta.expiry))? {
            CollectionFate::Damaged => return account(run, &survey, Outcome::Lost, Outcome::Lost),
            CollectionFate::Known(ExpiryVerdict::Drop) => {
                return account(run, &survey, Outcome::Expired, Outcome::Expired);
            }
            CollectionFate::Known(ExpiryVerdict::Keep(at_ms)) => at_ms,
        };
        if meta.len != survey.visible {
            let (declared, observed) = (meta.len, survey.visible);
            run.record_finding(findings::STREAM_LENGTH_MISMATCH, key, None, || {
                format!("stored length {declared}, observed entries {observed}")
            });
        }
        if meta.last < survey.last {
            run.record_finding(findings::STREAM_LAST, key, None, || {
                let (stored, observed) = (meta.last, survey.last);
                format!("stored last id {}-{}, greatest entry {}-{}", stored.ms, stored.seq, observed.ms, observed.seq)
            });
        }
        let last = meta.last.max(survey.last);
        let commit_ts = survey.seen.commit_ts.max(metas.seen.commit_ts);
        let seen = Seen { commit_ts, size: Some(survey.seen.size.unwrap_or_default()) };
        begin(run, self.options, CollectionKind::Stream { last }, key, expire_at_ms, seen.expiry(&self.expiry))?;
        self.entries.rewind(&start)?;
        while let (Some(tail), Some(found)) = (self.tail(group), self.entries.current()) {
            if let Some(id) = parse_id(tail).filter(|id| is_visible(*id, trimmed)) {
                emit_entry(run, self.options, id, &found.body)?;
            }
            self.entries.next_visible()?;
        }
        end(run, self.options)?;
        account(run, &survey, Outcome::Emitted, Outcome::Joined)
    }

    /// Reads all entries of the stream once, checks them and moves beyond them.
    fn survey(&mut self, run: &mut Run<'_>, group: &[u8], key: &[u8], trimmed: StreamId) -> Result<Survey> {
        let mut survey = Survey::default();
        while let (Some(tail), Some(found)) = (self.tail(group), self.entries.current()) {
            let at = found.byte_offset;
            let id = parse_id(tail);
            match id {
                Some(id) if !is_visible(id, trimmed) => survey.trimmed = survey.trimmed.saturating_add(1),
                _ => {
                    survey.visible = survey.visible.saturating_add(1);
                    survey.last = survey.last.max(id.unwrap_or_default());
                }
            }
            let problem = match id {
                None => Some(format!("entry key with {} bytes after the stream's name, expected 16", tail.len())),
                Some(id) if !is_visible(id, trimmed) => None,
                Some(id) => match check_entry(&found.body, id)? {
                    Ok(Checked { canonical, texts_len }) => {
                        survey.seen.record(&found);
                        survey.seen.element(element_len(&Element::EntryBegin(id)).saturating_add(texts_len));
                        if !canonical {
                            run.record_finding(findings::STREAM_ID, key, Some(at), || {
                                format!("entry {}-{}", id.ms, id.seq)
                            });
                        }
                        None
                    }
                    Err(Malformed) => Some(format!("entry {}-{} does not parse", id.ms, id.seq)),
                },
            };
            if let Some(detail) = problem {
                survey.damage.get_or_insert(Damage::at(at, findings::INVALID_STREAM_ENTRY, detail));
            }
            self.entries.next_visible()?;
        }
        Ok(survey)
    }
}

/// What follows the family prefix in the key of a metadata record.
fn meta_rest<'f>(found: &Visible<'f>) -> &'f [u8] {
    found.user_key.get(Family::StreamMeta.prefix().len()..).unwrap_or(&[])
}

/// Reads all metadata records of one stream and moves beyond them.
fn gather(scan: &mut RangeScan, group: &[u8]) -> Result<Metas> {
    let mut metas = Metas::default();
    while let Some(found) = scan.current() {
        let Some(tail) = meta_rest(&found).strip_prefix(group) else { break };
        metas.records = metas.records.saturating_add(1);
        metas.seen.record(&found);
        if tail.is_empty() {
            metas.exists = true;
            metas.meta = found.body.whole().and_then(StreamMeta::parse);
            if metas.meta.is_none() {
                let detail = format!("stream metadata of {} bytes does not parse", found.body.len());
                metas.damage.get_or_insert(Damage::at(found.byte_offset, findings::INVALID_META, detail));
            }
        } else {
            let detail = "bytes after the Redis key of a metadata record".to_owned();
            metas.damage.get_or_insert(Damage::at(found.byte_offset, findings::INVALID_KEY, detail));
        }
        scan.next_visible()?;
    }
    Ok(metas)
}

/// Whether an entry lies above the trim cursor.
fn is_visible(id: StreamId, trimmed: StreamId) -> bool {
    id > trimmed || trimmed == StreamId::default()
}

fn parse_id(tail: &[u8]) -> Option<StreamId> {
    let (ms, seq) = tail.split_first_chunk::<8>()?;
    let seq = <[u8; 8]>::try_from(seq).ok()?;
    Some(StreamId { ms: u64::from_be_bytes(*ms), seq: u64::from_be_bytes(seq) })
}

/// What follows the counted Redis key in the key of an entry.
pub(super) fn id_suffix(id: StreamId) -> [u8; 16] {
    let mut suffix = [0; 16];
    let (ms, seq) = suffix.split_at_mut(8);
    ms.copy_from_slice(&id.ms.to_be_bytes());
    seq.copy_from_slice(&id.seq.to_be_bytes());
    suffix
}

fn account(run: &mut Run<'_>, survey: &Survey, entries: Outcome, meta: Outcome) -> Result<Outcome> {
    let trimmed = if entries == Outcome::Emitted { Outcome::Orphaned } else { entries };
    run.account(Family::StreamEntry, entries, survey.visible)?;
    run.account(Family::StreamEntry, trimmed, survey.trimmed)?;
    Ok(meta)
}

/// The message of an entry value, behind its magic.
fn message<'a>(value: &StoredValue<'a>) -> Result<Message<'a>, Malformed> {
    if !value.head().starts_with(ENTRY_MAGIC) {
        return Err(Malformed);
    }
    Ok(Message::new(value.after(ENTRY_MAGIC.len())))
}

/// What is known of an entry that parses.
struct Checked {
    /// Whether the id text in it is the canonical one.
    canonical: bool,
    /// Bytes of its field names and values.
    texts_len: u64,
}

/// Checks an entry value.
fn check_entry(value: &StoredValue<'_>, id: StreamId) -> Result<Result<Checked, Malformed>> {
    let mut message = match message(value) {
        Ok(message) => message,
        Err(malformed) => return Ok(Err(malformed)),
    };
    let (mut texts, mut texts_len, mut canonical) = (0_u64, 0_u64, false);
    loop {
        let field = match message.next_field()? {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(malformed) => return Ok(Err(malformed)),
        };
        let Content::Bytes(text) = field.content else { continue };
        match field.number {
            FIELD_ID => {
                canonical = text.whole() == Some(format!("{}-{}", id.ms, id.seq).as_bytes());
                if !is_utf8(&text)? {
                    return Ok(Err(Malformed));
                }
            }
            FIELD_TEXT => {
                texts = texts.wrapping_add(1);
                texts_len = texts_len.saturating_add(text.len());
                if !is_utf8(&text)? {
                    return Ok(Err(Malformed));
                }
            }
            _ => {}
        }
    }
    Ok(if texts % 2 == 0 { Ok(Checked { canonical, texts_len }) } else { Err(Malformed) })
}

/// Emits an entry that has been checked.
fn emit_entry(run: &mut Run<'_>, options: &Options, id: StreamId, value: &StoredValue<'_>) -> Result<()> {
    element(run, options, Element::EntryBegin(id))?;
    if let Ok(mut message) = message(value) {
        let mut name: Option<StoredValue<'_>> = None;
        while let Ok(Some(field)) = message.next_field()? {
            let (FIELD_TEXT, Content::Bytes(text)) = (field.number, field.content) else { continue };
            match name.take() {
                None => name = Some(text),
                Some(name) => {
                    element(run, options, Element::EntryField { name: name.body(), value: text.body() })?;
                }
            }
        }
    }
    element(run, options, Element::EntryEnd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trim_cursor_zero_hides_nothing_and_any_other_hides_up_to_itself() {
        let id = |ms, seq| StreamId { ms, seq };
        assert!(is_visible(id(0, 0), id(0, 0)));
        assert!(!is_visible(id(1, 1), id(1, 1)));
        assert!(!is_visible(id(1, 0), id(1, 1)));
        assert!(is_visible(id(1, 2), id(1, 1)));
        assert!(!is_visible(id(u64::MAX, u64::MAX), id(u64::MAX, u64::MAX)));
    }

    #[test]
    fn id_suffixes_sort_as_their_ids_and_read_back() {
        let ids = [(0, 0), (0, 1), (1, 0), (2, 0), (10, 0), (u64::MAX, u64::MAX)].map(|(ms, seq)| StreamId { ms, seq });
        assert!(ids.map(id_suffix).is_sorted());
        assert!(ids.iter().all(|id| parse_id(&id_suffix(*id)) == Some(*id)));
    }

    #[test]
    fn entry_key_needs_exactly_sixteen_bytes_behind_the_name() {
        for len in 0..24_usize {
            assert_eq!(parse_id(&vec![0; len]).is_some(), len == 16, "{len}");
        }
    }
}
