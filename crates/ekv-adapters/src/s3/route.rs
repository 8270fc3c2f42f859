//! Route keys: those of one object are one.

use std::borrow::Cow;

use ekv_text::ordered::split_segment;

use crate::adapter::Routes;

/// All records of an object are routed together, but for content that any group may hold.
pub(super) const ROUTES: Routes = Routes { exempt: &[b"!s3|chunkblob|"], of_key: route_key, ..Routes::NONE };

fn route_key(user_key: &[u8]) -> Option<Cow<'_, [u8]>> {
    let rest = user_key.strip_prefix(b"!s3|")?;
    let object = [&b"obj|head|"[..], b"upload|meta|", b"upload|part|", b"blob|", b"chunkref|", b"gc|upload|"]
        .iter()
        .find_map(|prefix| rest.strip_prefix(*prefix))?;
    let bucket_len = segment_len(object)?;
    let object_start = bucket_len.checked_add(size_of::<u64>())?;
    let object_len = segment_len(object.get(object_start..)?)?;
    let routed = object.get(..object_start.checked_add(object_len)?)?;
    Some(Cow::Owned([b"!s3route|", routed].concat()))
}

/// Length of an ordered segment with its end mark.
fn segment_len(bytes: &[u8]) -> Option<usize> {
    split_segment(bytes).map(|(segment, _)| segment.len())
}
