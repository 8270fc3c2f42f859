//! What findings are about, as messages and lists call it: by address, wherever the key tells one.

use ekv_adapters::{Router, culprit};
use ekv_model::Example;
use ekv_text::shorten;

/// Longest key that is told by address, in bytes.
const KEY_LEN_MAX: usize = 1 << 20;
/// Longest name in a message, in characters.
const NAME_LEN_SHOWN: usize = 120;

/// The address of what a finding is about, if that is known.
pub(crate) fn address(router: &Router, finding: &str, what: &Example) -> Option<String> {
    let key = what.key.as_deref().filter(|key| key.len() <= KEY_LEN_MAX)?;
    what.name().or_else(|| culprit(router, finding, key)).map(|name| name.to_string())
}

/// The same in bounded length.
pub(crate) fn short_address(finding: &str, what: &Example) -> Option<String> {
    address(&Router::default(), finding, what).map(|address| short(&address))
}

/// An address in a message.
pub(crate) fn short(address: &str) -> String {
    shorten(address, NAME_LEN_SHOWN)
}

/// An occurrence in a message: what it is about, and its details.
pub(crate) fn line(finding: &str, example: &Example) -> String {
    let what = short_address(finding, example).or_else(|| example.key.as_deref().map(ekv_snapshot::escape));
    let what = what.map(|what| format!("{what}: ")).unwrap_or_default();
    format!("{what}{}", example.detail)
}
