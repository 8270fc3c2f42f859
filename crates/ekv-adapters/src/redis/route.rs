//! Route keys of Redis keys.

use std::borrow::Cow;

use super::keys::split_counted;
use crate::adapter::Routes;

/// Redis keys are routed by themselves; families that know their key only behind more of a record key are routed by that.
pub(super) const ROUTES: Routes = Routes {
    exempt: &[],
    of_themselves: &[b"!hs|", b"!st|", b"!zs|", b"!stream|"],
    of_key: |user_key| name(user_key).map(Cow::Borrowed),
    // All that follows in the name of a list, counted, has the name for a route key.
    of_all_below: |prefix| prefix.strip_prefix(b"!lst|meta|d|").and_then(counted),
};

/// The Redis key inside a record key of the list and string families.
fn name(key: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = key.strip_prefix(b"!lst|") {
        let counted =
            [&b"meta|d|"[..], b"claim|"].iter().find_map(|prefix| rest.strip_prefix(*prefix)).and_then(counted);
        let whole = || rest.strip_prefix(b"meta|");
        let item = || rest.strip_prefix(b"itm|")?.split_last_chunk::<{ size_of::<u64>() }>().map(|(name, _)| name);
        return counted.or_else(whole).or_else(item);
    }
    let rest = key.strip_prefix(b"!redis|")?;
    let name_len = rest.iter().position(|b| *b == b'|').filter(|len| *len > 0)?;
    rest.get(name_len.saturating_add(1)..)
}

/// The bytes behind a big-endian 32-bit length.
fn counted(bytes: &[u8]) -> Option<&[u8]> {
    split_counted(bytes).map(|(name, _)| name)
}
