//! What findings are about, as messages and lists call it: by address, wherever the key tells one.

use ekv_adapters::{Router, culprit};
use ekv_model::Example;
use ekv_text::shorten;

/// Longest key that is told by address, in bytes.
const KEY_LEN_MAX: usize = 1 << 20;
/// Longest name in a message, in characters.
const NAME_LEN_SHOWN: usize = 120;

/// The address of what a finding about `key` is about, if that is known.
pub(crate) fn address(router: &Router, finding: &str, key: &[u8]) -> Option<String> {
    let name = (key.len() <= KEY_LEN_MAX).then(|| culprit(router, finding, key)).flatten();
    name.map(|name| name.to_string())
}

/// The same in bounded length.
pub(crate) fn short_address(finding: &str, key: &[u8]) -> Option<String> {
    address(&Router::default(), finding, key).map(|address| shorten(&address, NAME_LEN_SHOWN))
}

/// What a finding about `key` is about, in a message: an address, or the key with `%HH` escapes.
pub(crate) fn shown(finding: &str, key: &[u8]) -> String {
    short_address(finding, key).unwrap_or_else(|| ekv_snapshot::escape(key))
}

/// An occurrence in a message: what it is about, and its details.
pub(crate) fn line(finding: &str, example: &Example) -> String {
    let key = example.key.as_deref().map(|key| format!("{}: ", shown(finding, key)));
    format!("{}{}", key.unwrap_or_default(), example.detail)
}
