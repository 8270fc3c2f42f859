//! Lists: a window over numbered items, moved by length records. Source: `docs/format/redis.md`, sections 2.6 and 5.4.

use ekv_model::payload::element_len;
use ekv_model::redis::{CollectionKind, CollectionSize, Element};
use ekv_model::{FileOffset, Result};
use ekv_snapshot::{Lookup, Range, RangeScan, Visible};

use super::collection::{CollectionExpiry, CollectionFate, Damage, Seen, begin, element, end};
use super::expiry::ExpiryVerdict;
use super::keys::{DELTA_TAIL_LEN, put_counted, put_plain, split_counted};
use super::meta::{ListMeta, MetaExpiry, is_list_meta, parse_list_delta};
use super::ranks::{Rank, Ranks};
use super::scalars::shadowed;
use super::selected::Selected;
use super::{BareKeys, Options, findings};
use crate::{Family, Outcome, Run};

/// Bytes of a sequence number at the end of an item key.
const SEQ_LEN: usize = 8;

/// Emits every list that clients see: those with metadata in raw-key order, then those with length records only.
pub(super) fn decode(run: &mut Run<'_>, options: &Options, selected: &Selected<'_>) -> Result<()> {
    let families = [Family::ListMeta, Family::ListDelta, Family::ListItem];
    if families.iter().all(|family| run.visible(*family) == 0) {
        return Ok(());
    }
    let mut lists = Lists {
        options,
        selected,
        metas: run.view().lookup(),
        deltas: run.view().probe(),
        items: run.view().scan(),
        ranks: Ranks::above(run, Rank::List, options.bare_keys == BareKeys::Strings),
        expiry: CollectionExpiry::new(run),
        user_key: Vec::new(),
        fold_key: Vec::new(),
    };
    lists.with_metadata(run)?;
    lists.with_deltas_only(run)?;
    lists.orphan_items(run)
}

struct Lists<'o> {
    options: &'o Options,
    selected: &'o Selected<'o>,
    metas: Lookup,
    deltas: RangeScan,
    items: RangeScan,
    ranks: Ranks,
    expiry: CollectionExpiry,
    user_key: Vec<u8>,
    fold_key: Vec<u8>,
}

/// Metadata and length records of one list, folded.
#[derive(Debug, Default)]
struct Fold {
    has_base: bool,
    deltas: u64,
    expiry: Option<MetaExpiry>,
    /// Items with `head <= seq < head + len` are visible.
    head: i64,
    len: i64,
    tail_differs: bool,
    damage: Option<Damage>,
    /// Of metadata and length records.
    seen: Seen,
}

impl Fold {
    fn exists(&self) -> bool {
        self.has_base || self.deltas > 0
    }

    fn holds(&self, seq: i64) -> bool {
        self.exists() && seq >= self.head && seq < self.head.saturating_add(self.len)
    }
}

impl Lists<'_> {
    fn with_metadata(&mut self, run: &mut Run<'_>) -> Result<()> {
        let mut scan = run.view().scan();
        for range in self.selected.plain(Family::ListMeta.prefix()) {
            scan.seek(range)?;
            while let Some(found) = scan.next_visible()? {
                let rest = found.user_key.get(Family::ListMeta.prefix().len()..).unwrap_or(&[]);
                if !self.selected.contains(rest) || !is_list_meta(rest, &found.body) {
                    continue;
                }
                let outcome = self.list(run, rest, Some(Base::read(&found)), found.byte_offset)?;
                let family = if rest.starts_with(b"d|") { Family::ListDelta } else { Family::ListMeta };
                run.account(family, outcome, 1)?;
            }
        }
        Ok(())
    }

    fn with_deltas_only(&mut self, run: &mut Run<'_>) -> Result<()> {
        if run.unaccounted(Family::ListDelta) == 0 {
            return Ok(());
        }
        let mut last: Option<Vec<u8>> = None;
        let mut scan = run.view().scan();
        let mut beginnings = self.selected.counted(run, &[(Family::ListDelta, None)]);
        while let Some(beginning) = beginnings.next()? {
            scan.seek(Range::prefix(&[Family::ListDelta.prefix(), &beginning].concat()))?;
            while let Some(found) = scan.next_visible()? {
                let Some(rest) = delta_rest(&found) else { continue };
                let at = found.byte_offset;
                let Some((key, _)) = split_counted(rest) else {
                    if !self.selected.is_everything {
                        continue;
                    }
                    run.record_finding(findings::INVALID_KEY, rest, Some(at), || {
                        "list length record key does not parse".to_owned()
                    });
                    run.account(Family::ListDelta, Outcome::Lost, 1)?;
                    continue;
                };
                if last.as_deref() == Some(key) || !self.selected.contains(key) {
                    continue;
                }
                last = Some(key.to_vec());
                // The walk over the metadata has dealt with every base but those with a damaged value header.
                let base = self.base(key)?;
                if base.as_ref().is_none_or(|base| base.has_damaged_header) {
                    self.list(run, key, base, at)?;
                }
            }
        }
        Ok(())
    }

    /// The metadata record of a list.
    fn base(&mut self, key: &[u8]) -> Result<Option<Base>> {
        put_plain(&mut self.user_key, Family::ListMeta.prefix(), key);
        let found = self.metas.get(&self.user_key)?.filter(|found| is_list_meta(key, &found.body));
        Ok(found.as_ref().map(Base::read))
    }

    /// Emits or accounts for a list, its length records and the items in its window; returns the outcome of its metadata.
    fn list(&mut self, run: &mut Run<'_>, key: &[u8], base: Option<Base>, at: FileOffset) -> Result<Outcome> {
        let fold = fold(&mut self.deltas, &mut self.fold_key, key, base)?;
        let fate = self.fate(run, key, &fold)?;
        if let Ok(expire_at_ms) = fate {
            if fold.tail_differs {
                run.record_finding(findings::LIST_META_INVARIANT, key, Some(at), || {
                    "the stored tail is ignored".to_owned()
                });
            }
            let seen = self.look_ahead(run, key, &fold)?.expiry(&self.expiry);
            begin(run, self.options, CollectionKind::List, key, expire_at_ms, seen)?;
            let observed = self.items(run, key, &fold, Outcome::Emitted)?;
            end(run, self.options)?;
            if i64::try_from(observed) != Ok(fold.len) {
                run.record_finding(findings::LIST_LENGTH_MISMATCH, key, None, || {
                    format!("stored length {}, observed items {observed}", fold.len)
                });
            }
        } else if let Err(outcome) = fate {
            self.items(run, key, &fold, outcome)?;
        }
        let outcome = fate.err().unwrap_or(Outcome::Joined);
        run.account(Family::ListDelta, outcome, fold.deltas)?;
        Ok(outcome)
    }

    /// `Ok` with the expiry if the list is to be written, else what becomes of its records.
    fn fate(
        &mut self,
        run: &mut Run<'_>,
        key: &[u8],
        fold: &Fold,
    ) -> Result<std::result::Result<Option<u64>, Outcome>> {
        if let Some(kept) = self.ranks.winner(key)? {
            shadowed(run, key, kept, Rank::List);
            return Ok(Err(Outcome::Shadowed));
        }
        if let Some(damage) = &fold.damage {
            self.expiry.pass(run, key)?;
            damage.note(run, key);
            return Ok(Err(Outcome::Lost));
        }
        Ok(match self.expiry.fate(run, self.options, key, fold.expiry)? {
            CollectionFate::Damaged => Err(Outcome::Lost),
            CollectionFate::Known(ExpiryVerdict::Drop) => Err(Outcome::Expired),
            CollectionFate::Known(ExpiryVerdict::Keep(at_ms)) => Ok(at_ms),
        })
    }

    /// Reads the items before they are emitted, if somebody asks for what the list has before it begins.
    fn look_ahead(&mut self, run: &Run<'_>, key: &[u8], fold: &Fold) -> Result<Seen> {
        if !run.looks_ahead() {
            return Ok(Seen::default());
        }
        let mut seen = Seen { size: Some(CollectionSize::default()), ..fold.seen };
        if fold.len > 0 {
            self.seek_items(key, fold)?;
            while let Some(found) = self.items.next_visible()? {
                run.monitor().advance(0)?;
                seen.record(&found);
                seen.element(element_len(&Element::Item(found.body.body())));
            }
        }
        Ok(seen)
    }

    /// Goes to the first item in the window, which is not empty.
    fn seek_items(&mut self, key: &[u8], fold: &Fold) -> Result<()> {
        put_plain(&mut self.user_key, Family::ListItem.prefix(), key);
        let name_len = self.user_key.len();
        let last = fold.head.saturating_add(fold.len.saturating_sub(1));
        let start = [self.user_key.as_slice(), &item_suffix(fold.head)].concat();
        let end = [self.user_key.as_slice(), &item_suffix(last), &[0xff; SEQ_LEN], &[0]].concat();
        // A longer list name can put its items between these.
        let item_key_len = name_len.saturating_add(SEQ_LEN);
        Ok(self.items.seek(Range::between(&start, Some(&end)).of_length(item_key_len))?)
    }

    /// Walks the items in the window, accounts for them with `outcome`, and emits them if that is `Emitted`. Returns their number.
    fn items(&mut self, run: &mut Run<'_>, key: &[u8], fold: &Fold, outcome: Outcome) -> Result<u64> {
        let mut observed = 0_u64;
        if fold.len == 0 || fold.damage.is_some() {
            return Ok(observed);
        }
        self.seek_items(key, fold)?;
        while let Some(found) = self.items.next_visible()? {
            if outcome == Outcome::Emitted {
                element(run, self.options, Element::Item(found.body.body()))?;
            }
            observed = observed.saturating_add(1);
            run.account(Family::ListItem, outcome, 1)?;
        }
        Ok(observed)
    }

    /// Accounts for items that no window holds, and for those of damaged lists, whose window is unknown.
    fn orphan_items(&mut self, run: &mut Run<'_>) -> Result<()> {
        if run.unaccounted(Family::ListItem) == 0 {
            return Ok(());
        }
        let mut last: Option<(Vec<u8>, Fold, Outcome)> = None;
        let mut scan = run.view().scan();
        for range in self.selected.plain_with_tail(Family::ListItem.prefix(), SEQ_LEN) {
            scan.seek(range)?;
            while let Some(found) = scan.next_visible()? {
                let rest = found.user_key.get(Family::ListItem.prefix().len()..).unwrap_or(&[]);
                let at = found.byte_offset;
                let Some((key, suffix)) = rest.split_last_chunk::<SEQ_LEN>() else {
                    if !self.selected.is_everything {
                        continue;
                    }
                    run.record_finding(findings::INVALID_KEY, rest, Some(at), || {
                        "list item key does not parse".to_owned()
                    });
                    run.account(Family::ListItem, Outcome::Lost, 1)?;
                    continue;
                };
                if !self.selected.contains(key) {
                    continue;
                }
                if last.as_ref().is_none_or(|(last_key, ..)| last_key != key) {
                    let base = self.base(key)?;
                    let is_untold = base.as_ref().is_some_and(|base| base.has_damaged_header);
                    let fold = fold(&mut self.deltas, &mut self.fold_key, key, base)?;
                    let outcome = self.outcome_of_damaged(run, key, &fold, is_untold && fold.deltas == 0)?;
                    last = Some((key.to_vec(), fold, outcome));
                }
                let Some((_, fold, outcome)) = &last else { continue };
                if fold.damage.is_some() {
                    run.account(Family::ListItem, *outcome, 1)?;
                } else if !fold.holds(item_seq(*suffix)) {
                    run.record_finding(findings::LIST_ORPHAN_ITEMS, key, Some(at), || {
                        format!("item {}", item_seq(*suffix))
                    });
                    run.account(Family::ListItem, Outcome::Orphaned, 1)?;
                }
            }
        }
        Ok(())
    }

    /// What becomes of the items of a damaged list, whose loss is noted here if it `is_untold`.
    fn outcome_of_damaged(&mut self, run: &mut Run<'_>, key: &[u8], fold: &Fold, is_untold: bool) -> Result<Outcome> {
        let Some(damage) = &fold.damage else { return Ok(Outcome::Orphaned) };
        if self.ranks.winner(key)?.is_some() {
            return Ok(Outcome::Shadowed);
        }
        if is_untold {
            self.expiry.pass(run, key)?;
            damage.note(run, key);
        }
        Ok(Outcome::Lost)
    }
}

/// The metadata record of a list.
struct Base {
    /// What it says, or why it says nothing.
    meta: std::result::Result<ListMeta, Damage>,
    /// Range reads pass over it.
    has_damaged_header: bool,
    seen: Seen,
}

impl Base {
    fn read(found: &Visible<'_>) -> Self {
        let damage = |detail: String| Err(Damage::at(found.byte_offset, findings::INVALID_META, detail));
        let meta = match found.body.whole().and_then(ListMeta::parse) {
            _ if found.is_damaged => damage("the value header of the metadata is damaged".to_owned()),
            None => damage(format!("metadata of {} bytes, expected 24 or 32", found.body.len())),
            Some(meta) if meta.len < 0 => damage("stored length above 2^63-1".to_owned()),
            Some(meta) if meta.head.checked_add(meta.len).is_none() => damage("head plus length overflows".to_owned()),
            Some(meta) => Ok(meta),
        };
        let mut seen = Seen::default();
        seen.record(found);
        Base { meta, has_damaged_header: found.is_damaged, seen }
    }
}

/// What follows the family prefix in the key of a delta; `None` if the record is the metadata of a list named `d|…`.
fn delta_rest<'f>(found: &Visible<'f>) -> Option<&'f [u8]> {
    let rest = found.user_key.get(Family::ListMeta.prefix().len()..)?;
    if is_list_meta(rest, &found.body) { None } else { rest.strip_prefix(b"d|") }
}

/// Folds what is stored about a list.
fn fold(deltas: &mut RangeScan, prefix: &mut Vec<u8>, key: &[u8], base: Option<Base>) -> Result<Fold> {
    let seen = base.as_ref().map(|base| base.seen).unwrap_or_default();
    let mut fold = Fold { has_base: base.is_some(), seen, ..Fold::default() };
    let (mut head, mut len, mut last_at) = (0_i128, 0_i128, FileOffset::default());
    match base.map(|base| base.meta) {
        Some(Ok(meta)) => {
            (head, len) = (meta.head.into(), meta.len.into());
            fold.expiry = Some(meta.expiry);
            fold.tail_differs = i128::from(meta.tail) != head.saturating_add(len);
        }
        Some(Err(damage)) => fold.damage = Some(damage),
        None => {}
    }
    put_counted(prefix, Family::ListDelta.prefix(), key);
    deltas.seek(Range::prefix(prefix))?;
    while let Some(found) = deltas.next_visible()? {
        if delta_rest(&found).is_none() {
            continue;
        }
        last_at = found.byte_offset;
        fold.seen.record(&found);
        fold.deltas = fold.deltas.saturating_add(1);
        let tail_len = found.user_key.len().saturating_sub(prefix.len());
        match found.body.whole().and_then(parse_list_delta).filter(|_| tail_len == DELTA_TAIL_LEN) {
            Some((head_change, len_change)) => {
                head = head.saturating_add(head_change.into());
                len = len.saturating_add(len_change.into());
            }
            None => {
                let what = format!("length record with {tail_len} key bytes and {} value bytes", found.body.len());
                fold.damage.get_or_insert(Damage::at(found.byte_offset, findings::INVALID_LIST_DELTA, what));
            }
        }
    }
    let len = len.max(0);
    match (i64::try_from(head), i64::try_from(len), i64::try_from(head.saturating_add(len))) {
        (Ok(head), Ok(len), Ok(_)) => (fold.head, fold.len) = (head, len),
        _ => {
            let what = "head plus length overflows";
            fold.damage.get_or_insert(Damage::at(last_at, findings::INVALID_LIST_DELTA, what));
        }
    }
    Ok(fold)
}

/// What follows the Redis key in the key of an item.
pub(super) fn item_suffix(seq: i64) -> [u8; SEQ_LEN] {
    let mut bytes = seq.to_be_bytes();
    if let Some(first) = bytes.first_mut() {
        *first ^= 0x80;
    }
    bytes
}

fn item_seq(mut suffix: [u8; SEQ_LEN]) -> i64 {
    if let Some(first) = suffix.first_mut() {
        *first ^= 0x80;
    }
    i64::from_be_bytes(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_suffixes_sort_as_their_numbers() {
        let seqs = [i64::MIN, -2, -1, 0, 1, 2, i64::MAX];
        let suffixes: Vec<_> = seqs.iter().map(|seq| item_suffix(*seq)).collect();
        assert!(suffixes.is_sorted());
        assert_eq!(item_suffix(0), [0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(item_suffix(-1), [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert!(seqs.iter().all(|seq| item_seq(item_suffix(*seq)) == *seq));
    }
}
