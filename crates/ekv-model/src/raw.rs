//! Records that no adapter understands, as they are.

use crate::Body;

/// A visible record that nothing else carries.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Name of its key family: lower-case letters, digits and `_`. All records of a family come one after the other.
    pub family: &'a str,
    /// Its whole user key.
    pub user_key: &'a [u8],
    /// When the visible version was committed (HLC).
    pub commit_ts: u64,
    /// Its value.
    pub value: Body<'a>,
}
