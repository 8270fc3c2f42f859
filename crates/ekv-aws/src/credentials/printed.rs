//! Keys as JSON.

use jiff::Timestamp;
use serde::Deserialize;

use super::keys::{Credentials, missing};
use crate::{Result, Secret};

/// Keys as programs, containers and the metadata service print them.
#[derive(Deserialize)]
pub(super) struct Printed {
    #[serde(rename = "AccessKeyId")]
    access_key_id: String,
    #[serde(rename = "SecretAccessKey")]
    secret_access_key: String,
    #[serde(rename = "SessionToken", alias = "Token")]
    session_token: Option<String>,
    #[serde(rename = "Expiration")]
    expires_at: Option<String>,
}

impl Printed {
    /// Reads the keys; `source` is where they come from. What was printed is in no message.
    pub(super) fn read(text: &[u8], source: &str) -> Result<Credentials> {
        let printed: Printed = serde_json::from_slice(text).map_err(|error| {
            missing(format!("{source} gives no credentials (line {}, column {})", error.line(), error.column()))
        })?;
        let expires_at = printed.expires_at.map(|text| text.parse::<Timestamp>()).transpose();
        let expires_at = expires_at.map_err(|_| missing(format!("{source} gives credentials that end at no time")))?;
        Ok(Credentials {
            access_key_id: printed.access_key_id,
            secret_access_key: Secret::new(printed.secret_access_key),
            session_token: printed.session_token.map(Secret::new),
            expires_at,
        })
    }
}
