//! Keys of the sorts: parts separated by NUL, which no path and no segment holds, then a tag.

/// Builds keys in one buffer.
#[derive(Default)]
pub(crate) struct KeyBuffer(Vec<u8>);

impl KeyBuffer {
    /// The key of `parts` and `tag`.
    pub(crate) fn of(&mut self, parts: &[&[u8]], tag: u8) -> &[u8] {
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
pub(crate) fn split_tag(key: &[u8]) -> (&[u8], u8) {
    match key.split_last() {
        Some((tag, group)) => (group, *tag),
        None => (&[], 0),
    }
}

/// The first two parts of a group; missing ones are empty.
pub(crate) fn parts(group: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = group.split(|byte| *byte == 0);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// A line number as payload.
pub(crate) fn line_payload(line: u64) -> [u8; 8] {
    line.to_be_bytes()
}

/// The line number at the front of a payload; 0 if there is none.
pub(crate) fn line_of(payload: &[u8]) -> u64 {
    payload.first_chunk().map_or(0, |line| u64::from_be_bytes(*line))
}
