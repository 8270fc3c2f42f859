//! Who asks: keys, and where they are found.
//!
//! In this order: the environment, a profile (its keys, or a program that prints them), a web identity, a container's endpoint, the
//! machine's metadata service. The first that is there is used; one that is there and fails ends the search, so that nobody acts as
//! somebody else.

mod ask;
mod container;
mod environment;
mod instance;
mod keys;
mod printed;
mod profile;
mod web_identity;

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

pub use environment::Environment;
pub use keys::Credentials;
pub use profile::region as region_of_profile;

use keys::missing;

use crate::{Clock, Result, Secret, Wire};

/// Keys are taken anew this long before they end.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// Gives the credentials that are good now.
pub trait Provider: Send + Sync {
    /// The credentials for a request that goes out now.
    ///
    /// # Errors
    /// [`crate::Error::NoCredentials`], with what was looked for.
    fn credentials(&self, clock: &dyn Clock) -> Result<Credentials>;
}

impl Provider for Credentials {
    fn credentials(&self, _: &dyn Clock) -> Result<Credentials> {
        Ok(self.clone())
    }
}

/// The usual search, whose result is kept until shortly before it ends.
pub struct Chain {
    environment: Box<dyn Environment>,
    wire: Box<dyn Wire>,
    profile: Option<String>,
    region: String,
    kept: Mutex<Option<Credentials>>,
}

impl Chain {
    /// A search in `environment`; `profile` is the one that the user named.
    pub fn new(environment: Box<dyn Environment>, wire: Box<dyn Wire>, profile: Option<String>, region: &str) -> Self {
        Chain { environment, wire, profile, region: region.to_owned(), kept: Mutex::new(None) }
    }

    fn search(&self) -> Result<Credentials> {
        let environment = &*self.environment;
        // A profile that the user named comes before what the environment says.
        if self.profile.is_none()
            && let Some(found) = of_environment(environment)?
        {
            return Ok(found);
        }
        if let Some(found) = profile::find(environment, self.profile.as_deref())? {
            return Ok(found);
        }
        if let Some(found) = web_identity::find(environment, &*self.wire, &self.region)? {
            return Ok(found);
        }
        if let Some(found) = container::find(environment, &*self.wire)? {
            return Ok(found);
        }
        if let Some(found) = instance::find(environment, &*self.wire)? {
            return Ok(found);
        }
        let reason = "neither AWS_ACCESS_KEY_ID, nor a profile, a web identity, a container's endpoint or the metadata service of \
                      the machine has any";
        Err(missing(reason))
    }
}

impl Provider for Chain {
    fn credentials(&self, clock: &dyn Clock) -> Result<Credentials> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let renew_at = clock.now().checked_add(RENEW_BEFORE).unwrap_or(Timestamp::MAX);
        if let Some(known) = kept.as_ref().filter(|known| known.expires_at.is_none_or(|end| end > renew_at)) {
            return Ok(known.clone());
        }
        let found = self.search()?;
        *kept = Some(found.clone());
        Ok(found)
    }
}

fn of_environment(environment: &dyn Environment) -> Result<Option<Credentials>> {
    let (id, secret) = (environment.var("AWS_ACCESS_KEY_ID"), environment.var("AWS_SECRET_ACCESS_KEY"));
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(access_key_id), Some(secret)) => Ok(Some(Credentials {
            access_key_id,
            secret_access_key: Secret::new(secret),
            session_token: environment.var("AWS_SESSION_TOKEN").map(Secret::new),
            expires_at: None,
        })),
        _ => Err(missing("only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set")),
    }
}

#[cfg(test)]
mod tests;
