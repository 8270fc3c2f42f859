//! Bytes to a server and back.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::Endpoint;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a silent server is waited for.
const REPLY_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a write may wait before replies are looked at.
const TURN: Duration = Duration::from_millis(20);
/// So many turns may a session take to come about.
#[cfg(feature = "tls")]
pub(crate) const HANDSHAKE_TURNS_MAX: u32 = 500;
/// So many turns without a byte in either direction are too many.
pub(crate) const TURNS_MAX: u32 = 3000;

/// How long a read waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// For the next byte, as long as a server may be silent.
    Long,
    /// For what is there already, or comes within a moment.
    Short,
}

/// A connection to a server. `WouldBlock` and `TimedOut` mean that nothing went on in the time it has; one thread reads and writes, so
/// that a write never waits for long: the other side may have to be read first.
pub trait Link {
    /// Reads some bytes; none at the end.
    ///
    /// # Errors
    /// Of the system.
    fn read(&mut self, buffer: &mut [u8], patience: Patience) -> io::Result<usize>;

    /// Writes some bytes, and does not wait for more than a moment.
    ///
    /// # Errors
    /// Of the system.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// Makes connections.
pub trait Dial {
    /// Connects.
    ///
    /// # Errors
    /// Of the system.
    fn dial(&self, place: &Endpoint) -> io::Result<Box<dyn Link>>;
}

/// Whom a client trusts, and what it shows to a server, where they speak TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// File with the certificates of authorities; `None` = those of the system.
    pub authorities: Option<PathBuf>,
    /// Files with the client's certificate, and those that lead to an authority, and with its private key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether any certificate of a server is taken, whoever signed it and whatever it is for.
    pub trusts_anybody: bool,
}

/// What sockets have in common.
trait Timeouts: Read + Write {
    fn wait_to_read(&self, time: Duration) -> io::Result<()>;
}

impl Timeouts for TcpStream {
    fn wait_to_read(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

#[cfg(unix)]
impl Timeouts for UnixStream {
    fn wait_to_read(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

struct Socket<S> {
    stream: S,
    patience: Patience,
}

impl<S: Timeouts> Socket<S> {
    fn of(stream: S) -> io::Result<Self> {
        stream.wait_to_read(REPLY_TIMEOUT)?;
        Ok(Socket { stream, patience: Patience::Long })
    }
}

impl<S: Timeouts> Link for Socket<S> {
    fn read(&mut self, buffer: &mut [u8], patience: Patience) -> io::Result<usize> {
        if patience != self.patience {
            self.stream.wait_to_read(if patience == Patience::Long { REPLY_TIMEOUT } else { TURN })?;
            self.patience = patience;
        }
        self.stream.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }
}

/// Connects by the system's sockets.
#[derive(Debug, Default)]
pub struct SystemDial;

impl Dial for SystemDial {
    fn dial(&self, place: &Endpoint) -> io::Result<Box<dyn Link>> {
        match place {
            Endpoint::Tcp { host, port } => Ok(Box::new(Socket::of(connect(host, *port)?)?)),
            #[cfg(unix)]
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(TURN))?;
                Ok(Box::new(Socket::of(stream)?))
            }
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets")),
        }
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "this host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(TURN))?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
