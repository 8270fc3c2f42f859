//! A running server as a source: its keys as events. Source: `docs/format/redis-live.md`, section 12.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_live::{DraftWriter, KeyRead, Keyspace, ServerAddress, identify, time_ms};
use ekv_model::{
    Class, Consumer, Error, Event, Example, Finding, Findings, Narrowing, Protocol, Result, redis as model,
};
use ekv_rdb::{FieldExpiry, findings};
use ekv_snapshot::CommitTs;
use ekv_spill::Scratch;

use super::keys::{Names, Wanted, pour_keys};
use super::target::{Opened, ServerTarget};
use crate::books::{Books, Header};
use crate::completeness::Proof;
use crate::imports::{Import, Origin, Taking};
use crate::loaded::ReadOptions;
use crate::pipe::Events;
use crate::progress::{Phase, Progress};
use crate::report::ServerReport;
use crate::time::format_unix_ms;
use crate::{CommandError, EventOptions};

/// What MANIFEST.json calls the kind of source.
const SOURCE_KIND: &str = "server";

/// Keys were read one after the other.
const NOT_ONE_MOMENT: Finding = Finding::warning(
    "server_not_one_moment",
    "the keys of a running server, read one after the other: each is as it was when it was read, and together they are not one moment",
);
/// A key vanished between being listed and being read.
const GONE: Finding = Finding::info(
    "server_key_gone",
    "keys that went away, or expired, after they were listed and before they were read",
);

/// A running server or cluster that was asked who it is.
pub struct LiveServer {
    target: ServerTarget,
    opened: Opened,
    databases: Vec<Keyspace>,
    function_libraries: u64,
    moment: CommitTs,
    field_expiry: FieldExpiry,
    scratch: Arc<dyn Scratch>,
}

impl LiveServer {
    /// Connects to the server at `address` and asks who it is. A logical database in the address is the only one that is read.
    ///
    /// # Errors
    /// An address that is none; as [`ServerTarget::open`]; a server that still reads its own data; a time to read at.
    pub(crate) fn open(address: &str, read: &ReadOptions) -> Result<Self> {
        let address: ServerAddress = address.parse().map_err(|error| Error::new(Class::Environment, error))?;
        if read.at.is_some() {
            return Err(CommandError::NoVersions.into());
        }
        let target = ServerTarget { address, access: read.server.clone() };
        let mut opened = target.open()?;
        opened.check_is_up()?;
        let first = &opened.identity;
        let moment = CommitTs::last_of_ms(first.time_ms).unwrap_or_default();
        let mut function_libraries = first.function_libraries;
        let mut databases: BTreeMap<u32, Keyspace> =
            first.databases.iter().map(|keyspace| (keyspace.database, *keyspace)).collect();
        if opened.servers.is_cluster() {
            databases.clear();
            for place in opened.servers.places() {
                let own = identify(&mut opened.servers.connect(&place)?)?;
                function_libraries = function_libraries.max(own.function_libraries);
                for keyspace in own.databases {
                    let sum = databases.entry(keyspace.database);
                    let sum = sum.or_insert(Keyspace { keys: 0, expiring_hashes: 0, ..keyspace });
                    sum.keys = sum.keys.saturating_add(keyspace.keys);
                    sum.expiring_hashes = sum.expiring_hashes.saturating_add(keyspace.expiring_hashes);
                }
            }
        }
        if let Some(only) = target.address.database {
            databases.retain(|database, _| *database == only);
        }
        Ok(LiveServer {
            databases: databases.into_values().collect(),
            function_libraries,
            moment,
            field_expiry: read.field_expiry,
            scratch: read.resources.scratch(),
            target,
            opened,
        })
    }

    /// What is known before its keys are read.
    pub fn header(&self) -> Header {
        let keys = self.databases.iter().fold(0_u64, |sum, keyspace| sum.saturating_add(keyspace.keys));
        Header { visible: Some(keys), read_ts: self.moment.0, last_commit_ts: self.moment.0, ..Header::default() }
    }

    fn report(&mut self, keys: u64, gone: u64) -> Result<ServerReport> {
        let ended_ms = time_ms(&mut self.opened.servers.connect(&self.target.address.place)?)?;
        let Opened { report, identity, .. } = &self.opened;
        Ok(ServerReport {
            address: report.address.clone(),
            software: report.software.clone(),
            version: report.version.clone(),
            nodes: report.nodes,
            began: format_unix_ms(identity.time_ms),
            ended: format_unix_ms(ended_ms),
            is_one_moment: false,
            keys,
            gone,
        })
    }

    /// The keys of one database that are selected.
    fn pour_database(
        &mut self,
        keyspace: Keyspace,
        options: &EventOptions,
        taking: &mut Taking<'_, '_>,
        tell: &mut Telling<'_>,
        scratch: &Arc<dyn Scratch>,
    ) -> Result<()> {
        let Keyspace { database, expiring_hashes, .. } = keyspace;
        let keys = options.scope.keys_in(Protocol::Redis, database.to_string().as_bytes());
        self.opened.servers.select(database);
        tell.database = database;
        let narrowing = keys.narrowing();
        let is_excerpt = !matches!(narrowing, Narrowing::All);
        let mut left_out = 0_u64;
        let names = Names {
            database,
            wanted: Wanted::Found {
                narrowing,
                is_selected: &mut |name| {
                    let is_selected = keys.contains(name);
                    left_out = left_out.saturating_add(u64::from(!is_selected));
                    is_selected
                },
            },
            version: self.opened.identity.compatible(),
            field_expiry: (expiring_hashes > 0).then_some(self.field_expiry),
        };
        let mut told = |name: &[u8], read: &KeyRead| tell.of(name, read);
        let servers = &mut self.opened.servers;
        match options.looks_ahead || options.scope.looks_ahead() {
            true => {
                let mut measured = Measured { consumer: taking, scratch, open: None };
                pour_keys(servers, names, &mut measured, &mut told, scratch)?;
            }
            false => pour_keys(servers, names, taking, &mut told, scratch)?,
        }
        // What was not looked at was not selected either.
        let left_out = if is_excerpt { keyspace.keys.saturating_sub(tell.keys_of_database) } else { left_out };
        taking.leave_out(left_out);
        Ok(())
    }
}

/// What is told of the keys of a server as they are read.
struct Telling<'t> {
    found: Findings,
    field_expiry: FieldExpiry,
    database: u32,
    keys: u64,
    keys_of_database: u64,
    gone: u64,
    progress: &'t dyn Progress,
}

impl Telling<'_> {
    fn of(&mut self, name: &[u8], read: &KeyRead) -> Result<()> {
        let database = self.database;
        self.keys = self.keys.saturating_add(1);
        self.keys_of_database = self.keys_of_database.saturating_add(1);
        let found = &mut self.found;
        let mut tell = |finding, detail: String| {
            found.record(finding, || {
                Example::new(Some(name), None, detail).in_scope(Protocol::Redis, database.to_string())
            })
        };
        match read {
            KeyRead::Whole { groups, expiring_fields } => {
                if *groups > 0 {
                    tell(findings::GROUPS, format!("{groups} consumer groups"));
                }
                if *expiring_fields > 0 {
                    let detail = format!("{expiring_fields} of its fields expire: they are kept without expiry");
                    tell(findings::FIELD_EXPIRY.accepted_if(self.field_expiry == FieldExpiry::Drop), detail);
                }
                if database != 0 {
                    tell(findings::SEVERAL_DATABASES, format!("database {database}"));
                }
            }
            KeyRead::FieldsExpire(fields) => tell(findings::FIELD_EXPIRY, format!("{fields} of its fields expire")),
            KeyRead::Foreign(kind) => tell(findings::MODULE_VALUE, format!("type {kind}")),
            KeyRead::Gone | KeyRead::Elsewhere => {
                self.gone = self.gone.saturating_add(1);
                tell(GONE, String::new());
            }
        }
        Ok(self.progress.advance(1)?)
    }
}

/// The keys of a server, as the options say.
pub struct ServerEvents<'s> {
    server: &'s mut LiveServer,
    options: &'s EventOptions,
}

impl<'s> ServerEvents<'s> {
    /// What `options` select of `server`.
    ///
    /// # Errors
    /// If they ask when a key was written: the server does not say.
    pub fn of(server: &'s mut LiveServer, options: &'s EventOptions) -> Result<Self> {
        if options.scope.is_about_changes() {
            return Err(CommandError::NoCommitTimes.into());
        }
        Ok(ServerEvents { server, options })
    }
}

impl Events for ServerEvents<'_> {
    type Books = Books;

    fn header(&self) -> Header {
        self.server.header()
    }

    /// Reads the keys. Of a server that changes each call gives something else.
    fn pour(
        &mut self,
        consumer: &mut dyn Consumer,
        phase: Phase,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Books> {
        let ServerEvents { server, options } = self;
        let moment = server.moment;
        progress.begin(phase, server.header().visible);
        let (mut keys, mut gone) = (0, 0);
        let losses = Arc::clone(&server.scratch);
        let import = Import { options, moment: Some(moment), scratch: &losses, progress };
        let imported = import.run(consumer, &mut |found, taking| {
            let mut tell = Telling {
                found,
                field_expiry: server.field_expiry,
                database: 0,
                keys: 0,
                keys_of_database: 0,
                gone: 0,
                progress,
            };
            if options.adapters.contains(&Protocol::Redis) {
                for keyspace in server.databases.clone() {
                    tell.keys_of_database = 0;
                    server.pour_database(keyspace, options, taking, &mut tell, scratch)?;
                }
            }
            (keys, gone) = (tell.keys, tell.gone);
            if keys > 0 {
                tell.found.record_many(NOT_ONE_MOMENT, 1);
            }
            tell.found.record_many(findings::FUNCTIONS, server.function_libraries);
            Ok(tell.found)
        })?;
        let origin = Origin {
            kind: SOURCE_KIND,
            rdb: None,
            server: Some(server.report(keys, gone)?),
            holds_data: server.header().visible != Some(0),
            proof: Proof::Unverified,
            moment,
        };
        imported.into_books(options, origin)
    }
}

/// Lets collections say at their beginning how large they are.
struct Measured<'m, 't, 'o> {
    consumer: &'m mut Taking<'t, 'o>,
    scratch: &'m Arc<dyn Scratch>,
    open: Option<(Vec<u8>, Option<u64>, DraftWriter)>,
}

impl Consumer for Measured<'_, '_, '_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let Event::Redis { database, event } = event else { return Ok(()) };
        match event {
            model::Event::Begin { kind, key, expire_at_ms, .. } => {
                self.open = Some((key.to_vec(), expire_at_ms, DraftWriter::new(kind, self.scratch)));
                Ok(())
            }
            model::Event::Element(element) => match &mut self.open {
                Some((.., draft)) => Ok(draft.push(&element)?),
                None => Ok(()),
            },
            model::Event::End => match self.open.take() {
                Some((key, expire_at_ms, draft)) => {
                    Ok(draft.finish()?.replay(database, &key, expire_at_ms, self.consumer)?)
                }
                None => Ok(()),
            },
            scalar @ model::Event::Scalar { .. } => self.consumer.event(Event::Redis { database, event: scalar }),
        }
    }
}
