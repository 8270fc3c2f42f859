//! DynamoDB, S3 and SQS over HTTP, as the services of AWS and those that speak like them understand it.
//!
//! Blocking: whoever wants several requests at once uses as many threads. A [`Client`] signs, sends, waits and tries again; what the
//! services are told is in [`dynamodb`], [`s3`] and [`sqs`]. Nothing here knows what is loaded.
//!
//! The wire is behind [`Wire`] and time behind [`Clock`], so that every answer and every delay can be made up.

pub mod dynamodb;
pub mod s3;
pub mod sqs;

mod answer;
mod client;
mod clock;
mod credentials;
mod encoding;
mod endpoint;
mod error;
mod fault;
#[cfg(all(feature = "http", not(target_family = "wasm")))]
mod http;
mod json_call;
mod pace;
mod request;
mod retry;
mod secret;
mod sign;
#[cfg(test)]
mod testing;
mod xml;

pub use answer::Answer;
pub use client::{Client, Done, Failure};
pub use clock::{Clock, SystemClock};
pub use credentials::{Chain, Credentials, Environment, Provider, region_of_profile};
pub use encoding::{encode_path, encode_query_part};
pub use endpoint::{Endpoint, Service};
pub use error::{Error, Result};
pub use fault::{Fault, FaultKind};
#[cfg(all(feature = "http", not(target_family = "wasm")))]
pub use http::HttpWire;
pub use pace::Pace;
pub use request::{Content, Method, Reopen, Request, SignedRequest};
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use sign::{Signature, SigningScope, sha256};

/// What carries a signed request to a service, and its answer back.
pub trait Wire: Send + Sync {
    /// Sends one request, once.
    ///
    /// # Errors
    /// Why there is no answer: nobody listens, the connection broke, nothing came in time. An answer of any status is no error.
    fn send(&self, request: &SignedRequest<'_>) -> std::io::Result<Answer>;
}
