//! Keys of the sorts: parts separated by NUL, which no path and no segment holds, then a tag.

/// Builds keys in one buffer.
#[derive(Default)]
pub(super) struct KeyBuffer(Vec<u8>);

impl KeyBuffer {
    /// The key of `parts` and `tag`.
    pub(super) fn of(&mut self, parts: &[&[u8]], tag: u8) -> &[u8] {
        self.0.clear();
        for part in parts {
            self.0.extend_from_slice(part);
            self.0.push(0);
        }
        self.0.push(tag);
        &self.0
    }
}

/// Takes the tag off a key; the rest names the group and is what [`parts`] splits.
pub(super) fn split_tag(key: &[u8]) -> (&[u8], u8) {
    match key.split_last() {
        Some((tag, group)) => (group, *tag),
        None => (&[], 0),
    }
}

/// The first two parts of a group; missing ones are empty.
pub(super) fn parts(group: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = group.split(|byte| *byte == 0);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}
