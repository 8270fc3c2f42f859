//! Addresses of containers and objects.

use std::fmt;

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {
    /// The bucket.
    pub bucket: String,
    /// The key of an object; if it is empty or ends in `/`, what all keys of a shelf begin with.
    pub key: String,
}

/// Why an address names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no address of an object: {problem}")]
pub struct UrlError {
    /// The address.
    pub url: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl RemoteUrl {
    /// What each address begins with.
    pub const SCHEME: &'static str = "s3://";

    /// The address in an argument; `None` if it is none.
    ///
    /// # Errors
    /// An address that begins as one and names no bucket, or carries what is no part of a key.
    pub fn parse(text: &str) -> Result<Option<RemoteUrl>, UrlError> {
        let Some(rest) = text.strip_prefix(RemoteUrl::SCHEME) else { return Ok(None) };
        let fail = |problem| Err(UrlError { url: text.to_owned(), problem });
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return fail("no bucket behind s3://");
        }
        if bucket.contains('@') || bucket.contains(':') {
            return fail(
                "credentials and endpoints do not belong into it: set AWS_PROFILE, AWS_ENDPOINT_URL or --endpoint-url",
            );
        }
        Ok(Some(RemoteUrl { bucket: bucket.to_owned(), key: key.to_owned() }))
    }

    /// Whether it names a shelf, which holds many objects.
    pub fn is_shelf(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", RemoteUrl::SCHEME, self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_stands_behind_the_bucket_to_the_letter() {
        let parse = |text: &str| RemoteUrl::parse(text).unwrap();
        let of = |bucket: &str, key: &str| Some(RemoteUrl { bucket: bucket.to_owned(), key: key.to_owned() });
        assert_eq!(parse("s3://b/a//b/../c%20d?x#y"), of("b", "a//b/../c%20d?x#y"));
        assert_eq!(parse("s3://b"), of("b", ""));
        assert_eq!(parse("b/key"), None);
        assert_eq!(parse("s3://b/a/").unwrap().to_string(), "s3://b/a/");
        assert!(parse("s3://b/a/").unwrap().is_shelf() && parse("s3://b").unwrap().is_shelf());
        assert!(!parse("s3://b/a.tar.zst").unwrap().is_shelf());
    }

    #[test]
    fn addresses_without_bucket_or_with_credentials_are_refused() {
        assert!(RemoteUrl::parse("s3:///key").is_err());
        assert!(RemoteUrl::parse("s3://key:secret@b/key").is_err());
    }
}
