//! Hashes, sets and sorted sets: one record per element, metadata and length changes beside them.
//!
//! Source: `docs/format/redis.md`, sections 2.5, 2.7, 3 to 5. All families of a kind put a counted Redis key behind their prefix,
//! so that the records of one key are neighbours in each of them and keys come in the same order in all of them.

use ekv_model::Result;
use ekv_model::redis::{CollectionKind, Element};
use ekv_snapshot::{Lookup, Mark, Range, RangeScan, StoredValue};
use ekv_spill::{Sorted, Sorter};

use super::collection::{CollectionExpiry, CollectionFate, begin, element, end};
use super::expiry::Fate;
use super::keys::{DELTA_TAIL_LEN, put_plain, split_counted};
use super::meta::{CountMeta, parse_count_delta};
use super::ranks::{Rank, Ranks};
use super::scalars::shadowed;
use super::{BareKeys, Options, blob, findings};
use crate::{Family, Outcome, Run};

/// Memory for element names of one collection that arrive out of order, in bytes.
const LATE_BUDGET_BYTES: usize = 1 << 20;

/// What tells hashes, sets and sorted sets apart.
pub(super) struct Kind {
    pub(super) collection: CollectionKind,
    pub(super) rank: Rank,
    pub(super) blob_rank: Rank,
    elements: Family,
    meta: Family,
    deltas: Family,
    pub(super) blob: Family,
    length_mismatch: usize,
}

pub(super) const HASH: Kind = Kind {
    collection: CollectionKind::Hash,
    rank: Rank::Hash,
    blob_rank: Rank::HashBlob,
    elements: Family::HashField,
    meta: Family::HashMeta,
    deltas: Family::HashDelta,
    blob: Family::RedisHashBlob,
    length_mismatch: 0,
};

pub(super) const SET: Kind = Kind {
    collection: CollectionKind::Set,
    rank: Rank::Set,
    blob_rank: Rank::SetBlob,
    elements: Family::SetMember,
    meta: Family::SetMeta,
    deltas: Family::SetDelta,
    blob: Family::RedisSetBlob,
    length_mismatch: 1,
};

pub(super) const ZSET: Kind = Kind {
    collection: CollectionKind::ZSet,
    rank: Rank::ZSet,
    blob_rank: Rank::ZSetBlob,
    elements: Family::ZSetMember,
    meta: Family::ZSetMeta,
    deltas: Family::ZSetDelta,
    blob: Family::RedisZSetBlob,
    length_mismatch: 2,
};

impl Kind {
    /// The element that a record holds; `None` if its value is damaged.
    fn element<'e>(&self, name: &'e [u8], value: &'e StoredValue<'e>) -> Option<Element<'e>> {
        match self.collection {
            CollectionKind::Hash => Some(Element::Field { name, value: value.body() }),
            CollectionKind::ZSet => {
                let score = f64::from_be_bytes(<[u8; 8]>::try_from(value.whole()?).ok()?);
                Some(Element::Scored { member: name, score })
            }
            _ => Some(Element::Member(name)),
        }
    }
}

/// Emits every collection of a kind that clients see, in the order of key length and key bytes; then those that exist as blobs only.
pub(super) fn decode(run: &mut Run<'_>, options: &Options, kind: &Kind) -> Result<()> {
    if [kind.elements, kind.meta, kind.deltas].iter().any(|family| run.visible(*family) > 0) {
        let mut wide = Wide::new(run, options, kind)?;
        while wide.next_key()? {
            wide.collection(run)?;
        }
    }
    blob::decode(run, options, kind)
}

/// The records of one family, walked key by key.
struct Lane {
    family: Family,
    scan: RangeScan,
}

impl Lane {
    fn new(run: &Run<'_>, family: Family, range: Range) -> Result<Self> {
        let mut lane = Lane { family, scan: run.view().scan() };
        lane.scan.seek(range)?;
        lane.scan.next_visible()?;
        Ok(lane)
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
    kind: &'o Kind,
    options: &'o Options,
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
struct Survey {
    elements: u64,
    metas: u64,
    deltas: u64,
    meta: Option<CountMeta>,
    /// Sum of the length changes.
    delta_sum: i64,
    /// Names that are smaller than one before them, if there are any.
    late: Option<Sorter>,
    /// Why the collection cannot be written.
    damage: Option<Damage>,
}

struct Damage {
    finding: ekv_model::Finding,
    byte_offset: u64,
    detail: String,
}

impl<'o> Wide<'o> {
    fn new(run: &Run<'_>, options: &'o Options, kind: &'o Kind) -> Result<Self> {
        let all = |family: Family| Range::prefix(family.prefix());
        // Deltas lie inside the range of the metadata, whose length field makes it sort before them.
        let metas = Range::between(kind.meta.prefix(), Some(kind.deltas.prefix()));
        Ok(Wide {
            kind,
            options,
            elements: Lane::new(run, kind.elements, all(kind.elements))?,
            metas: Lane::new(run, kind.meta, metas)?,
            deltas: Lane::new(run, kind.deltas, all(kind.deltas))?,
            ranks: Ranks::above(run, kind.rank, options.bare_keys == BareKeys::Strings),
            expiry: CollectionExpiry::new(run),
            late: run.view().lookup(),
            blobs: run.view().lookup(),
            has_blobs: run.visible(kind.blob) > 0,
            group: Vec::new(),
            user_key: Vec::new(),
        })
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
            Some((key, _)) => self.collection_of(run, &group, key),
            None => self.unreadable(run, &group),
        };
        self.group = group;
        outcome
    }

    /// A record whose Redis key cannot be read.
    fn unreadable(&mut self, run: &mut Run<'_>, rest: &[u8]) -> Result<()> {
        for lane in [&mut self.elements, &mut self.metas, &mut self.deltas] {
            while lane.rest() == Some(rest) {
                let at = lane.scan.current().map(|found| found.byte_offset);
                run.find(findings::INVALID_KEY, rest, at, || format!("{} key does not parse", lane.family.name()));
                run.account(lane.family, Outcome::Lost, 1)?;
                lane.advance()?;
            }
        }
        Ok(())
    }

    fn collection_of(&mut self, run: &mut Run<'_>, group: &[u8], key: &[u8]) -> Result<()> {
        let start = self.elements.scan.mark();
        let survey = self.survey(run, group, key)?;
        if let Some(kept) = self.ranks.winner(key)? {
            shadowed(run, key, kept, self.kind.rank);
            return self.account(run, &survey, Outcome::Shadowed, Outcome::Shadowed);
        }
        let blob_exists = self.has_blobs && {
            put_plain(&mut self.user_key, self.kind.blob.prefix(), key);
            self.blobs.get(&self.user_key)?.is_some()
        };
        if blob_exists && survey.elements > 0 {
            run.find(findings::SUPERSEDED_BLOB, key, None, || "the element records count".to_owned());
            run.account(self.kind.blob, Outcome::Shadowed, 1)?;
        }
        let own_expiry = survey.meta.map(|meta| meta.expiry);
        let fate = self.expiry.fate(run, self.options, key, own_expiry)?;
        let uses_blob = blob_exists && survey.elements == 0;
        let written = match (&survey.damage, fate) {
            (Some(damage), _) => {
                run.find(damage.finding, key, Some(damage.byte_offset), || damage.detail.clone());
                Outcome::Lost
            }
            (None, CollectionFate::Damaged) => Outcome::Lost,
            (None, CollectionFate::Known(Fate::Drop)) => Outcome::Expired,
            (None, CollectionFate::Known(Fate::Keep(at_ms))) => {
                self.check_length(run, key, &survey, uses_blob);
                if uses_blob {
                    put_plain(&mut self.user_key, self.kind.blob.prefix(), key);
                    match self.blobs.get(&self.user_key)? {
                        Some(found) => blob::emit(run, self.options, self.kind, key, &found, at_ms)?,
                        None => Outcome::Lost,
                    }
                } else {
                    begin(run, self.options, self.kind.collection, key, at_ms)?;
                    self.emit(run, group, &start, survey.late)?;
                    end(run, self.options)?;
                    Outcome::Emitted
                }
            }
        };
        let counts = Survey { late: None, damage: None, ..survey };
        if uses_blob {
            run.account(self.kind.blob, written, 1)?;
        }
        let joined = if written == Outcome::Emitted { Outcome::Joined } else { written };
        self.account(run, &counts, written, joined)
    }

    /// Reads all records of the key once: counts, checks, and notes names that come out of order.
    fn survey(&mut self, run: &mut Run<'_>, group: &[u8], key: &[u8]) -> Result<Survey> {
        let mut survey =
            Survey { elements: 0, metas: 0, deltas: 0, meta: None, delta_sum: 0, late: None, damage: None };
        let mut greatest = std::mem::take(&mut self.user_key);
        greatest.clear();
        while let (Some(name), Some(found)) = (self.elements.tail(group), self.elements.scan.current()) {
            if self.kind.element(name, &found.body).is_none() {
                let detail = || format!("score of {} bytes, expected 8", found.body.len());
                survey.damage.get_or_insert_with(|| Damage::at(findings::INVALID_SCORE, found.byte_offset, detail()));
            }
            if survey.elements > 0 && name < greatest.as_slice() {
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
            let meta = found.body.whole().and_then(CountMeta::parse);
            if !tail.is_empty() {
                let detail = "bytes after the Redis key of a metadata record".to_owned();
                survey.damage.get_or_insert_with(|| Damage::at(findings::INVALID_KEY, found.byte_offset, detail));
            } else if let Some(meta) = meta {
                survey.meta = Some(meta);
            } else {
                let detail = format!("metadata of {} bytes, expected 8 or 16", found.body.len());
                survey.damage.get_or_insert_with(|| Damage::at(findings::INVALID_META, found.byte_offset, detail));
            }
            self.metas.advance()?;
        }
        while let (Some(tail), Some(found)) = (self.deltas.tail(group), self.deltas.scan.current()) {
            survey.deltas = survey.deltas.saturating_add(1);
            let change = found.body.whole().and_then(parse_count_delta).filter(|_| tail.len() == DELTA_TAIL_LEN);
            match change {
                Some(change) => survey.delta_sum = survey.delta_sum.saturating_add(change),
                None => run.find(findings::INVALID_AUXILIARY, key, Some(found.byte_offset), || {
                    format!("length change with {} key bytes and {} value bytes", tail.len(), found.body.len())
                }),
            }
            self.deltas.advance()?;
        }
        Ok(survey)
    }

    /// Compares the stored length with the elements.
    fn check_length(&self, run: &mut Run<'_>, key: &[u8], survey: &Survey, uses_blob: bool) {
        let base = survey.meta.map_or(0, |meta| meta.len);
        if base < 0 {
            run.find(findings::NEGATIVE_LENGTH, key, None, || format!("stored length {base}"));
        }
        let declared = u64::try_from(base.saturating_add(survey.delta_sum)).unwrap_or(0);
        let is_declared = survey.meta.is_some() || survey.deltas > 0;
        if is_declared && !uses_blob && declared != survey.elements {
            let finding = findings::LENGTH_MISMATCH.get(self.kind.length_mismatch).copied();
            run.find(finding.unwrap_or(findings::NEGATIVE_LENGTH), key, None, || {
                format!("stored length {declared}, observed elements {}", survey.elements)
            });
        }
    }

    /// Emits the elements in ascending order of their names.
    ///
    /// Records come in that order except that a name comes after longer names that begin with it. Those late ones were sorted by
    /// the survey and are looked up when their turn comes.
    fn emit(&mut self, run: &mut Run<'_>, group: &[u8], start: &Mark, late: Option<Sorter>) -> Result<()> {
        self.elements.scan.rewind(start)?;
        let mut late = Late::new(late)?;
        let mut greatest: Option<Vec<u8>> = None;
        while let (Some(name), Some(found)) = (self.elements.tail(group), self.elements.scan.current()) {
            if late.any {
                let is_late = greatest.as_ref().is_some_and(|greatest| name < greatest.as_slice());
                if is_late {
                    self.elements.advance()?;
                    continue;
                }
                while late.next_below(name) {
                    emit_late(run, self.options, self.kind, &mut self.late, group, &mut late)?;
                }
                let greatest = greatest.get_or_insert_default();
                greatest.clear();
                greatest.extend_from_slice(name);
            }
            emit_element(run, self.options, self.kind, name, &found.body)?;
            self.elements.advance()?;
        }
        while late.next.is_some() {
            emit_late(run, self.options, self.kind, &mut self.late, group, &mut late)?;
        }
        Ok(())
    }

    fn account(&self, run: &mut Run<'_>, survey: &Survey, elements: Outcome, rest: Outcome) -> Result<()> {
        run.account(self.kind.elements, elements, survey.elements)?;
        run.account(self.kind.meta, rest, survey.metas)?;
        run.account(self.kind.deltas, rest, survey.deltas)
    }
}

impl Damage {
    fn at(finding: ekv_model::Finding, byte_offset: u64, detail: String) -> Self {
        Damage { finding, byte_offset, detail }
    }
}

/// Names that come out of order, in order.
struct Late {
    any: bool,
    sorted: Option<Sorted>,
    next: Option<Vec<u8>>,
}

impl Late {
    fn new(sorter: Option<Sorter>) -> Result<Self> {
        let sorted = sorter.map(Sorter::finish).transpose().map_err(crate::run::scratch_error)?;
        let mut late = Late { any: sorted.is_some(), sorted, next: None };
        late.pull()?;
        Ok(late)
    }

    fn pull(&mut self) -> Result<()> {
        self.next = match &mut self.sorted {
            Some(sorted) => sorted.next().map_err(crate::run::scratch_error)?.map(|(name, _)| name.to_vec()),
            None => None,
        };
        Ok(())
    }

    fn next_below(&self, name: &[u8]) -> bool {
        self.next.as_ref().is_some_and(|next| next.as_slice() < name)
    }
}

fn emit_late(
    run: &mut Run<'_>,
    options: &Options,
    kind: &Kind,
    lookup: &mut Lookup,
    group: &[u8],
    late: &mut Late,
) -> Result<()> {
    if let Some(name) = &late.next {
        let user_key = [kind.elements.prefix(), group, name].concat();
        if let Some(found) = lookup.get(&user_key)? {
            emit_element(run, options, kind, name, &found.body)?;
        }
    }
    late.pull()
}

fn emit_element(run: &mut Run<'_>, options: &Options, kind: &Kind, name: &[u8], value: &StoredValue<'_>) -> Result<()> {
    // The survey has seen every value, so that none is damaged here.
    let Some(item) = kind.element(name, value) else { return Ok(()) };
    if let Element::Scored { score, .. } = item
        && score.is_nan()
    {
        run.find(findings::NAN_SCORE, name, None, || "member with score NaN".to_owned());
    }
    element(run, options, item)
}
