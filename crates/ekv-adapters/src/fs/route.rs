//! Route keys: the chunks of a file are kept together. Source: `docs/format/snapshot.md`, section 12.

use std::borrow::Cow;

use ekv_text::ordered::{split_ended, unescape};

use crate::adapter::Routes;

/// Chunks are routed by home and inode, counters by what they are of, all others by themselves.
pub(super) const ROUTES: Routes =
    Routes { of_themselves: &[b"!fs|dir|", b"!fs|home|", b"!fs|ino|"], of_key: route_key, ..Routes::NONE };

fn route_key(user_key: &[u8]) -> Option<Cow<'_, [u8]>> {
    let rest = user_key.strip_prefix(b"!fs|")?;
    if let Some(chunk) = rest.strip_prefix(b"chk|") {
        let file = chunk.get(..24).and_then(|ids| ids.get(..16))?;
        return Some(Cow::Owned([b"!fs|route|chk|", file].concat()));
    }
    let usage = rest.strip_prefix(b"usage|route|")?;
    split_ended(usage, [0, 0]).map(|(segment, _)| Cow::Owned(unescape(segment)))
}
