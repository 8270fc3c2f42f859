//! The wire: HTTP/1.1, over TLS where the endpoint says so.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, SendBody};

use crate::{Answer, Content, SignedRequest, Wire};

/// How long a service may take to answer a request that it has whole.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one request may take altogether.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that are kept and used again; TLS with the certificates that the system trusts.
#[derive(Clone, Debug)]
pub struct HttpWire {
    agent: Agent,
}

impl HttpWire {
    /// A wire that keeps up to `connections` open, and trusts the authorities in `root_certificates` (PEM) instead of the system's, where
    /// given.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(connections: usize, root_certificates: Option<&[u8]>) -> io::Result<Self> {
        let roots = match root_certificates {
            Some(pem) => certificates(pem)?,
            None => rustls_native_certs::load_native_certs()
                .certs
                .iter()
                .map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned())
                .collect(),
        };
        let tls =
            TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(RootCerts::Specific(Arc::new(roots))).build();
        let config = Config::builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("ekv-backup/", env!("CARGO_PKG_VERSION")))
            .accept("")
            .accept_encoding("")
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .build();
        Ok(HttpWire { agent: config.new_agent() })
    }
}

fn certificates(pem: &[u8]) -> io::Result<Vec<Certificate<'static>>> {
    let bad = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let certificates: Vec<_> = ureq::tls::parse_pem(pem)
        .filter_map(|item| match item {
            Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(bad(error.to_string()))),
        })
        .collect::<io::Result<_>>()?;
    if certificates.is_empty() { Err(bad("no certificate in it".to_owned())) } else { Ok(certificates) }
}

impl Wire for HttpWire {
    fn send(&self, request: &SignedRequest<'_>) -> io::Result<Answer> {
        let mut head = http::Request::builder().method(request.method.as_str()).uri(request.uri());
        for (name, value) in &request.headers {
            head = head.header(name, value);
        }
        let with = |head: http::request::Builder, len: u64| head.header("content-length", len);
        let response = match request.content {
            Content::Bytes([]) if !has_body(request) => self.agent.run(head.body(()).map_err(io::Error::other)?),
            Content::Bytes(bytes) => {
                self.agent.run(with(head, request.content.len()).body(bytes).map_err(io::Error::other)?)
            }
            Content::Stream { len, open, .. } => {
                let mut reader = open.open()?.take(len);
                let body = SendBody::from_reader(&mut reader);
                self.agent.run(with(head, len).body(body).map_err(io::Error::other)?)
            }
        };
        let response = response.map_err(ureq::Error::into_io)?;
        let (parts, body) = response.into_parts();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Ok(Answer::new(parts.status.as_u16(), headers, Box::new(body.into_reader())))
    }
}

/// Whether the method says that there is a body, if an empty one.
fn has_body(request: &SignedRequest<'_>) -> bool {
    matches!(request.method.as_str(), "PUT" | "POST")
}
