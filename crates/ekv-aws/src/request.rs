//! What is sent.

use std::io::Read;

use crate::sign::sha256;

/// HTTP methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
}

impl Method {
    /// The word in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// Content that can be read from its beginning as often as is needed.
pub trait Reopen: Sync {
    /// Opens it at its beginning.
    ///
    /// # Errors
    /// It cannot be read.
    fn open(&self) -> std::io::Result<Box<dyn Read + '_>>;
}

/// The body of a request. It is sent anew with each try, so that it must be there again.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// Bytes that are read from their beginning with each try.
    Stream {
        /// How many there are.
        len: u64,
        /// SHA-256 of them all.
        sha256: [u8; 32],
        /// Opens them at their beginning.
        open: &'a dyn Reopen,
    },
}

impl Content<'_> {
    /// No body.
    pub const EMPTY: Content<'static> = Content::Bytes(&[]);

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Content::Stream { len, .. } => *len,
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// SHA-256 of all bytes.
    pub fn sha256(&self) -> [u8; 32] {
        match self {
            Content::Bytes(bytes) => sha256(bytes),
            Content::Stream { sha256, .. } => *sha256,
        }
    }
}

/// A request before it has a signature.
pub struct Request<'a> {
    /// Method.
    pub method: Method,
    /// Bucket that may stand in the host's name instead of the path; empty for services without one.
    pub bucket: &'a str,
    /// Path behind the bucket, encoded, beginning with `/`.
    pub path: String,
    /// Names and values of the query, not encoded.
    pub query: Vec<(String, String)>,
    /// Header names in lower case, with values. `host`, `x-amz-date`, `x-amz-content-sha256` and `authorization` are added.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub content: Content<'a>,
}

impl<'a> Request<'a> {
    /// A request for `path` (encoded) without anything else.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Request {
            method,
            bucket: "",
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            content: Content::EMPTY,
        }
    }

    /// The same, below a bucket.
    #[must_use]
    pub fn in_bucket(mut self, bucket: &'a str) -> Self {
        self.bucket = bucket;
        self
    }

    /// The same with a pair more in its query.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a header more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn content(mut self, content: Content<'a>) -> Self {
        self.content = content;
        self
    }
}

/// A request that can go out.
pub struct SignedRequest<'a> {
    /// Method.
    pub method: Method,
    /// Scheme, host and port: `https://sqs.eu-west-1.amazonaws.com`.
    pub origin: String,
    /// Path, encoded.
    pub path: String,
    /// Query, encoded, without `?`; may be empty.
    pub query: String,
    /// All headers but `content-length`, the signature among them.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub content: Content<'a>,
}

impl SignedRequest<'_> {
    /// The whole address.
    pub fn uri(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{}", self.origin, self.path, self.query)
    }
}
