//! Where a service listens.

use std::net::IpAddr;

use crate::{Error, Result};

/// The services that are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Service {
    DynamoDb,
    S3,
    Sqs,
    Sts,
}

impl Service {
    /// Its name in host names and signatures.
    pub fn name(self) -> &'static str {
        match self {
            Service::DynamoDb => "dynamodb",
            Service::S3 => "s3",
            Service::Sqs => "sqs",
            Service::Sts => "sts",
        }
    }
}

/// Scheme, host and port of a service, and how buckets stand in addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: &'static str,
    /// Host, with its port where that is not the scheme's own.
    authority: String,
    has_bucket_in_host: bool,
}

impl Endpoint {
    /// The endpoint of AWS itself for a region.
    pub fn of_region(service: Service, region: &str) -> Self {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let authority = format!("{}.{region}.{suffix}", service.name());
        Endpoint { scheme: "https", authority, has_bucket_in_host: service == Service::S3 }
    }

    /// An endpoint that was given as an address, such as `http://127.0.0.1:4566`. Buckets stand in the path.
    ///
    /// # Errors
    /// [`Error::BadEndpoint`] if it is not `http` or `https`, has no host, or has more than a host and a port.
    pub fn parse(address: &str) -> Result<Self> {
        let bad = |reason| Error::BadEndpoint { address: address.to_owned(), reason };
        let (scheme, rest) =
            address.split_once("://").ok_or_else(|| bad("it begins with neither http:// nor https://"))?;
        let (scheme, own_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => ("http", ":80"),
            "https" => ("https", ":443"),
            _ => return Err(bad("it begins with neither http:// nor https://")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(bad("something follows its host and port"));
        }
        if authority.contains('@') {
            return Err(bad("credentials do not belong into it: they come from the environment or from a profile"));
        }
        let authority = authority.strip_suffix(own_port).unwrap_or(authority).to_ascii_lowercase();
        let (host, port) = split_port(&authority);
        let is_host =
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte));
        if !is_host || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(bad("it has no host, or a port that is none"));
        }
        Ok(Endpoint { scheme, authority, has_bucket_in_host: false })
    }

    /// Whether a request would go over a network in clear text.
    pub fn is_plain_over_network(&self) -> bool {
        let (host, _) = split_port(&self.authority);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.scheme == "http" && !is_loopback
    }

    /// Host (with its port), and what stands before the path, for a request to `bucket` (which may be empty).
    pub(crate) fn place(&self, bucket: &str) -> (String, String) {
        let is_host_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        // A dot in it would not fit the certificate.
        if self.has_bucket_in_host && !bucket.is_empty() && bucket.bytes().all(is_host_label) {
            return (format!("{bucket}.{}", self.authority), String::new());
        }
        let before =
            if bucket.is_empty() { String::new() } else { format!("/{}", crate::encode_query_part(bucket.as_bytes())) };
        (self.authority.clone(), before)
    }

    /// Scheme and host.
    pub(crate) fn origin(&self, host: &str) -> String {
        format!("{}://{host}", self.scheme)
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// Host, and port where there is one.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_stand_in_the_host_only_where_a_certificate_covers_them() {
        let aws = Endpoint::of_region(Service::S3, "eu-west-1");
        assert_eq!(aws.place("photos"), ("photos.s3.eu-west-1.amazonaws.com".to_owned(), String::new()));
        assert_eq!(aws.place("my.photos"), ("s3.eu-west-1.amazonaws.com".to_owned(), "/my.photos".to_owned()));
        let local = Endpoint::parse("http://127.0.0.1:4566/").unwrap();
        assert_eq!(local.place("photos"), ("127.0.0.1:4566".to_owned(), "/photos".to_owned()));
    }

    #[test]
    fn addresses_that_no_request_can_go_to_are_refused() {
        for address in [
            "127.0.0.1:4566",
            "ftp://x",
            "http://",
            "http://x/y",
            "http://u:p@x",
            "http://x:port",
            "https://x?y",
            "http://a b",
        ] {
            assert!(Endpoint::parse(address).is_err(), "{address}");
        }
    }

    #[test]
    fn only_clear_text_to_other_hosts_is_plain_over_network() {
        for (address, plain) in [
            ("http://127.0.0.1:1", false),
            ("http://localhost", false),
            ("http://[::1]:9000", false),
            ("https://example.org", false),
            ("http://10.0.0.1", true),
            ("http://localhost.example.org", true),
        ] {
            assert_eq!(Endpoint::parse(address).unwrap().is_plain_over_network(), plain, "{address}");
        }
    }

    #[test]
    fn the_own_port_of_a_scheme_is_not_repeated() {
        assert_eq!(Endpoint::parse("HTTPS://Example.org:443").unwrap().to_string(), "https://example.org");
    }
}
