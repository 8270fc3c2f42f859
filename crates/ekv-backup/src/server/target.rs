//! The server that is written to: who it is, and whether anything may be written there.
//!
//! Source: `docs/format/redis-live.md`, sections 1 and 2.

use std::path::Path;

use ekv_live::{Access, Connection, Dial, Identity, Reply, ServerAddress, Servers, SystemDial, TlsOptions};
use ekv_model::{Class, Error, Result};
use serde::Serialize;

/// Oldest version of Redis that takes the commands that are used.
const VERSION_MIN: (u64, u64) = (6, 2);
/// How long a key of the test stays if it cannot be removed, in milliseconds.
const PROBE_MS: u64 = 60_000;
/// `RESTORE` of the string `v`, of version 9.
const PROBE: &[u8] = b"\0\x01v\x09\0\x41\xfa\x9f\x7e\x4d\xbe\xe9\x7f";

/// A password, which nothing shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// These bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Password(bytes.into())
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// How servers are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerAccess {
    /// ACL user of addresses that name none; `None` = the default one.
    pub user: Option<String>,
    /// The password, if one is needed.
    pub password: Option<Password>,
    /// Whom to trust, and what to show, where an address wants TLS.
    pub tls: TlsOptions,
}

/// A server or cluster, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTarget {
    /// Where it is.
    pub address: ServerAddress,
    /// How it is reached.
    pub access: ServerAccess,
}

/// What a server is, for reports.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// Its address.
    pub address: String,
    /// `redis` or `valkey`.
    pub software: String,
    /// Its version.
    pub version: String,
    /// Nodes with keys; 1 if it is no cluster.
    pub nodes: usize,
    /// Keys that were there before.
    pub keys_before: u64,
    /// What it does when its memory is full.
    pub eviction: String,
    /// Its clock less that of this machine, in milliseconds, if that is more than a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
}

/// A server that was asked who it is.
pub(crate) struct Opened {
    pub(crate) servers: Servers,
    pub(crate) identity: Identity,
    pub(crate) report: TargetReport,
    pub(crate) connection: Connection,
}

impl ServerTarget {
    /// The address of a server in an argument, if it is one.
    pub fn address_in(argument: &Path) -> Option<&str> {
        argument.to_str().filter(|text| ServerAddress::is_one(text))
    }

    /// Connects, and learns who it is.
    ///
    /// # Errors
    /// Nobody answers, or refuses; TLS, which this build does not have; a server that is too old, or is no server of keys.
    pub(crate) fn open(&self) -> Result<Opened> {
        let ServerTarget { address, access: ServerAccess { user, password, tls } } = self;
        let access = Access {
            dial: dial(address, tls)?,
            user: address.user.clone().or_else(|| user.clone()),
            password: password.clone().map(|Password(bytes)| bytes),
            database: address.database.unwrap_or(0),
        };
        let (servers, connection, identity) = Servers::open(address, access).map_err(|error| self.explained(error))?;
        let mut keys = identity.keys;
        let mut servers = servers;
        if servers.is_cluster() {
            keys = 0;
            for place in servers.places() {
                let mut connection = servers.connect(&place)?;
                if let Reply::Integer(own) = connection.ask(&[b"DBSIZE"])? {
                    keys = keys.saturating_add(u64::try_from(own).unwrap_or(0));
                }
            }
        }
        let here_ms =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
        let ahead_ms = i128::from(identity.time_ms).saturating_sub(i128::try_from(here_ms).unwrap_or(i128::MAX));
        let report = TargetReport {
            address: address.to_string(),
            software: identity.software.clone(),
            version: identity.version.clone(),
            nodes: servers.places().len(),
            keys_before: keys,
            eviction: identity.eviction.clone(),
            clock_ahead_ms: i64::try_from(ahead_ms).ok().filter(|ahead_ms| ahead_ms.unsigned_abs() > 1000),
        };
        Ok(Opened { servers, identity, report, connection })
    }

    /// Adds what to do about a refusal.
    fn explained(&self, error: ekv_live::Error) -> Error {
        let text = error.to_string();
        let what = match &error {
            ekv_live::Error::Refused { text, .. } if text.starts_with("NOAUTH") => {
                "; it wants a password: EKV_REDIS_PASSWORD, or --password-file"
            }
            ekv_live::Error::Refused { text, .. } if text.starts_with("WRONGPASS") => {
                "; the password, or the user in the address, is another one"
            }
            ekv_live::Error::Refused { text, .. } if text.starts_with("NOPERM") => {
                "; the user needs +info, +dbsize and +time beside what it writes"
            }
            error if error.is_of_trust() => {
                "; rediss:// is for servers that speak TLS; --cacert names the authority that signed a server's certificate, --tls-cert and --tls-key \
                 what a server wants to see of a client"
            }
            _ => return error.into(),
        };
        let mut cause = String::new();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            cause = format!("{cause}: {inner}");
            source = inner.source();
        }
        Error::new(error.class(), format!("{text}{cause}{what}"))
    }
}

impl Opened {
    /// Makes sure that it has its data.
    ///
    /// # Errors
    /// If it still reads them.
    pub(crate) fn check_is_up(&self) -> Result<()> {
        match self.identity.is_loading {
            true => {
                let text = format!("{}: it still reads its own data: wait until it is up", self.report.address);
                Err(Error::new(Class::Environment, text))
            }
            false => Ok(()),
        }
    }

    /// Whether it may be written to.
    ///
    /// # Errors
    /// An old version, a replica, a server that loads its data or throws keys away, keys where there may be none, a database that it does
    /// not have.
    pub(crate) fn check(&self, database: u32, requires_empty: bool, allows_eviction: bool) -> Result<()> {
        let Opened { identity, report, .. } = self;
        let address = &report.address;
        let refuse = |text: String| Err(Error::new(Class::Environment, format!("{address}: {text}")));
        if identity.compatible() < VERSION_MIN {
            let version = &identity.version;
            return refuse(format!(
                "version {version} is too old: expected {}.{} or newer",
                VERSION_MIN.0, VERSION_MIN.1
            ));
        }
        self.check_is_up()?;
        if identity.role != "master" {
            return refuse(format!("it is a {}: name the master, which alone takes writes", identity.role));
        }
        if identity.is_cluster && database != 0 {
            return refuse("a cluster has database 0 only".to_owned());
        }
        if identity.eviction.starts_with("allkeys-") && identity.memory_max > 0 && !allows_eviction {
            return refuse(format!(
                "when its memory is full it throws away any keys (maxmemory-policy {}), what was loaded among them: change that for the time of the \
                 load, or give --allow-eviction",
                identity.eviction
            ));
        }
        if requires_empty && report.keys_before > 0 {
            return refuse(format!("it holds {} keys, and --require-empty wants none", report.keys_before));
        }
        Ok(())
    }

    /// Makes sure that everything can be written into another logical database first, and then change places with that at `home`.
    ///
    /// # Errors
    /// A cluster, the same database, or one that holds keys where `is_new` wants none.
    pub(crate) fn check_aside(&mut self, database: u32, home: u32, is_new: bool) -> Result<()> {
        let address = &self.report.address;
        let refuse = |text: String| Err(Error::new(Class::Environment, format!("{address}: {text}")));
        if self.servers.is_cluster() {
            return refuse("a cluster has one database, and --into-db wants another".to_owned());
        }
        if database == home {
            return refuse(format!("--into-db {database} is the database of the target itself"));
        }
        let keys = self.identity.databases.iter().find(|one| one.database == database).map_or(0, |one| one.keys);
        if keys > 0 && is_new {
            return refuse(format!("database {database} holds {keys} keys, and --into-db wants an empty one"));
        }
        Ok(())
    }

    /// Whether it takes `RESTORE`: tried with a key that is removed at once.
    ///
    /// # Errors
    /// Of the connection, and whatever keeps it from taking any key.
    pub(crate) fn takes_restore(&mut self, run: &str) -> Result<bool> {
        let (place, slot) = self.servers.slots().into_iter().next().unwrap_or((self.connection.place().clone(), 0));
        let mut connection = self.servers.connect(&place)?;
        let name = format!("ekv-load:{{{}}}:{run}:probe", ekv_live::tag(slot)).into_bytes();
        let until = self.identity.time_ms.saturating_add(PROBE_MS).to_string();
        let reply = connection.call(&[b"RESTORE", &name, until.as_bytes(), PROBE, b"ABSTTL"])?;
        let Some(text) = reply.error() else {
            connection.call(&[b"UNLINK", &name])?;
            return Ok(true);
        };
        if ["NOPERM", "ERR unknown command", "ERR DUMP payload"].iter().any(|start| text.starts_with(start)) {
            return Ok(false);
        }
        Err(Error::new(Class::Environment, format!("{}: it takes no keys: {text}", self.report.address)))
    }
}

/// How connections to a server come about.
fn dial(address: &ServerAddress, tls: &TlsOptions) -> Result<Box<dyn Dial>> {
    let refuse = |text: &str| Err(Error::new(Class::Environment, format!("{address}: {text}")));
    match (address.is_tls, *tls == TlsOptions::default()) {
        (true, _) => tls_dial(tls),
        (false, true) => Ok(Box::new(SystemDial)),
        (false, false) => refuse("options of TLS are for addresses that begin with rediss://"),
    }
}

#[cfg(feature = "tls")]
fn tls_dial(tls: &TlsOptions) -> Result<Box<dyn Dial>> {
    let dial = ekv_live::TlsDial::new(tls).map_err(|error| Error::new(Class::Environment, error))?;
    Ok(Box::new(dial))
}

#[cfg(not(feature = "tls"))]
fn tls_dial(_: &TlsOptions) -> Result<Box<dyn Dial>> {
    let text = "rediss:// needs TLS, which this build does not have: use a tunnel, such as ssh -L, and redis://";
    Err(Error::new(Class::Environment, text))
}
