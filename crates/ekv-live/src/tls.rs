//! Connections through TLS. Source: `docs/format/redis-live.md`, section 1.

use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::address::Endpoint;
use crate::link::{Dial, HANDSHAKE_TURNS_MAX, Link, Patience, SystemDial, TURNS_MAX, TlsOptions};

/// Why no connection through TLS can be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that holds no certificates, or no key.
    #[error("{}: {what}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What was expected, and what is wrong.
        what: String,
    },
    /// The system names no authority.
    #[error("this system has no certificates of authorities: name a file of them with --cacert")]
    NoAuthorities,
    /// Certificate and key do not go together, or cannot be used.
    #[error("the certificate and the key of the client cannot be used: {0}")]
    Identity(rustls::Error),
    /// Of the library.
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

/// Connects through TLS: the name of the host is checked.
pub struct TlsDial(Arc<ClientConfig>);

impl TlsDial {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(options: &TlsOptions) -> Result<TlsDial, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match options.trusts_anybody {
            true => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
            false => builder.with_root_certificates(authorities(options.authorities.as_deref())?),
        };
        let config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some((certificates, key)) => {
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| in_file(key, format_args!("expected a private key in PEM: {error}")))?;
                builder.with_client_auth_cert(certificates_in(certificates)?, key).map_err(TlsError::Identity)?
            }
        };
        Ok(TlsDial(Arc::new(config)))
    }
}

fn authorities(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates_in(file)? {
                store.add(certificate).map_err(|error| in_file(file, format_args!("{error}")))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(TlsError::NoAuthorities);
            }
        }
    }
    Ok(store)
}

fn certificates_in(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let expected = |error: &dyn std::fmt::Display| in_file(file, format_args!("expected certificates in PEM: {error}"));
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| expected(&error))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(|error| expected(&error))?;
    if certificates.is_empty() { Err(expected(&"there is none")) } else { Ok(certificates) }
}

fn in_file(file: &Path, what: std::fmt::Arguments<'_>) -> TlsError {
    TlsError::File { file: file.to_owned(), what: what.to_string() }
}

impl Dial for TlsDial {
    fn dial(&self, place: &Endpoint) -> io::Result<Box<dyn Link>> {
        let Endpoint::Tcp { host, .. } = place else {
            return Err(io::Error::new(ErrorKind::Unsupported, "there is no TLS over a Unix socket"));
        };
        let name = ServerName::try_from(host.clone()).map_err(invalid)?;
        let session = ClientConnection::new(Arc::clone(&self.0), name).map_err(invalid)?;
        let mut link = TlsLink { session, socket: SystemDial.dial(place)? };
        link.shake_hands()?;
        Ok(Box::new(link))
    }
}

/// A session over a connection.
struct TlsLink {
    session: ClientConnection,
    socket: Box<dyn Link>,
}

impl TlsLink {
    fn shake_hands(&mut self) -> io::Result<()> {
        let mut turns = 0;
        while self.session.is_handshaking() {
            match self.receive(Patience::Short) {
                Err(error) if !is_timeout(&error) => return Err(error),
                Err(_) if turns < HANDSHAKE_TURNS_MAX => turns += 1,
                Err(_) => {
                    let text = "nobody answers in the language of TLS there";
                    return Err(io::Error::new(ErrorKind::InvalidData, text));
                }
                Ok(()) => {}
            }
        }
        self.send().map(drop)
    }

    /// Sends what waits; false if some of it still does.
    fn send(&mut self) -> io::Result<bool> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Raw { socket: &mut *self.socket, patience: Patience::Short }) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads a piece of what the server sends, once everything was sent that waits, or while it still does.
    fn receive(&mut self, patience: Patience) -> io::Result<()> {
        let mut turns = 0;
        loop {
            let is_sent = self.send()?;
            let turn = if is_sent { patience } else { Patience::Short };
            match self.session.read_tls(&mut Raw { socket: &mut *self.socket, patience: turn }) {
                Ok(0) if self.session.is_handshaking() => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {
                    let processed = self.session.process_new_packets();
                    // What is wrong is told to the server as well, if that still works.
                    return processed.map(drop).map_err(|error| {
                        let _ = self.send();
                        invalid(error)
                    });
                }
                Err(error) if !is_sent && patience == Patience::Long && is_timeout(&error) && turns < TURNS_MAX => {
                    turns += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Link for TlsLink {
    fn read(&mut self, buffer: &mut [u8], patience: Patience) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.receive(patience)?,
                read => return read,
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.session.writer().write(bytes)?;
        let is_sent = self.send()?;
        // What the session has taken goes out with the next write or read.
        if len == 0 && !is_sent { Err(ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }
}

/// The connection below, as the library wants it.
struct Raw<'s> {
    socket: &'s mut dyn Link,
    patience: Patience,
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer, self.patience)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// Takes any certificate, but lets the server prove that it has the key of it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
