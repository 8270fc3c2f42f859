//! Lists: a window over numbered items, moved by length records. Source: `docs/format/redis.md`, sections 2.6 and 5.4.

use ekv_model::Result;
use ekv_model::redis::{CollectionKind, Element};
use ekv_snapshot::{Lookup, Range, RangeScan, StoredValue};

use super::collection::{CollectionExpiry, CollectionFate, begin, element, end};
use super::expiry::Fate;
use super::keys::{DELTA_TAIL_LEN, put_counted, put_plain, split_counted};
use super::meta::{ListMeta, MetaExpiry, parse_list_delta};
use super::ranks::{Rank, Ranks};
use super::scalars::shadowed;
use super::{BareKeys, Options, findings};
use crate::{Family, Outcome, Run};

/// Bytes of a sequence number at the end of an item key.
const SEQ_LEN: usize = 8;

/// Emits every list that clients see: those with metadata in raw-key order, then those with length records only.
pub(super) fn decode(run: &mut Run<'_>, options: &Options) -> Result<()> {
    let families = [Family::ListMeta, Family::ListDelta, Family::ListItem];
    if families.iter().all(|family| run.visible(*family) == 0) {
        return Ok(());
    }
    let mut lists = Lists {
        options,
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
    metas: Lookup,
    deltas: RangeScan,
    items: RangeScan,
    ranks: Ranks,
    expiry: CollectionExpiry,
    user_key: Vec<u8>,
    fold_key: Vec<u8>,
}

/// Metadata and length records of one list, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fold {
    has_base: bool,
    deltas: u64,
    expiry: Option<MetaExpiry>,
    /// Items with `head <= seq < head + len` are visible.
    head: i64,
    len: i64,
    tail_differs: bool,
    damage: Option<String>,
}

impl Fold {
    fn exists(&self) -> bool {
        self.has_base || self.deltas > 0
    }

    fn holds(&self, seq: i64) -> bool {
        self.exists() && seq >= self.head && seq < self.head.saturating_add(self.len)
    }
}

/// Whether a record in the range of list metadata is the metadata of a list, and not a delta.
///
/// Metadata of a list whose name begins with `d|` looks like a delta; the value's length decides.
fn is_metadata(rest: &[u8], value: &StoredValue<'_>) -> bool {
    !rest.starts_with(b"d|") || matches!(value.len(), 24 | 32)
}

impl Lists<'_> {
    fn with_metadata(&mut self, run: &mut Run<'_>) -> Result<()> {
        let mut scan = run.view().scan_range(Range::prefix(Family::ListMeta.prefix()))?;
        while let Some(found) = scan.next_visible()? {
            let rest = found.user_key.get(Family::ListMeta.prefix().len()..).unwrap_or(&[]);
            if !is_metadata(rest, &found.body) {
                continue;
            }
            let at = found.byte_offset;
            let outcome = self.list(run, rest, Some(&found.body), at)?;
            let family = if rest.starts_with(b"d|") { Family::ListDelta } else { Family::ListMeta };
            run.account(family, outcome, 1)?;
        }
        Ok(())
    }

    fn with_deltas_only(&mut self, run: &mut Run<'_>) -> Result<()> {
        if run.unaccounted(Family::ListDelta) == 0 {
            return Ok(());
        }
        let mut scan = run.view().scan_range(Range::prefix(Family::ListDelta.prefix()))?;
        let mut last: Option<Vec<u8>> = None;
        while let Some(found) = scan.next_visible()? {
            let rest = found.user_key.get(Family::ListDelta.prefix().len()..).unwrap_or(&[]);
            if matches!(found.body.len(), 24 | 32) {
                continue;
            }
            let at = found.byte_offset;
            let Some((key, _)) = split_counted(rest) else {
                run.find(findings::INVALID_KEY, rest, Some(at), || "list length record key does not parse".to_owned());
                run.account(Family::ListDelta, Outcome::Lost, 1)?;
                continue;
            };
            if last.as_deref() == Some(key) {
                continue;
            }
            last = Some(key.to_vec());
            put_plain(&mut self.user_key, Family::ListMeta.prefix(), key);
            let has_base = self.metas.get(&self.user_key)?.is_some_and(|base| is_metadata(key, &base.body));
            if !has_base {
                self.list(run, key, None, at)?;
            }
        }
        Ok(())
    }

    /// Emits or accounts for a list, its length records and the items in its window; returns the outcome of its metadata.
    fn list(&mut self, run: &mut Run<'_>, key: &[u8], base: Option<&StoredValue<'_>>, at: u64) -> Result<Outcome> {
        let fold = fold(&mut self.deltas, &mut self.fold_key, key, base)?;
        let outcome = self.items_outcome(run, key, &fold, at)?;
        if let Ok(expire_at_ms) = outcome {
            if fold.tail_differs {
                run.find(findings::LIST_META_INVARIANT, key, Some(at), || "the stored tail is ignored".to_owned());
            }
            begin(run, self.options, CollectionKind::List, key, expire_at_ms)?;
            let observed = self.items(run, key, &fold, Outcome::Emitted)?;
            end(run, self.options)?;
            if i64::try_from(observed) != Ok(fold.len)
                && let [_, _, _, mismatch, _] = findings::LENGTH_MISMATCH
            {
                run.find(mismatch, key, None, || format!("stored length {}, observed items {observed}", fold.len));
            }
        } else if let Err(outcome) = outcome {
            self.items(run, key, &fold, outcome)?;
        }
        let rest = outcome.map_or_else(|outcome| outcome, |_| Outcome::Joined);
        run.account(Family::ListDelta, rest, fold.deltas)?;
        Ok(rest)
    }

    /// `Ok` with the expiry if the list is to be written, else what becomes of its records.
    fn items_outcome(
        &mut self,
        run: &mut Run<'_>,
        key: &[u8],
        fold: &Fold,
        at: u64,
    ) -> Result<std::result::Result<Option<u64>, Outcome>> {
        if let Some(kept) = self.ranks.winner(key)? {
            shadowed(run, key, kept, Rank::List);
            return Ok(Err(Outcome::Shadowed));
        }
        let fate = self.expiry.fate(run, self.options, key, fold.expiry)?;
        if let Some(damage) = &fold.damage {
            let finding = if fold.expiry.is_none() && fold.has_base {
                findings::INVALID_META
            } else {
                findings::INVALID_LIST_DELTA
            };
            run.find(finding, key, Some(at), || damage.clone());
            return Ok(Err(Outcome::Lost));
        }
        Ok(match fate {
            CollectionFate::Damaged => Err(Outcome::Lost),
            CollectionFate::Known(Fate::Drop) => Err(Outcome::Expired),
            CollectionFate::Known(Fate::Keep(at_ms)) => Ok(at_ms),
        })
    }

    /// Walks the items in the window, accounts for them with `outcome`, and emits them if that is `Emitted`. Returns their number.
    fn items(&mut self, run: &mut Run<'_>, key: &[u8], fold: &Fold, outcome: Outcome) -> Result<u64> {
        let mut observed = 0_u64;
        if fold.len == 0 || fold.damage.is_some() {
            return Ok(observed);
        }
        put_plain(&mut self.user_key, Family::ListItem.prefix(), key);
        let name_len = self.user_key.len();
        let last = fold.head.saturating_add(fold.len.saturating_sub(1));
        let start = [self.user_key.as_slice(), &item_suffix(fold.head)].concat();
        let end = [self.user_key.as_slice(), &item_suffix(last), &[0xff; SEQ_LEN], &[0]].concat();
        self.items.seek(Range::between(&start, Some(&end)))?;
        while let Some(found) = self.items.next_visible()? {
            // A longer list name can put its items between these.
            if found.user_key.len() != name_len.saturating_add(SEQ_LEN) {
                continue;
            }
            if outcome == Outcome::Emitted {
                element(run, self.options, Element::Item(found.body.body()))?;
            }
            observed = observed.saturating_add(1);
            run.account(Family::ListItem, outcome, 1)?;
        }
        Ok(observed)
    }

    /// Accounts for items that no window holds.
    fn orphan_items(&mut self, run: &mut Run<'_>) -> Result<()> {
        if run.unaccounted(Family::ListItem) == 0 {
            return Ok(());
        }
        let mut scan = run.view().scan_range(Range::prefix(Family::ListItem.prefix()))?;
        let mut last: Option<(Vec<u8>, Fold)> = None;
        while let Some(found) = scan.next_visible()? {
            let rest = found.user_key.get(Family::ListItem.prefix().len()..).unwrap_or(&[]);
            let at = found.byte_offset;
            let Some((key, suffix)) = rest.split_last_chunk::<SEQ_LEN>() else {
                run.find(findings::INVALID_KEY, rest, Some(at), || "list item key does not parse".to_owned());
                run.account(Family::ListItem, Outcome::Lost, 1)?;
                continue;
            };
            let is_new = last.as_ref().is_none_or(|(last_key, _)| last_key != key);
            if is_new {
                last = Some((key.to_vec(), self.fold_of(key)?));
            }
            let Some((_, fold)) = &last else { continue };
            if fold.damage.is_some() {
                run.account(Family::ListItem, Outcome::Lost, 1)?;
            } else if !fold.holds(item_seq(*suffix)) {
                run.find(findings::LIST_ORPHAN_ITEMS, key, Some(at), || format!("item {}", item_seq(*suffix)));
                run.account(Family::ListItem, Outcome::Orphaned, 1)?;
            }
        }
        Ok(())
    }

    fn fold_of(&mut self, key: &[u8]) -> Result<Fold> {
        put_plain(&mut self.user_key, Family::ListMeta.prefix(), key);
        let base = self.metas.get(&self.user_key)?.filter(|base| is_metadata(key, &base.body));
        fold(&mut self.deltas, &mut self.fold_key, key, base.as_ref().map(|base| &base.body))
    }
}

/// Folds what is stored about a list.
fn fold(deltas: &mut RangeScan, prefix: &mut Vec<u8>, key: &[u8], base: Option<&StoredValue<'_>>) -> Result<Fold> {
    let mut fold = Fold { has_base: base.is_some(), ..Fold::default() };
    let (mut head, mut len) = (0_i128, 0_i128);
    if let Some(base) = base {
        match base.whole().and_then(ListMeta::parse) {
            Some(meta) => {
                (head, len) = (meta.head.into(), meta.len.into());
                fold.expiry = Some(meta.expiry);
                fold.tail_differs = i128::from(meta.tail) != head.saturating_add(len);
                if i64::try_from(head.saturating_add(len)).is_err() {
                    fold.damage = Some("head plus length overflows".to_owned());
                }
            }
            None => fold.damage = Some(format!("metadata of {} bytes, expected 24 or 32", base.len())),
        }
    }
    put_counted(prefix, Family::ListDelta.prefix(), key);
    deltas.seek(Range::prefix(prefix))?;
    while let Some(found) = deltas.next_visible()? {
        if matches!(found.body.len(), 24 | 32) {
            continue;
        }
        fold.deltas = fold.deltas.saturating_add(1);
        let tail_len = found.user_key.len().saturating_sub(prefix.len());
        match found.body.whole().and_then(parse_list_delta).filter(|_| tail_len == DELTA_TAIL_LEN) {
            Some((head_change, len_change)) => {
                head = head.saturating_add(head_change.into());
                len = len.saturating_add(len_change.into());
            }
            None => {
                let what = format!("length record with {tail_len} key bytes and {} value bytes", found.body.len());
                fold.damage.get_or_insert(what);
            }
        }
    }
    let len = len.max(0);
    match (i64::try_from(head), i64::try_from(len), i64::try_from(head.saturating_add(len))) {
        (Ok(head), Ok(len), Ok(_)) => (fold.head, fold.len) = (head, len),
        _ => fold.damage = Some("head plus length overflows".to_owned()),
    }
    Ok(fold)
}

fn item_suffix(seq: i64) -> [u8; SEQ_LEN] {
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
