//! What a record belongs to: the key, item, object or message, or the table, bucket or queue. Only its user key is looked at.

use ekv_model::{Name, Protocol, Result};
use ekv_snapshot::{Range, View};

use crate::adapter::Subject;
use crate::{Family, Role, Router, adapter_of};

/// What a record of `family` with this user key belongs to; `None` if it is malformed, or belongs to no single thing.
///
/// Redis keys are those of database 0, since servers store no other.
pub fn subject<'k>(family: Family, user_key: &'k [u8]) -> Option<Subject<'k>> {
    let rest = user_key.strip_prefix(family.prefix())?;
    (adapter_of(family.owner().protocol()?).subject)(family, user_key, rest)
}

/// What a finding is about, as far as its name and its key tell: a thing, or the table, bucket or queue; of an item its table.
///
/// The key is what the adapter says of a thing or scope, or the user key of a record.
pub fn culprit(router: &Router, finding: &str, key: &[u8]) -> Option<Name> {
    let of_record = || subject(router.family_of(key), key).map(|subject| subject.name);
    let found = Protocol::ALL.into_iter().find_map(|protocol| (adapter_of(protocol).culprit)(finding, key));
    match found {
        Some(name) if name.protocol != Protocol::Redis && key.starts_with(b"!") => of_record(),
        None if ["snapshot_", "txn_"].iter().any(|front| finding.starts_with(front)) => of_record(),
        found => found.filter(|name| !name.scope.is_empty()),
    }
}

/// How a record concerns a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// It is a part of it.
    Own,
    /// It decides about the table, bucket or queue around it, or may be a part of it.
    Around,
}

/// The ranges in which all records with data lie that concern a thing. Others may lie there too: [`concerns`] tells them apart.
///
/// # Errors
/// A failing read, where records of `view` have to be looked at.
pub fn ranges_of(view: &View, name: &Name) -> Result<Vec<Range>> {
    if let Some(ranges_in) = adapter_of(name.protocol).ranges
        && let Some(ranges) = ranges_in(view, name)?
    {
        return Ok(ranges);
    }
    let families = Family::ALL.iter().filter(|family| family.owner().protocol() == Some(name.protocol));
    let mut ranges = Vec::new();
    for family in families.filter(|family| family.role() == Role::Data) {
        let beginnings = (adapter_of(name.protocol).beginnings)(*family, name);
        ranges.extend(beginnings.iter().map(|rest| Range::prefix(&[family.prefix(), rest].concat())));
    }
    // Strings of old servers lie under the key itself.
    let bare =
        name.key.first().filter(|key| name.protocol == Protocol::Redis && !key.is_empty() && !key.starts_with(b"!"));
    ranges.extend(bare.map(|key| Range::prefix(key)));
    Ok(ranges)
}

/// Whether a record of `family` with this user key concerns a thing, and how.
pub fn concerns(name: &Name, family: Family, user_key: &[u8]) -> Option<Concern> {
    if family == Family::Bare {
        let is_own = name.protocol == Protocol::Redis && name.key.first().is_some_and(|key| key == user_key);
        return is_own.then_some(Concern::Own);
    }
    let Subject { name: found, stored_key } = subject(family, user_key)?;
    if found.protocol != name.protocol || found.scope != name.scope {
        return None;
    }
    match stored_key.map(|stored_key| (adapter_of(name.protocol).is_stored_key)(stored_key, &name.key)) {
        Some(Some(is_own)) => is_own.then_some(Concern::Own),
        Some(None) => Some(Concern::Around),
        None if found.key == name.key => Some(Concern::Own),
        None => found.key.is_empty().then_some(Concern::Around),
    }
}
