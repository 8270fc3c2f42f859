//! Records that no adapter decodes, passed on as they are. Source: `docs/format/tree.md`, section 14.

use ekv_model::{Event, Finding, Result, raw::Record};
use ekv_snapshot::{Range, RangeScan, Visible};

use crate::{Family, Outcome, Owner, Role, Router, Run};

/// Where keys of no known family may lie: below `!`, and the store's own rows in unknown places.
const UNKNOWN_RANGES: [(&[u8], &[u8]); 2] = [(b"!", b"\""), (b"_meta_", b"_meta`")];

/// Emits every visible record of the families that no adapter decodes: those of the file system that are none of its known ones, then
/// those without a known prefix. Within a family they come in raw-key order.
///
/// Cost: one cursor; values are read by the target, in pieces.
///
/// # Errors
/// Failing reads, the target's errors, the monitor's wish to stop.
pub fn decode(run: &mut Run<'_>) -> Result<()> {
    for_each(run, |_| true, &mut |run, family, found| {
        let (family_name, commit_ts) = (family.name(), found.commit_ts.0);
        let record = Record { family: family_name, user_key: found.user_key, commit_ts, value: found.body.body() };
        run.emit(Event::Raw(record))?;
        run.account(family, Outcome::Emitted, 1)
    })
}

/// Leaves out the data of users that [`decode`] would emit, and notes each record as `finding`, with its user key.
///
/// # Errors
/// Failing reads, the monitor's wish to stop.
pub fn leave_out(run: &mut Run<'_>, finding: Finding) -> Result<()> {
    for_each(run, |family| family.role() == Role::Data, &mut |run, family, found| {
        run.record_finding(finding, found.user_key, Some(found.byte_offset), || format!("record of {}", family.name()));
        run.account(family, Outcome::NotDecoded, 1)
    })
}

/// What is done with a record of a family.
type Take<'a> = dyn FnMut(&mut Run<'_>, Family, &Visible<'_>) -> Result<()> + 'a;

/// Calls `take` with every visible record of the families that are meant and that nothing else has accounted for.
fn for_each(run: &mut Run<'_>, is_meant: impl Fn(Family) -> bool, take: &mut Take<'_>) -> Result<()> {
    let router = Router::default();
    let mut scan = run.view().scan();
    let is_undecoded = |family: &&Family| family.owner() == Owner::Unknown;
    for family in Family::ALL.iter().filter(is_undecoded).filter(|family| is_meant(**family)) {
        if run.unaccounted(*family) == 0 {
            continue;
        }
        if *family == Family::Unknown {
            for (start, end) in UNKNOWN_RANGES {
                in_range(run, &router, *family, &mut scan, Range::between(start, Some(end)), take)?;
            }
        } else {
            in_range(run, &router, *family, &mut scan, Range::prefix(family.prefix()), take)?;
        }
    }
    Ok(())
}

/// Takes the records of `family` in `range`; what belongs to other families is stepped over as a whole.
fn in_range(
    run: &mut Run<'_>,
    router: &Router,
    family: Family,
    scan: &mut RangeScan,
    range: Range,
    take: &mut Take<'_>,
) -> Result<()> {
    scan.seek(range.clone())?;
    while let Some(found) = scan.next_visible()? {
        let owner = router.family_of(found.user_key);
        if owner == family {
            take(run, family, &found)?;
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
