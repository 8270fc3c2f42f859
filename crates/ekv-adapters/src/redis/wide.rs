//! Hashes, sets and sorted sets: one record per element, metadata and length changes beside them.
//!
//! Source: `docs/format/redis.md`, sections 2.5, 2.7, 3 to 5. All families of a kind put a counted Redis key behind their prefix,
//! so that the records of one key are neighbours in each of them and keys come in the same order in all of them.

use ekv_model::payload::element_len;
use ekv_model::redis::Element;
use ekv_model::{FileOffset, Result};
use ekv_snapshot::{Lookup, Mark, Range, RangeScan, StoredValue};
use ekv_spill::Sorter;

use super::collection::{CollectionExpiry, CollectionFate, Damage, Seen, begin, element, end};
use super::expiry::ExpiryVerdict;
use super::keys::{DELTA_TAIL_LEN, put_plain, split_counted};
use super::late::Late;
use super::meta::{CountMeta, parse_count_delta};
use super::ranks::Ranks;
use super::scalars::shadowed;
use super::selected::Selected;
use super::wide_kind::WideKind;
use super::{BareKeys, Options, blob, findings};
use crate::{Family, Outcome, Run};

/// Memory for element names of one collection that arrive out of order, in bytes.
const LATE_BUDGET_BYTES: usize = 1 << 20;

/// Emits every collection of a kind that clients see, in the order of key length and key bytes; then those that exist as blobs only.
pub(super) fn decode(run: &mut Run<'_>, options: &Options, kind: &WideKind, selected: &Selected<'_>) -> Result<()> {
    if [kind.elements, kind.meta, kind.deltas].iter().any(|family| run.visible(*family) > 0) {
        let mut wide = Wide::new(run, options, kind, selected);
        let families = [(kind.elements, None), (kind.meta, Some(kind.deltas.prefix())), (kind.deltas, None)];
        let mut beginnings = selected.counted(run, &families);
        while let Some(beginning) = beginnings.next()? {
            wide.seek(&beginning)?;
            while wide.next_key()? {
                wide.collection(run)?;
            }
        }
        if selected.is_everything {
            behind_deltas(run, kind)?;
        }
    }
    blob::decode(run, options, kind, selected)
}

/// Accounts for metadata records that sort behind the deltas: their length field is larger than any key.
fn behind_deltas(run: &mut Run<'_>, kind: &WideKind) -> Result<()> {
    if run.unaccounted(kind.meta) == 0 {
        return Ok(());
    }
    let mut scan = run.view().scan_range(Range::prefix(kind.meta.prefix()).starting_at(kind.deltas.prefix()))?;
    while let Some(found) = scan.next_visible()? {
        if !found.user_key.starts_with(kind.deltas.prefix()) {
            let rest = found.user_key.get(kind.meta.prefix().len()..).unwrap_or(&[]);
            unreadable(run, kind.meta, rest, found.byte_offset)?;
        }
    }
    Ok(())
}

/// Notes and accounts for an element or metadata record whose Redis key cannot be read.
fn unreadable(run: &mut Run<'_>, family: Family, rest: &[u8], byte_offset: FileOffset) -> Result<()> {
    run.record_finding(findings::INVALID_KEY, rest, Some(byte_offset), || {
        format!("{} key does not parse", family.name())
    });
    run.account(family, Outcome::Lost, 1)
}

/// The records of one family, walked key by key.
struct Lane {
    family: Family,
    scan: RangeScan,
}

impl Lane {
    fn new(run: &Run<'_>, family: Family) -> Self {
        Lane { family, scan: run.view().scan() }
    }

    /// Goes to the first record of which `beginning` follows the family prefix, below the raw key `end`.
    fn seek(&mut self, beginning: &[u8], end: Option<&[u8]>) -> Result<()> {
        let range = Range::prefix(&[self.family.prefix(), beginning].concat());
        self.scan.seek(match end {
            Some(end) => range.ending_before(end),
            None => range,
        })?;
        self.advance()
    }

    /// What follows the family prefix in the current user key; `None` at the end.
    fn rest(&self) -> Option<&[u8]> {
        self.scan.current().and_then(|found| found.user_key.get(self.family.prefix().len()..))
    }

    /// What follows the counted key `group` in the current user key; `None` if the record belongs to another group.
    fn tail(&self, group: &[u8]) -> Option<&[u8]> {
        self.rest().and_then(|rest| rest.strip_prefix(group))
    }

    fn advance(&mut self) -> Result<()> {
        self.scan.next_visible()?;
        Ok(())
    }
}

struct Wide<'o> {
    kind: &'o WideKind,
    options: &'o Options,
    selected: &'o Selected<'o>,
    elements: Lane,
    metas: Lane,
    deltas: Lane,
    ranks: Ranks,
    expiry: CollectionExpiry,
    late: Lookup,
    blobs: Lookup,
    has_blobs: bool,
    /// The counted key of the collection at hand, as it stands behind the family prefixes.
    group: Vec<u8>,
    user_key: Vec<u8>,
}

/// What a first look at the records of one key told.
#[derive(Default)]
struct Survey {
    elements: u64,
    metas: u64,
    deltas: u64,
    /// Whether a metadata record is at exactly the key, and not behind it.
    has_meta: bool,
    meta: Option<CountMeta>,
    /// Sum of the length changes.
    delta_sum: i64,
    /// Names that are smaller than one before them, if there are any.
    late: Option<Sorter>,
    /// Why the collection cannot be written.
    damage: Option<Damage>,
    seen: Seen,
}

impl<'o> Wide<'o> {
    fn new(run: &Run<'_>, options: &'o Options, kind: &'o WideKind, selected: &'o Selected<'o>) -> Self {
        Wide {
            kind,
            options,
            selected,
            elements: Lane::new(run, kind.elements),
            metas: Lane::new(run, kind.meta),
            deltas: Lane::new(run, kind.deltas),
            ranks: Ranks::above(run, kind.rank, options.bare_keys == BareKeys::Strings),
            expiry: CollectionExpiry::new(run),
            late: run.view().lookup(),
            blobs: run.view().lookup(),
            has_blobs: run.can_find(kind.blob),
            group: Vec::new(),
            user_key: Vec::new(),
        }
    }

    /// Goes to the records of which `beginning` follows the family prefix.
    fn seek(&mut self, beginning: &[u8]) -> Result<()> {
        self.elements.seek(beginning, None)?;
        // Deltas lie inside the range of the metadata, whose length field makes it sort before them.
        self.metas.seek(beginning, Some(self.kind.deltas.prefix()))?;
        self.deltas.seek(beginning, None)
    }

    /// Finds the smallest counted key that any family has a record of.
    fn next_key(&mut self) -> Result<bool> {
        let smallest = [&self.elements, &self.metas, &self.deltas].into_iter().filter_map(Lane::rest).min();
        let Some(rest) = smallest else { return Ok(false) };
        let group_len = split_counted(rest).map_or(rest.len(), |(_, tail)| rest.len().saturating_sub(tail.len()));
        let group = rest.get(..group_len).unwrap_or(rest);
        self.group.clear();
        self.group.extend_from_slice(group);
        Ok(true)
    }
}

impl Wide<'_> {
    /// Emits or accounts for everything that the families hold of the collection at hand, and moves beyond it.
    fn collection(&mut self, run: &mut Run<'_>) -> Result<()> {
        let group = std::mem::take(&mut self.group);
        let outcome = match split_counted(&group) {
            Some((key, _)) if self.selected.contains(key) => self.collection_of(run, &group, key),
            None if self.selected.is_everything => self.unreadable(run, &group),
            _ => self.pass(run, &group),
        };
        self.group = group;
        outcome
    }

    /// Moves beyond records that are not selected.
    fn pass(&mut self, run: &Run<'_>, group: &[u8]) -> Result<()> {
        for lane in [&mut self.elements, &mut self.metas, &mut self.deltas] {
            while lane.tail(group).is_some() {
                run.monitor().advance(0)?;
                lane.advance()?;
            }
        }
        Ok(())
    }

    /// Records whose Redis key cannot be read.
    fn unreadable(&mut self, run: &mut Run<'_>, rest: &[u8]) -> Result<()> {
        for lane in [&mut self.elements, &mut self.metas] {
            while let Some(found) = lane.scan.current().filter(|_| lane.rest() == Some(rest)) {
                unreadable(run, lane.family, rest, found.byte_offset)?;
                lane.advance()?;
            }
        }
        while let Some(found) = self.deltas.scan.current().filter(|_| self.deltas.rest() == Some(rest)) {
            let detail = || "the key of a length record does not parse".to_owned();
            run.record_finding(findings::INVALID_AUXILIARY, rest, Some(found.byte_offset), detail);
            run.account(self.deltas.family, Outcome::Joined, 1)?;
            self.deltas.advance()?;
        }
        Ok(())
    }

    fn collection_of(&mut self, run: &mut Run<'_>, group: &[u8], key: &[u8]) -> Result<()> {
        let start = self.elements.scan.mark();
        let mut survey = self.survey(run, group, key)?;
        if let (false, Some(damage)) = (survey.exists(), &survey.damage) {
            damage.note(run, key);
            return self.account(run, &survey, Outcome::Lost, Outcome::Lost);
        }
        if let Some(kept) = self.ranks.winner(key)? {
            shadowed(run, key, kept, self.kind.rank);
            return self.account(run, &survey, Outcome::Shadowed, Outcome::Shadowed);
        }
        put_plain(&mut self.user_key, self.kind.blob.prefix(), key);
        let found_blob = if self.has_blobs { self.blobs.get(&self.user_key)? } else { None };
        // A blob with a damaged value header is not among the visible records that are accounted for.
        let blobs = u64::from(found_blob.as_ref().is_some_and(|found| !found.is_damaged));
        let used_blob = found_blob.filter(|_| survey.elements == 0);
        if blobs > 0 && used_blob.is_none() {
            run.record_finding(findings::SUPERSEDED_BLOB, key, None, || "the element records count".to_owned());
            run.account(self.kind.blob, Outcome::Shadowed, blobs)?;
        }
        let fate = match &survey.damage {
            Some(damage) => {
                self.expiry.pass(run, key)?;
                damage.note(run, key);
                CollectionFate::Damaged
            }
            None => self.expiry.fate(run, self.options, key, survey.meta.map(|meta| meta.expiry))?,
        };
        let uses_blob = used_blob.is_some();
        let outcome = match (fate, used_blob) {
            (CollectionFate::Damaged, _) => Outcome::Lost,
            (CollectionFate::Known(ExpiryVerdict::Drop), _) => Outcome::Expired,
            (CollectionFate::Known(ExpiryVerdict::Keep(at_ms)), Some(found)) => {
                survey.check_length(run, self.kind, key, None);
                blob::emit(run, self.options, self.kind, key, &found, at_ms, survey.seen.expiry(&self.expiry))?
            }
            (CollectionFate::Known(ExpiryVerdict::Keep(at_ms)), None) => {
                survey.check_length(run, self.kind, key, Some(survey.elements));
                let seen = Seen { size: Some(survey.seen.size.unwrap_or_default()), ..survey.seen };
                begin(run, self.options, self.kind.collection, key, at_ms, seen.expiry(&self.expiry))?;
                self.emit(run, group, key, &start, survey.late.take())?;
                end(run, self.options)?;
                Outcome::Emitted
            }
        };
        if uses_blob {
            run.account(self.kind.blob, outcome, blobs)?;
        }
        let joined = if outcome == Outcome::Emitted { Outcome::Joined } else { outcome };
        self.account(run, &survey, outcome, joined)
    }

    /// Reads all records of the key once: counts, checks, and notes names that come out of order.
    fn survey(&mut self, run: &mut Run<'_>, group: &[u8], key: &[u8]) -> Result<Survey> {
        let mut survey = Survey::default();
        let mut greatest = std::mem::take(&mut self.user_key);
        greatest.clear();
        while let (Some(name), Some(found)) = (self.elements.tail(group), self.elements.scan.current()) {
            survey.seen.record(&found);
            match self.kind.element(name, &found.body) {
                Some(element) => survey.seen.element(element_len(&element)),
                None => {
                    let detail = format!("score of {} bytes, expected 8", found.body.len());
                    survey.damage.get_or_insert(Damage::at(found.byte_offset, findings::INVALID_SCORE, detail));
                }
            }
            if name < greatest.as_slice() {
                let late = survey.late.get_or_insert_with(|| Sorter::new(run.scratch(), LATE_BUDGET_BYTES));
                late.push(name, b"").map_err(crate::run::scratch_error)?;
            } else {
                greatest.clear();
                greatest.extend_from_slice(name);
            }
            survey.elements = survey.elements.saturating_add(1);
            self.elements.advance()?;
        }
        self.user_key = greatest;
        while let (Some(tail), Some(found)) = (self.metas.tail(group), self.metas.scan.current()) {
            survey.metas = survey.metas.saturating_add(1);
            survey.seen.record(&found);
            let meta = found.body.whole().and_then(CountMeta::parse);
            survey.has_meta |= tail.is_empty();
            if !tail.is_empty() {
                let detail = "bytes after the Redis key of a metadata record".to_owned();
                survey.damage.get_or_insert(Damage::at(found.byte_offset, findings::INVALID_KEY, detail));
            } else if let Some(meta) = meta {
                survey.meta = Some(meta);
            } else {
                let detail = format!("metadata of {} bytes, expected 8 or 16", found.body.len());
                survey.damage.get_or_insert(Damage::at(found.byte_offset, findings::INVALID_META, detail));
            }
            self.metas.advance()?;
        }
        while let (Some(tail), Some(found)) = (self.deltas.tail(group), self.deltas.scan.current()) {
            survey.deltas = survey.deltas.saturating_add(1);
            survey.seen.record(&found);
            let change = found.body.whole().and_then(parse_count_delta).filter(|_| tail.len() == DELTA_TAIL_LEN);
            match change {
                Some(change) => survey.delta_sum = survey.delta_sum.saturating_add(change),
                None => run.record_finding(findings::INVALID_AUXILIARY, key, Some(found.byte_offset), || {
                    format!("length change with {} key bytes and {} value bytes", tail.len(), found.body.len())
                }),
            }
            self.deltas.advance()?;
        }
        Ok(survey)
    }

    /// Emits the elements in ascending order of their names.
    fn emit(&mut self, run: &mut Run<'_>, group: &[u8], key: &[u8], start: &Mark, late: Option<Sorter>) -> Result<()> {
        let Wide { kind, options, elements, .. } = self;
        let prefix = [kind.elements.prefix(), group].concat();
        let mut late = late.map(|names| Late::new(names, &mut self.late, prefix)).transpose()?;
        let mut greatest: Vec<u8> = Vec::new();
        elements.scan.rewind(start)?;
        while let (Some(name), Some(found)) = (elements.tail(group), elements.scan.current()) {
            if let Some(late) = &mut late {
                if name < greatest.as_slice() {
                    elements.advance()?;
                    continue;
                }
                while let Some((name, found)) = late.next_below(Some(name))? {
                    emit_element(run, options, kind, key, name, &found.body)?;
                }
                greatest.clear();
                greatest.extend_from_slice(name);
            }
            emit_element(run, options, kind, key, name, &found.body)?;
            elements.advance()?;
        }
        if let Some(late) = &mut late {
            while let Some((name, found)) = late.next_below(None)? {
                emit_element(run, options, kind, key, name, &found.body)?;
            }
        }
        Ok(())
    }

    fn account(&self, run: &mut Run<'_>, survey: &Survey, elements: Outcome, rest: Outcome) -> Result<()> {
        run.account(self.kind.elements, elements, survey.elements)?;
        run.account(self.kind.meta, rest, survey.metas)?;
        run.account(self.kind.deltas, rest, survey.deltas)
    }
}

impl Survey {
    /// Whether the live server sees a collection of the kind. Source: `docs/format/redis.md`, section 3.
    fn exists(&self) -> bool {
        self.elements > 0 || self.has_meta || self.deltas > 0
    }

    /// Compares the stored length with the elements, if those count (`None` = a blob does), and notes what is odd about it.
    fn check_length(&self, run: &mut Run<'_>, kind: &WideKind, key: &[u8], elements: Option<u64>) {
        let base = self.meta.map_or(0, |meta| meta.len);
        if base < 0 {
            run.record_finding(findings::NEGATIVE_LENGTH, key, None, || format!("stored length {base}"));
        }
        let declared = u64::try_from(base.saturating_add(self.delta_sum)).unwrap_or(0);
        let is_declared = self.has_meta || self.deltas > 0;
        if let Some(elements) = elements.filter(|elements| is_declared && *elements != declared) {
            let detail = || format!("stored length {declared}, observed elements {elements}");
            run.record_finding(kind.length_mismatch, key, None, detail);
        }
    }
}

fn emit_element(
    run: &mut Run<'_>,
    options: &Options,
    kind: &WideKind,
    key: &[u8],
    name: &[u8],
    value: &StoredValue<'_>,
) -> Result<()> {
    // The survey has seen every value, so that none is damaged here.
    let Some(item) = kind.element(name, value) else { return Ok(()) };
    if let Element::Scored { score, .. } = item
        && score.is_nan()
    {
        run.record_finding(findings::NAN_SCORE, key, None, || format!("member {}", ekv_text::Percent(name)));
    }
    element(run, options, item)
}
