//! What a service says when it refuses.

use std::fmt;

use serde::Deserialize;

use crate::Answer;
use crate::xml;

/// Longest message of a service that is kept, in characters.
const MESSAGE_LEN_MAX: usize = 400;

/// What a refusal means to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Too many requests, or more than was paid for: the same later, and slower.
    Throttled,
    /// The service has trouble of its own: the same later.
    Transient,
    /// The time of the signature is too far from the service's.
    ClockSkew,
    /// The credentials do not exist, have ended, or may not do this.
    Denied,
    /// Table, bucket, queue, object or upload are not there.
    Missing,
    /// A condition of the request does not hold: what must not be there is.
    Exists,
    /// Anything else: the request itself is wrong for this service.
    Refused,
}

/// A refusal, as the service put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// The service's name for it, such as `ProvisionedThroughputExceededException`; empty if it gave none.
    pub code: String,
    /// Its explanation, cut.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => write!(f, "status {}", self.status),
            ("", message) => write!(f, "status {}: {message}", self.status),
            (code, "") => write!(f, "{code} (status {})", self.status),
            (code, message) => write!(f, "{code} (status {}): {message}", self.status),
        }
    }
}

impl Fault {
    /// A refusal, with its message cut to what a person reads.
    pub fn new(status: u16, code: &str, message: &str) -> Self {
        Fault { status, code: code.to_owned(), message: message.chars().take(MESSAGE_LEN_MAX).collect() }
    }

    /// What it means.
    pub fn kind(&self) -> FaultKind {
        let code = self.code.strip_suffix("Exception").unwrap_or(&self.code);
        match code {
            "RequestTimeTooSkewed" => return FaultKind::ClockSkew,
            "ConditionalCheckFailed" | "PreconditionFailed" => return FaultKind::Exists,
            "ProvisionedThroughputExceeded"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "OverLimit"
            | "TooManyRequests"
            | "ThrottledException"
            | "RequestThrottled"
            | "BandwidthLimitExceeded"
            | "LimitExceeded" => {
                return FaultKind::Throttled;
            }
            "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "ServiceUnavailable"
            | "RequestTimeout"
            | "ReplicatedWriteConflict"
            | "TransactionInProgress"
            | "OperationAborted"
            | "IncompleteBody" => {
                return FaultKind::Transient;
            }
            "AccessDenied"
            | "ExpiredToken"
            | "InvalidClientTokenId"
            | "UnrecognizedClient"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSignature"
            | "MissingAuthenticationToken"
            | "NotAuthorized" => return FaultKind::Denied,
            "ResourceNotFound"
            | "NoSuchBucket"
            | "NoSuchKey"
            | "NoSuchUpload"
            | "QueueDoesNotExist"
            | "AWS.SimpleQueueService.NonExistentQueue" => return FaultKind::Missing,
            _ if code.starts_with("Throttling") => return FaultKind::Throttled,
            _ => {}
        }
        match self.status {
            429 => FaultKind::Throttled,
            408 | 500 | 502 | 503 | 504 => FaultKind::Transient,
            401 | 403 => FaultKind::Denied,
            404 => FaultKind::Missing,
            412 => FaultKind::Exists,
            _ => FaultKind::Refused,
        }
    }

    /// Whether the same request may be sent again after a while.
    pub fn is_worth_another_try(&self) -> bool {
        matches!(self.kind(), FaultKind::Throttled | FaultKind::Transient)
    }

    /// Reads the refusal in an answer that is no success.
    pub(crate) fn of(answer: &mut Answer) -> Self {
        let status = answer.status();
        let in_header = answer.header("x-amzn-errortype").map(short_code).unwrap_or_default().to_owned();
        // A body that cannot be read says nothing more than its status.
        let body = answer.read_whole().unwrap_or_default();
        let (code, message) = of_json(&body).or_else(|| xml::error(&body)).unwrap_or_default();
        Fault::new(status, if code.is_empty() { &in_header } else { &code }, &message)
    }
}

/// `com.amazonaws.dynamodb.v20120810#ResourceNotFoundException:http://…` without what stands around the name.
fn short_code(code: &str) -> &str {
    let code = code.rsplit_once('#').map_or(code, |(_, name)| name);
    code.split_once(':').map_or(code, |(name, _)| name)
}

#[derive(Deserialize)]
struct JsonFault {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(alias = "Message", default)]
    message: String,
}

fn of_json(body: &[u8]) -> Option<(String, String)> {
    let fault: JsonFault = serde_json::from_slice(body).ok()?;
    Some((short_code(&fault.code).to_owned(), fault.message))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn fault(status: u16, body: &str) -> Fault {
        Fault::of(&mut Answer::new(status, Vec::new(), Box::new(Cursor::new(body.as_bytes().to_vec()))))
    }

    #[test]
    fn refusals_in_json_and_in_xml_are_read() {
        let json =
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow"}"#;
        let throttled = fault(400, json);
        assert_eq!(throttled.to_string(), "ProvisionedThroughputExceededException (status 400): slow");
        assert_eq!(throttled.kind(), FaultKind::Throttled);

        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>no &amp; none</Message></Error>";
        let missing = fault(404, xml);
        assert_eq!((missing.code.as_str(), missing.message.as_str()), ("NoSuchBucket", "no & none"));
        assert_eq!(missing.kind(), FaultKind::Missing);
    }

    #[test]
    fn a_status_alone_is_a_refusal_too() {
        assert_eq!(fault(503, "").kind(), FaultKind::Transient);
        assert_eq!(fault(412, "").kind(), FaultKind::Exists);
        assert_eq!(fault(400, "<html>").to_string(), "status 400");
    }

    #[test]
    fn only_trouble_that_passes_is_worth_another_try() {
        for (status, code, again) in [
            (503, "SlowDown", true),
            (400, "ThrottlingException", true),
            (500, "InternalServerError", true),
            (400, "ValidationException", false),
            (403, "AccessDenied", false),
            (412, "PreconditionFailed", false),
            (400, "ConditionalCheckFailedException", false),
        ] {
            assert_eq!(Fault::new(status, code, "").is_worth_another_try(), again, "{code}");
        }
    }
}
