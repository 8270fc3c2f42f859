//! Keys.

use jiff::Timestamp;

use crate::{Error, Secret};

/// An access key, and until when it is good.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its public part.
    pub access_key_id: String,
    /// Its secret part.
    pub secret_access_key: Secret,
    /// The token that goes with keys for a while.
    pub session_token: Option<Secret>,
    /// When they end; absent for those that do not.
    pub expires_at: Option<Timestamp>,
}

/// No keys are to be had.
pub(super) fn missing(reason: impl Into<String>) -> Error {
    Error::NoCredentials { reason: reason.into() }
}
