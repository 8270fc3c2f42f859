//! What all collections share: expiry, fate, and the events around their elements.

use ekv_model::redis::{CollectionKind, CollectionSize, Element, Event};
use ekv_model::{Event as ModelEvent, FileOffset, Finding, Result};
use ekv_snapshot::{Lookup, Visible};

use super::expiry::{ExpiryIndex, ExpiryVerdict, judge};
use super::keys::{put_counted, put_plain};
use super::meta::{CountMeta, ListMeta, MetaExpiry, StreamMeta};
use super::{Expired, Options, findings};
use crate::{Family, Run};

/// Why a collection cannot be written.
#[derive(Debug)]
pub(super) struct Damage {
    finding: Finding,
    at: FileOffset,
    detail: String,
}

impl Damage {
    pub(super) fn at(at: FileOffset, finding: Finding, detail: impl Into<String>) -> Self {
        Damage { finding, at, detail: detail.into() }
    }

    /// Notes the loss of `key`.
    pub(super) fn note(&self, run: &mut Run<'_>, key: &[u8]) {
        run.record_finding(self.finding, key, Some(self.at), || self.detail.clone());
    }
}

/// Finds the expiry of collections. Source: `docs/format/redis.md`, section 4.
pub(super) struct CollectionExpiry {
    index: ExpiryIndex,
    /// Metadata families in the order in which the live server asks them.
    metas: Vec<(Family, Lookup)>,
    user_key: Vec<u8>,
    /// Commit timestamp of the index record of the last key whose fate was asked, if its expiry counts; else 0.
    row_commit_ts: u64,
}

/// What is known about a collection's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CollectionFate {
    /// The record that decides about the expiry is damaged; that has been noted.
    Damaged,
    /// Written or dropped.
    Known(ExpiryVerdict),
}

impl CollectionExpiry {
    pub(super) fn new(run: &Run<'_>) -> Self {
        let order = [Family::ListMeta, Family::HashMeta, Family::SetMeta, Family::ZSetMeta, Family::StreamMeta];
        let present = order.into_iter().filter(|family| run.can_find(*family));
        let metas = present.map(|family| (family, run.view().lookup())).collect();
        CollectionExpiry { index: ExpiryIndex::new(run), metas, user_key: Vec::new(), row_commit_ts: 0 }
    }

    /// The fate of `key`, which is a collection. `own` is what its own metadata says, if it has any.
    ///
    /// The first metadata of a form that stores an expiry decides, in a fixed order of types and whatever the key's own type
    /// is; types that rank above the key's own have no metadata, else the key would be of that type.
    pub(super) fn fate(
        &mut self,
        run: &mut Run<'_>,
        options: &Options,
        key: &[u8],
        own: Option<MetaExpiry>,
    ) -> Result<CollectionFate> {
        let row = self.index.take(run, key)?;
        self.row_commit_ts = 0;
        let stored = match own {
            Some(stored @ MetaExpiry::Stored(_)) => Ok(stored),
            _ => self.any_meta(key)?,
        };
        let stored = match stored {
            Ok(stored) => stored,
            Err(damage) => {
                damage.note(run, key);
                return Ok(CollectionFate::Damaged);
            }
        };
        let at_ms = match (stored, row) {
            (MetaExpiry::Stored(at_ms), row) => {
                if row.is_some_and(|row| row.at_ms.is_none()) {
                    run.record_finding(findings::UNUSED_INVALID_TTL, key, None, || {
                        "the metadata carries the expiry".to_owned()
                    });
                }
                at_ms
            }
            (MetaExpiry::NotStored, None) => None,
            (MetaExpiry::NotStored, Some(row)) => match row.at_ms {
                Some(at_ms) => {
                    self.row_commit_ts = row.commit_ts;
                    Some(at_ms)
                }
                None => {
                    run.record_finding(findings::INVALID_TTL_VALUE, key, Some(row.at), || {
                        "the key is left out".to_owned()
                    });
                    return Ok(CollectionFate::Damaged);
                }
            },
        };
        Ok(CollectionFate::Known(judge(run, key, at_ms, options.expired == Expired::Drop)))
    }

    /// Accounts for the index record of `key`, which is not written whatever its expiry.
    pub(super) fn pass(&mut self, run: &mut Run<'_>, key: &[u8]) -> Result<()> {
        self.index.take(run, key).map(|_| ())
    }

    /// The first expiry that metadata of any collection type stores for `key`, in the server's order of types.
    fn any_meta(&mut self, key: &[u8]) -> Result<std::result::Result<MetaExpiry, Damage>> {
        for (family, lookup) in &mut self.metas {
            match family {
                Family::ListMeta => put_plain(&mut self.user_key, family.prefix(), key),
                _ => put_counted(&mut self.user_key, family.prefix(), key),
            }
            let Some(found) = lookup.get(&self.user_key)? else { continue };
            if found.is_damaged {
                let detail = "the value header of a metadata record is damaged";
                return Ok(Err(Damage::at(found.byte_offset, findings::INVALID_META, detail)));
            }
            let value = found.body.whole().unwrap_or(&[]);
            let expiry = match family {
                Family::ListMeta => ListMeta::parse(value).map(|meta| meta.expiry),
                Family::StreamMeta => StreamMeta::parse(value).map(|meta| meta.expiry),
                _ => CountMeta::parse(value).map(|meta| meta.expiry),
            };
            if let Some(stored @ MetaExpiry::Stored(_)) = expiry {
                return Ok(Ok(stored));
            }
        }
        Ok(Ok(MetaExpiry::NotStored))
    }
}

/// Emits the beginning of a collection.
pub(super) fn begin(
    run: &mut Run<'_>,
    options: &Options,
    kind: CollectionKind,
    key: &[u8],
    expire_at_ms: Option<u64>,
    seen: Seen,
) -> Result<()> {
    let Seen { commit_ts, size } = seen;
    let event = Event::Begin { kind, key, expire_at_ms, commit_ts, size };
    run.emit(ModelEvent::Redis { database: options.database, event })
}

/// What a first look at the records of a collection told about it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Commit timestamp of the newest one; 0 if that is not known.
    pub(super) commit_ts: u64,
    pub(super) size: Option<CollectionSize>,
}

impl Seen {
    /// A record that belongs to the collection.
    pub(super) fn record(&mut self, found: &Visible<'_>) {
        self.commit_ts = self.commit_ts.max(found.commit_ts.0);
    }

    /// An element of so many bytes.
    pub(super) fn element(&mut self, bytes: u64) {
        let size = self.size.get_or_insert_default();
        size.elements = size.elements.saturating_add(1);
        size.bytes = size.bytes.saturating_add(bytes);
    }

    /// The expiry that counts, if it has a record of its own.
    pub(super) fn expiry(self, expiry: &CollectionExpiry) -> Self {
        Seen { commit_ts: self.commit_ts.max(expiry.row_commit_ts), ..self }
    }
}

/// Emits an element of the open collection.
pub(super) fn element(run: &mut Run<'_>, options: &Options, element: Element<'_>) -> Result<()> {
    run.emit(ModelEvent::Redis { database: options.database, event: Event::Element(element) })
}

/// Emits the end of the open collection.
pub(super) fn end(run: &mut Run<'_>, options: &Options) -> Result<()> {
    run.emit(ModelEvent::Redis { database: options.database, event: Event::End })
}
