//! Sign, send, wait, try again.

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ekv_text::hex::hex;
use jiff::{SignedDuration, Timestamp};

use crate::credentials::Provider;
use crate::encoding::canonical_query;
use crate::{
    Answer, Clock, Endpoint, Error, Fault, FaultKind, Pace, Request, Result, RetryPolicy, Service, Signature,
    SignedRequest, SigningScope, Wire,
};

/// Speaks with one service at one endpoint; may be shared between threads.
pub struct Client {
    /// The service.
    pub service: Service,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Region, for the signature.
    pub region: String,
    /// Where credentials come from.
    pub credentials: Box<dyn Provider>,
    /// What carries requests.
    pub wire: Box<dyn Wire>,
    /// Time.
    pub clock: Box<dyn Clock>,
    /// Tries and pauses.
    pub policy: RetryPolicy,
    /// Requests, items or messages per second.
    pub pace: Pace,
    /// The service's time less ours, in seconds, once it has said that they are too far apart.
    pub skew_s: AtomicI64,
    /// Requests that were sent.
    pub sent: AtomicU64,
}

/// What a call gave, and what is to be known about how it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done<T> {
    /// What it gave.
    pub value: T,
    /// Whether an earlier try got no answer, so that it may have been carried out twice.
    pub is_unsure: bool,
}

/// Why one try gave nothing.
#[derive(Debug)]
pub enum Failure {
    /// No answer, or none that is whole.
    Lost(io::Error),
    /// The service refuses.
    Refused(Fault),
    /// The answer is not what the call answers; the same request would get the same.
    Odd(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Lost(error)
    }
}

impl Client {
    /// A client with the usual policy that has not sent anything.
    pub fn new(
        service: Service,
        endpoint: Endpoint,
        region: impl Into<String>,
        credentials: Box<dyn Provider>,
        wire: Box<dyn Wire>,
        clock: Box<dyn Clock>,
    ) -> Self {
        Client {
            service,
            endpoint,
            region: region.into(),
            credentials,
            wire,
            clock,
            policy: RetryPolicy::default(),
            pace: Pace::new(None),
            skew_s: AtomicI64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// Sends `request` until it is answered, and lets `take` read the answer of a success; what `take` calls lost is sent again.
    /// `units` is what the request counts for the pace.
    ///
    /// # Errors
    /// The service refuses it, or all tries are used up.
    pub fn call<T>(
        &self,
        call: &'static str,
        units: u32,
        request: &Request<'_>,
        mut take: impl FnMut(Answer) -> Result<T, Failure>,
    ) -> Result<Done<T>> {
        let mut is_unsure = false;
        let mut is_skew_known = false;
        let mut tries = 0_u32;
        loop {
            self.pace.admit(units, &*self.clock);
            let signed = self.sign(request)?;
            tries = tries.saturating_add(1);
            self.sent.fetch_add(1, Ordering::Relaxed);
            let last = match self.send_once(&signed, &mut take) {
                Ok(value) => return Ok(Done { value, is_unsure }),
                Err(Failure::Odd(reason)) => return Err(Error::BadAnswer { call, reason }),
                Err(Failure::Lost(error)) => {
                    is_unsure |= may_have_arrived(&error);
                    error.to_string()
                }
                Err(Failure::Refused(fault)) => match fault.kind() {
                    FaultKind::ClockSkew if !is_skew_known => {
                        is_skew_known = true;
                        fault.to_string()
                    }
                    kind if fault.is_worth_another_try() => {
                        if kind == FaultKind::Throttled {
                            self.pace.throttled(&*self.clock);
                        } else {
                            is_unsure |= fault.status >= 500;
                        }
                        fault.to_string()
                    }
                    _ => return Err(Error::Refused { call, fault, is_unsure }),
                },
            };
            if tries >= self.policy.tries_max {
                return Err(Error::Exhausted { call, tries, last, is_unsure });
            }
            self.clock.wait(self.policy.pause(tries));
        }
    }

    fn send_once<T>(
        &self,
        signed: &SignedRequest<'_>,
        take: &mut impl FnMut(Answer) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut answer = self.wire.send(signed)?;
        if answer.is_success() {
            return take(answer);
        }
        let fault = Fault::of(&mut answer);
        if fault.kind() == FaultKind::ClockSkew {
            self.learn_skew(&answer);
        }
        Err(Failure::Refused(fault))
    }

    /// Takes the service's time from an answer.
    fn learn_skew(&self, answer: &Answer) {
        let Some(date) = answer.header("date") else { return };
        if let Ok(theirs) = jiff::fmt::rfc2822::parse(date) {
            let skew = theirs.timestamp().duration_since(self.clock.now());
            self.skew_s.store(skew.as_secs(), Ordering::Relaxed);
        }
    }

    fn signing_time(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(SignedDuration::from_secs(self.skew_s.load(Ordering::Relaxed))).unwrap_or(now)
    }

    /// Adds host, date, digest, token and signature.
    fn sign<'a>(&self, request: &Request<'a>) -> Result<SignedRequest<'a>> {
        let credentials = self.credentials.credentials(&*self.clock)?;
        let scope = SigningScope { region: &self.region, service: self.service.name(), at: self.signing_time() };
        let content_sha256 = request.content.sha256();
        let (host, before) = self.endpoint.place(request.bucket);
        let mut headers = request.headers.clone();
        headers.push(("host".to_owned(), host.clone()));
        headers.push(("x-amz-date".to_owned(), scope.date_time()));
        if self.service == Service::S3 {
            headers.push(("x-amz-content-sha256".to_owned(), hex(&content_sha256)));
        }
        if let Some(token) = &credentials.session_token {
            headers.push(("x-amz-security-token".to_owned(), token.reveal().to_owned()));
        }
        let path = format!("{before}{}", request.path);
        let query = canonical_query(&request.query);
        let signature = Signature {
            method: request.method.as_str(),
            path: &path,
            query: &query,
            headers: &headers,
            content_sha256,
        };
        let authorization = signature.authorization(&credentials, &scope);
        headers.push(("authorization".to_owned(), authorization));
        Ok(SignedRequest {
            method: request.method,
            origin: self.endpoint.origin(&host),
            path,
            query,
            headers,
            content: request.content,
        })
    }
}

/// Whether a request may have reached the service although no answer came; not if nobody listened.
fn may_have_arrived(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound | io::ErrorKind::AddrNotAvailable
    )
}

#[cfg(test)]
mod tests;
