//! Route keys: those of one table are one.

use std::borrow::Cow;

use crate::adapter::Routes;

/// All records of a table are routed together.
pub(super) const ROUTES: Routes = Routes { of_key: route_key, ..Routes::NONE };

fn route_key(user_key: &[u8]) -> Option<Cow<'_, [u8]>> {
    let rest = user_key.strip_prefix(b"!ddb|")?;
    let table = [&b"meta|table|"[..], b"meta|gen|"].iter().find_map(|prefix| rest.strip_prefix(*prefix));
    let table = table.or_else(|| {
        let rows = [&b"item|"[..], b"gsi|"].iter().find_map(|prefix| rest.strip_prefix(*prefix))?;
        rows.split(|b| *b == b'|').next().filter(|table| table.len() < rows.len())
    })?;
    Some(Cow::Owned([b"!ddb|route|table|", table].concat()))
}
