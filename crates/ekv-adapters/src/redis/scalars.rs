//! Strings and HyperLogLogs. Source: `docs/format/redis.md`, sections 2.1, 2.2, 2.4 and 5.

use ekv_model::redis::{Event, Expiry, ExpiryOrigin, ScalarKind};
use ekv_model::{Event as ModelEvent, Kind, Result};
use ekv_snapshot::{Range, Visible};

use super::expiry::{ExpiryIndex, ExpiryVerdict, judge};
use super::ranks::{Rank, Ranks, is_bare};
use super::selected::Selected;
use super::value::{EXPIRE_AT_MS_MAX, Form, parse_form};
use super::{BareKeys, Expired, Options, findings};
use crate::{Family, Outcome, Run};

/// First bytes of a HyperLogLog payload that the server accepts.
const HLL_PAYLOAD_MAGIC: &[u8] = &[0x00, 0x52, 0x53, 0x01];

/// Emits every string and HyperLogLog that clients see: HyperLogLogs, strings, then strings without prefix, each in raw-key order.
pub(super) fn decode(run: &mut Run<'_>, options: &Options, selected: &Selected<'_>) -> Result<()> {
    let mut scalars = Scalars { options, selected, index: ExpiryIndex::new(run) };
    let scope = run.scope();
    if scope.includes_kind(Kind::Hll) {
        scalars.family(run, Family::RedisHll, ScalarKind::Hll, Rank::Hll)?;
    }
    if !scope.includes_kind(Kind::String) {
        return Ok(());
    }
    scalars.family(run, Family::RedisString, ScalarKind::String, Rank::String)?;
    match options.bare_keys {
        BareKeys::Strings => scalars.bare(run),
        BareKeys::Ignore => run.account(Family::Bare, Outcome::NotDecoded, run.unaccounted(Family::Bare)),
    }
}

struct Scalars<'o> {
    options: &'o Options,
    selected: &'o Selected<'o>,
    index: ExpiryIndex,
}

impl Scalars<'_> {
    fn family(&mut self, run: &mut Run<'_>, family: Family, kind: ScalarKind, rank: Rank) -> Result<()> {
        if run.visible(family) == 0 {
            return Ok(());
        }
        let mut ranks = Ranks::above(run, rank, self.options.bare_keys == BareKeys::Strings);
        let mut scan = run.view().scan();
        for range in self.selected.plain(family.prefix()) {
            scan.seek(range)?;
            while let Some(found) = scan.next_visible()? {
                let key = found.user_key.get(family.prefix().len()..).unwrap_or(&[]);
                if !self.selected.contains(key) {
                    continue;
                }
                if let Some(kept) = ranks.winner(key)? {
                    shadowed(run, key, kept, rank);
                    run.account(family, Outcome::Shadowed, 1)?;
                    continue;
                }
                let outcome = match parse_form(kind, found.body.head(), found.body.len()) {
                    Ok((form, header_len)) => self.scalar(run, kind, key, &found, form, header_len)?,
                    Err(torn) => {
                        self.index.take(run, key)?;
                        let finding = match kind {
                            ScalarKind::String => findings::INVALID_STRING_VALUE,
                            ScalarKind::Hll => findings::INVALID_HLL_VALUE,
                        };
                        let at = found.byte_offset;
                        run.record_finding(finding, key, Some(at), || {
                            format!("value of {} bytes ends inside its header", torn.value_len)
                        });
                        Outcome::Lost
                    }
                };
                run.account(family, outcome, 1)?;
            }
        }
        Ok(())
    }

    /// Strings of old servers, stored under the key itself.
    fn bare(&mut self, run: &mut Run<'_>) -> Result<()> {
        if run.visible(Family::Bare) == 0 {
            return Ok(());
        }
        let mut ranks = Ranks::above(run, Rank::Bare, true);
        let mut scan = run.view().scan();
        let everywhere = [Range::between(b"", Some(b"!")), Range::between(b"\"", None)];
        for range in self.selected.plain(b"").flat_map(|range| match range == Range::default() {
            true => everywhere.to_vec(),
            false => vec![range],
        }) {
            scan.seek(range)?;
            while let Some(found) = scan.next_visible()? {
                let key = found.user_key;
                if !is_bare(key) {
                    if key.is_empty() && self.selected.is_everything {
                        run.account(Family::Bare, Outcome::NotDecoded, 1)?;
                    }
                    continue;
                }
                if !self.selected.contains(key) {
                    continue;
                }
                let outcome = match ranks.winner(key)? {
                    Some(kept) => {
                        shadowed(run, key, kept, Rank::Bare);
                        Outcome::Shadowed
                    }
                    None => {
                        run.record_finding(findings::BARE_KEYS, key, Some(found.byte_offset), || {
                            "served as a string".to_owned()
                        });
                        self.scalar(run, ScalarKind::String, key, &found, Form::Legacy, 0)?
                    }
                };
                run.account(Family::Bare, outcome, 1)?;
            }
        }
        Ok(())
    }

    /// Joins a value with its expiry and emits it.
    fn scalar(
        &mut self,
        run: &mut Run<'_>,
        kind: ScalarKind,
        key: &[u8],
        found: &Visible<'_>,
        form: Form,
        header_len: usize,
    ) -> Result<Outcome> {
        let row = self.index.take(run, key)?;
        let at = found.byte_offset;
        let (stored, origin) = match (form, row) {
            (Form::Current { expire_at_ms }, row) => {
                if row.is_some_and(|row| row.at_ms.is_none()) {
                    run.record_finding(findings::UNUSED_INVALID_TTL, key, None, || {
                        "the value carries its own expiry".to_owned()
                    });
                }
                (expire_at_ms, ExpiryOrigin::Inline)
            }
            (Form::Legacy, Some(row)) => {
                if row.at_ms.is_none() {
                    run.record_finding(findings::INVALID_TTL_VALUE, key, Some(at), || "the key is left out".to_owned());
                    return Ok(Outcome::Lost);
                }
                (row.at_ms, ExpiryOrigin::Index { commit_ts: row.commit_ts })
            }
            (Form::Legacy, None) => (None, ExpiryOrigin::Inline),
        };
        let ExpiryVerdict::Keep(at_ms) = judge(run, key, stored, self.options.expired == Expired::Drop) else {
            return Ok(Outcome::Expired);
        };
        let body = found.body.after(header_len);
        if kind == ScalarKind::Hll && !body.is_empty() && !body.head().starts_with(HLL_PAYLOAD_MAGIC) {
            run.record_finding(findings::HLL_PAYLOAD, key, Some(at), || format!("payload of {} bytes", body.len()));
        }
        let expiry = at_ms.map(|at_ms| Expiry { at_ms: at_ms.min(EXPIRE_AT_MS_MAX), origin });
        let commit_ts = match expiry.map(|expiry| expiry.origin) {
            Some(ExpiryOrigin::Index { commit_ts }) => commit_ts.max(found.commit_ts.0),
            _ => found.commit_ts.0,
        };
        let event = Event::Scalar { kind, key, body: body.body(), expiry, commit_ts };
        run.emit(ModelEvent::Redis { database: self.options.database, event })?;
        Ok(Outcome::Emitted)
    }
}

/// Notes that records of rank `dropped` are hidden by a form of a higher rank.
pub(super) fn shadowed(run: &mut Run<'_>, key: &[u8], kept: Rank, dropped: Rank) {
    run.record_finding(findings::SHADOWED_TYPE, key, None, || format!("kept {}, hid {}", kept.name(), dropped.name()));
}
