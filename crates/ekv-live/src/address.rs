//! Addresses of servers, as the command line has them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of a server that names none.
const PORT: u16 = 6379;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// A host name or address, and a port.
    Tcp {
        /// Without brackets, also if it is an IPv6 address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// Whether only this machine can listen in.
    pub fn is_local(&self) -> bool {
        match self {
            Endpoint::Unix(_) => true,
            Endpoint::Tcp { host, .. } => {
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// The place that `HOST:PORT` names, as servers print it (`::1:6379` is an IPv6 address).
    pub fn of_host_and_port(text: &str) -> Option<Endpoint> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(Endpoint::Tcp { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A server, or the first one of a cluster, as a user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Where it listens.
    pub place: Endpoint,
    /// Whether it is spoken to through TLS.
    pub is_tls: bool,
    /// The ACL user; `None` = the default one.
    pub user: Option<String>,
    /// Logical database, if the address names one.
    pub database: Option<u32>,
}

/// Why a text is no address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No known beginning.
    #[error("{0}: this is no server: expected redis://HOST[:PORT][/DATABASE], rediss:// for TLS, or unix:PATH")]
    Scheme(String),
    /// A password would be seen by everybody who can list processes.
    #[error(
        "a password does not belong into the address, where other users of this machine can read it: put it into EKV_REDIS_PASSWORD, or into a file \
         for --password-file"
    )]
    Password,
    /// A part that cannot be read.
    #[error("{text}: {what}")]
    Part {
        /// The address.
        text: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl ServerAddress {
    /// Whether a text names a server, and not a file: such names of files need `./` in front.
    pub fn is_one(text: &str) -> bool {
        ["redis:", "rediss:", "unix:"].iter().any(|scheme| text.starts_with(scheme))
            && (text.starts_with("unix:") || text.contains("://"))
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let part = |what| AddressError::Part { text: text.to_owned(), what };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(part("a Unix socket needs a path"));
            }
            return Ok(ServerAddress { place: Endpoint::Unix(path.into()), is_tls: false, user: None, database: None });
        }
        let (is_tls, rest) = match (text.strip_prefix("redis://"), text.strip_prefix("rediss://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(AddressError::Scheme(text.to_owned())),
        };
        let (authority, database) = match rest.split_once('/') {
            Some((authority, "")) => (authority, None),
            Some((authority, number)) => {
                (authority, Some(number.parse().map_err(|_| part("the database behind the slash is a number"))?))
            }
            None => (rest, None),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => return Err(AddressError::Password),
            Some((user, host)) => (Some(user.to_owned()).filter(|user| !user.is_empty()), host),
            None => (None, authority),
        };
        let (host, port) = match host.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(part("the bracket of the address is not closed"))?;
                (host, rest.strip_prefix(':').or((!rest.is_empty()).then_some(rest)))
            }
            None if host.matches(':').count() > 1 => return Err(part("an IPv6 address stands in brackets")),
            None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(part("the host is missing"));
        }
        let port = port.map_or(Ok(PORT), str::parse).map_err(|_| part("the port is a number up to 65535"))?;
        Ok(ServerAddress { place: Endpoint::Tcp { host: host.to_owned(), port }, is_tls, user, database })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Endpoint::Unix(_) => write!(f, "unix:{}", self.place)?,
            Endpoint::Tcp { .. } => {
                f.write_str(if self.is_tls { "rediss://" } else { "redis://" })?;
                self.user.iter().try_for_each(|user| write!(f, "{user}@"))?;
                self.place.fmt(f)?;
            }
        }
        self.database.iter().try_for_each(|database| write!(f, "/{database}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_are_read_and_printed() {
        for (text, printed) in [
            ("redis://h", "redis://h:6379"),
            ("redis://h:7/", "redis://h:7"),
            ("redis://u@h:7/3", "redis://u@h:7/3"),
            ("rediss://[::1]:7", "rediss://[::1]:7"),
            ("redis://[::1]", "redis://[::1]:6379"),
            ("unix:/run/r.sock", "unix:/run/r.sock"),
            ("unix:///run/r.sock", "unix:/run/r.sock"),
        ] {
            let address: ServerAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), printed, "{text}");
            assert!(ServerAddress::is_one(text));
        }
        for text in [
            "h",
            "redis:/h",
            "http://h",
            "redis://",
            "redis://h:x",
            "redis://h/x",
            "redis://::1",
            "redis://[::1",
            "unix:",
        ] {
            assert!(text.parse::<ServerAddress>().is_err(), "{text}");
        }
        for text in ["redis:0/user:1", "dump", "a/redis://b"] {
            assert!(!ServerAddress::is_one(text), "{text}");
        }
    }

    #[test]
    fn password_in_an_address_is_refused_without_being_repeated() {
        for text in ["redis://u:secret@h", "redis://:secret@h"] {
            let error = text.parse::<ServerAddress>().unwrap_err();
            assert_eq!(error, AddressError::Password);
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn local_places_are_known() {
        let is_local = |text: &str| text.parse::<ServerAddress>().unwrap().place.is_local();
        assert!(["redis://127.0.0.1", "redis://[::1]", "redis://localhost", "unix:x"].into_iter().all(is_local));
        assert!(!is_local("redis://10.0.0.1"));
        assert_eq!(Endpoint::of_host_and_port("::1:80"), Some(Endpoint::Tcp { host: "::1".to_owned(), port: 80 }));
        assert_eq!(Endpoint::of_host_and_port("h"), None);
    }
}
