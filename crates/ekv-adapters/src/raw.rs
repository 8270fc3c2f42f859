//! Records that no adapter decodes, passed on as they are. Source: `docs/format/tree.md`, section 14.

use ekv_model::{Event, Result, raw::Record};
use ekv_snapshot::{Range, RangeScan};

use crate::{Family, Outcome, Owner, Router, Run};

/// Where keys of no known family may lie: below `!`, and the store's own rows in unknown places.
const UNKNOWN_RANGES: [(&[u8], &[u8]); 2] = [(b"!", b"\""), (b"_meta_", b"_meta`")];

/// Emits every visible record of the families that no adapter decodes: those of the file system adapter, then those without a
/// known prefix. Within a family they come in raw-key order.
///
/// Cost: one cursor; values are read by the target, in pieces.
///
/// # Errors
/// Failing reads, the target's errors, the monitor's wish to stop.
pub fn decode(run: &mut Run<'_>) -> Result<()> {
    let router = Router::default();
    let mut scan = run.view().scan();
    for family in Family::ALL.iter().filter(|family| matches!(family.owner(), Owner::FileSystem | Owner::Unknown)) {
        if run.unaccounted(*family) == 0 {
            continue;
        }
        if *family == Family::Unknown {
            for (start, end) in UNKNOWN_RANGES {
                emit(run, &router, *family, &mut scan, Range::between(start, Some(end)))?;
            }
        } else {
            emit(run, &router, *family, &mut scan, Range::prefix(family.prefix()))?;
        }
    }
    Ok(())
}

/// Emits the records of `family` in `range`; what belongs to other families is stepped over as a whole.
fn emit(run: &mut Run<'_>, router: &Router, family: Family, scan: &mut RangeScan, range: Range) -> Result<()> {
    scan.seek(range.clone())?;
    while let Some(found) = scan.next_visible()? {
        let owner = router.family_of(found.user_key);
        if owner == family {
            let record = Record {
                family: family.name(),
                user_key: found.user_key,
                commit_ts: found.commit_ts.0,
                value: found.body.body(),
            };
            run.emit(Event::Raw(record))?;
            run.account(family, Outcome::Emitted, 1)?;
        } else if let Some(beyond) = beyond(owner.prefix()) {
            scan.seek(range.clone().starting_at(&beyond))?;
        }
    }
    Ok(())
}

/// The smallest bytes above all that begin with a family's prefix; `None` if it has none.
fn beyond(prefix: &[u8]) -> Option<Vec<u8>> {
    let (last, front) = prefix.split_last()?;
    Some([front, &[last.saturating_add(1)]].concat())
}
