//! Who is asked, and as whom.

use std::num::{NonZeroU32, NonZeroUsize};

/// Requests that are under way at once, unless the user says otherwise.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// How a service is reached. Credentials come from where the AWS CLI takes them: the environment, a profile, the machine.
#[derive(Clone, Debug)]
pub struct AwsAccess {
    /// Address in place of AWS' own, such as `http://127.0.0.1:4566`; else `AWS_ENDPOINT_URL_…` and `AWS_ENDPOINT_URL` count.
    pub endpoint_url: Option<String>,
    /// Region; else `AWS_REGION`, `AWS_DEFAULT_REGION` and the profile count.
    pub region: Option<String>,
    /// Profile of which credentials and region are taken; else `AWS_PROFILE`.
    pub profile: Option<String>,
    /// Whether things may go over a network in clear text.
    pub is_insecure: bool,
    /// Requests that may be under way at once.
    pub connections: NonZeroUsize,
    /// Most things per second.
    pub rate: Option<NonZeroU32>,
}

impl Default for AwsAccess {
    fn default() -> Self {
        AwsAccess {
            endpoint_url: None,
            region: None,
            profile: None,
            is_insecure: false,
            connections: CONNECTIONS,
            rate: None,
        }
    }
}
