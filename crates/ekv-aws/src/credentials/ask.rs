//! Questions without a signature.

use super::keys::missing;
use crate::{Method, Result, SignedRequest, Wire};

/// Asks `origin` and `path` without a signature; `None` where nobody listens.
pub(super) fn ask(
    wire: &dyn Wire,
    method: Method,
    origin: &str,
    path: &str,
    query: String,
    headers: Vec<(String, String)>,
) -> Result<Option<Vec<u8>>> {
    let request = SignedRequest {
        method,
        origin: origin.to_owned(),
        path: path.to_owned(),
        query,
        headers,
        content: crate::Content::EMPTY,
    };
    let Ok(mut answer) = wire.send(&request) else { return Ok(None) };
    let body = answer.read_whole().map_err(|error| missing(format!("{origin} breaks off: {error}")))?;
    if answer.is_success() {
        Ok(Some(body))
    } else {
        Err(missing(format!("{origin} answers with status {}", answer.status())))
    }
}
