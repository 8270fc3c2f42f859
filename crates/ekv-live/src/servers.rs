//! The server or cluster of a run: who it is, which of its nodes has which keys, connections to them.
//!
//! Source: `docs/format/redis-live.md`, sections 2 and 7.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::{Endpoint, ServerAddress};
use crate::connection::{Connection, Reply};
use crate::error::{Error, Result};
use crate::link::Dial;
use crate::scan::scan;
use crate::slots::{slot, tag};
use crate::wire::put_whole;

/// The default user of servers with access lists.
const DEFAULT_USER: &str = "default";

/// How a server is reached.
pub struct Access {
    /// Makes connections.
    pub dial: Box<dyn Dial>,
    /// ACL user; `None` = the default one.
    pub user: Option<String>,
    /// Password, where one is needed.
    pub password: Option<Vec<u8>>,
    /// Logical database.
    pub database: u32,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `redis`, `valkey` or another name.
    pub software: String,
    /// Its version, as it says it.
    pub version: String,
    /// Changes whenever the process is started anew.
    pub run_id: String,
    /// `master`, or what else it is.
    pub role: String,
    /// Whether it is a node of a cluster.
    pub is_cluster: bool,
    /// Whether it still reads its data.
    pub is_loading: bool,
    /// Its limit of memory in bytes; 0 = none.
    pub memory_max: u64,
    /// What it does at that limit.
    pub eviction: String,
    /// Keys in the logical database.
    pub keys: u64,
    /// Its clock, in Unix milliseconds.
    pub time_ms: u64,
    /// Logical databases that hold keys, in ascending order.
    pub databases: Vec<Keyspace>,
    /// Libraries of functions.
    pub function_libraries: u64,
    /// Replicas that are connected to it.
    pub replicas: u64,
}

/// A logical database that holds keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyspace {
    /// Its number.
    pub database: u32,
    /// Its keys.
    pub keys: u64,
    /// Hashes whose fields expire one by one.
    pub expiring_hashes: u64,
}

impl Keyspace {
    /// A line of INFO: `db0` and `keys=1,expires=0,avg_ttl=0`, or more.
    fn parse(name: &str, text: &str) -> Option<Keyspace> {
        let database = name.strip_prefix("db")?.parse().ok()?;
        let number = |wanted: &str| {
            let values = text.split(',').filter_map(|pair| pair.split_once('='));
            values.filter(|(name, _)| *name == wanted).find_map(|(_, value)| value.parse().ok())
        };
        let expiring = number("subexpiry").or_else(|| number("keys_with_volatile_items")).unwrap_or(0);
        Some(Keyspace { database, keys: number("keys")?, expiring_hashes: expiring })
    }
}

impl Identity {
    /// The first two parts of the version of Redis that it is compatible with.
    pub fn compatible(&self) -> (u64, u64) {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        match (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) {
            // Valkey began as Redis 7.2.
            (major, minor) if self.software == "valkey" => (major.max(7), minor),
            version => version,
        }
    }
}

/// Asks a server who it is.
///
/// # Errors
/// [`Error::Refused`], such as by an access list.
pub fn identify(connection: &mut Connection) -> Result<Identity> {
    let info = fields(connection, &[b"INFO"])?;
    let get = |name: &str| info.get(name).cloned().unwrap_or_default();
    let number = |name: &str| get(name).parse().unwrap_or(0);
    let (software, version) = match info.get("valkey_version") {
        Some(version) => ("valkey".to_owned(), version.clone()),
        None => (info.get("server_name").cloned().unwrap_or_else(|| "redis".to_owned()), get("redis_version")),
    };
    let is_loading = number("loading") == 1;
    let keys = match is_loading {
        true => 0,
        false => match connection.ask(&[b"DBSIZE"])? {
            Reply::Integer(keys) => u64::try_from(keys).unwrap_or(0),
            reply => return Err(connection.unexpected("DBSIZE", &reply)),
        },
    };
    let mut databases: Vec<Keyspace> = info.iter().filter_map(|(name, text)| Keyspace::parse(name, text)).collect();
    databases.sort_unstable_by_key(|keyspace| keyspace.database);
    Ok(Identity {
        software,
        version,
        run_id: get("run_id"),
        role: get("role"),
        is_cluster: number("cluster_enabled") == 1,
        is_loading,
        memory_max: number("maxmemory"),
        eviction: get("maxmemory_policy"),
        keys,
        time_ms: time_ms(connection)?,
        databases,
        function_libraries: number("number_of_libraries"),
        replicas: number("connected_slaves"),
    })
}

/// The clock of a server, in Unix milliseconds.
///
/// # Errors
/// As [`Connection::ask`].
pub fn time_ms(connection: &mut Connection) -> Result<u64> {
    let reply = connection.ask(&[b"TIME"])?;
    parse_time(&reply).ok_or_else(|| connection.unexpected("TIME", &reply))
}

/// Unix milliseconds of a reply of TIME: seconds and microseconds.
pub(crate) fn parse_time(reply: &Reply) -> Option<u64> {
    let Reply::Array(parts) = reply else { return None };
    let number = |at: usize| match parts.get(at) {
        Some(Reply::Bulk(text)) => std::str::from_utf8(text).ok()?.parse::<u64>().ok(),
        _ => None,
    };
    number(0)?.checked_mul(1000)?.checked_add(number(1)? / 1000)
}

/// The fields of INFO.
fn fields(connection: &mut Connection, command: &[&[u8]]) -> Result<BTreeMap<String, String>> {
    let reply = connection.ask(command)?;
    let Reply::Bulk(text) = &reply else { return Err(connection.unexpected("INFO", &reply)) };
    let text = String::from_utf8_lossy(text);
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

/// Which nodes have which slots: the last slot of each range, and its master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SlotMap(BTreeMap<u16, Endpoint>);

impl SlotMap {
    /// Of a reply of CLUSTER SLOTS; nodes without a host are at `own`.
    fn parse(reply: &Reply, own: &Endpoint) -> Option<SlotMap> {
        let Reply::Array(ranges) = reply else { return None };
        let mut map = BTreeMap::new();
        for range in ranges {
            let Reply::Array(range) = range else { return None };
            let [Reply::Integer(_), Reply::Integer(last), Reply::Array(master), ..] = range.as_slice() else {
                return None;
            };
            let [host, Reply::Integer(port), ..] = master.as_slice() else { return None };
            let host = match (host, own) {
                (Reply::Bulk(host), _) if !host.is_empty() && host != b"?" => String::from_utf8(host.clone()).ok()?,
                (_, Endpoint::Tcp { host, .. }) => host.clone(),
                _ => return None,
            };
            let port = u16::try_from(*port).ok()?;
            map.insert(u16::try_from(*last).ok()?, Endpoint::Tcp { host, port });
        }
        Some(SlotMap(map))
    }

    fn place(&self, slot: u16) -> Option<&Endpoint> {
        self.0.range(slot..).next().map(|(_, place)| place)
    }
}

/// A server or a cluster, and how its nodes are reached.
pub struct Servers {
    access: Access,
    /// The one that was named.
    first: Endpoint,
    /// Of a cluster.
    map: Option<SlotMap>,
    /// The run ids of the nodes so far.
    runs: BTreeMap<Endpoint, String>,
}

impl Servers {
    /// Connects to the server that was named and learns what it is.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Refused`], [`Error::Malformed`].
    pub fn open(address: &ServerAddress, access: Access) -> Result<(Servers, Connection, Identity)> {
        let mut servers = Servers { access, first: address.place.clone(), map: None, runs: BTreeMap::new() };
        let mut connection = servers.greet(&address.place)?;
        let identity = identify(&mut connection)?;
        servers.runs.insert(address.place.clone(), identity.run_id.clone());
        if identity.is_cluster {
            servers.learn_map(&mut connection)?;
        }
        Ok((servers, connection, identity))
    }

    /// The node that has a key.
    pub fn place_of(&self, key: &[u8]) -> &Endpoint {
        self.map.as_ref().and_then(|map| map.place(slot(key))).unwrap_or(&self.first)
    }

    /// All nodes that have keys.
    pub fn places(&self) -> Vec<Endpoint> {
        let Some(map) = &self.map else { return vec![self.first.clone()] };
        let mut places: Vec<Endpoint> = map.0.values().cloned().collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// A slot of each node that has any.
    pub fn slots(&self) -> Vec<(Endpoint, u16)> {
        let Some(map) = &self.map else { return vec![(self.first.clone(), 0)] };
        let slots: BTreeMap<&Endpoint, u16> = map.0.iter().map(|(last, place)| (place, *last)).collect();
        slots.into_iter().map(|(place, slot)| (place.clone(), slot)).collect()
    }

    /// Removes the keys whose names a pattern matches, such as those that a run left behind.
    ///
    /// # Errors
    /// As [`Servers::connect`], and of the connection.
    pub fn remove_matching(&mut self, pattern: &str) -> Result<()> {
        for place in self.places() {
            let (mut scanning, mut removing) = (self.connect(&place)?, self.connect(&place)?);
            scan(&mut scanning, Some(pattern.as_bytes()), &mut |name| removing.ask(&[b"UNLINK", name]).map(|_| ()))?;
        }
        Ok(())
    }

    /// Which of these keys there are.
    ///
    /// # Errors
    /// As [`Servers::connect`], and of the connection.
    pub fn are_there(&mut self, keys: &[&[u8]]) -> Result<Vec<bool>> {
        let mut there = vec![false; keys.len()];
        for place in self.places() {
            let own: Vec<usize> =
                (0..keys.len()).filter(|at| keys.get(*at).is_some_and(|key| *self.place_of(key) == place)).collect();
            if own.is_empty() {
                continue;
            }
            let mut connection = self.connect(&place)?;
            for key in own.iter().filter_map(|at| keys.get(*at)) {
                put_whole(connection.out(), &[b"EXISTS", key]);
            }
            connection.flush()?;
            for at in own {
                match (connection.reply()?, there.get_mut(at)) {
                    (Reply::Integer(count), Some(is_there)) => *is_there = count > 0,
                    (reply, _) => return Err(connection.unexpected("EXISTS", &reply)),
                }
            }
        }
        Ok(there)
    }

    /// Waits until replicas have everything that was written; how many of the node with the fewest do.
    ///
    /// # Errors
    /// As [`Servers::connect`], and of the connection.
    pub fn wait_replicas(&mut self, run: &str, replicas: u64, time: Duration) -> Result<u64> {
        let mut fewest = u64::MAX;
        for (place, slot) in self.slots() {
            let mut connection = self.connect(&place)?;
            // It waits for what this connection wrote, and so for all that was written before.
            let name = format!("ekv-load:{{{}}}:{run}:wait", tag(slot)).into_bytes();
            connection.ask(&[b"SET", &name, b"", b"PX", b"60000"])?;
            connection.ask(&[b"UNLINK", &name])?;
            let time_ms = time.as_millis().to_string();
            match connection.ask(&[b"WAIT", replicas.to_string().as_bytes(), time_ms.as_bytes()])? {
                Reply::Integer(count) => fewest = fewest.min(u64::try_from(count).unwrap_or(0)),
                reply => return Err(connection.unexpected("WAIT", &reply)),
            }
        }
        Ok(fewest)
    }

    /// The logical database that connections are to.
    pub fn database(&self) -> u32 {
        self.access.database
    }

    /// Lets every connection from here on be one to this logical database.
    pub fn select(&mut self, database: u32) {
        self.access.database = database;
    }

    /// Makes sure that no slot of the cluster is on its way from one node to another, and none has been since the nodes were first asked: keys would
    /// be missed that went from a node that is still to be read to one that has been.
    ///
    /// # Errors
    /// [`Error::Resharding`]; as [`Servers::connect`].
    pub fn check_settled(&mut self) -> Result<()> {
        let Some(map) = self.map.clone() else { return Ok(()) };
        for place in self.places() {
            let mut connection = self.connect(&place)?;
            let reply = connection.ask(&[b"CLUSTER", b"NODES"])?;
            let Reply::Bulk(nodes) = &reply else { return Err(connection.unexpected("CLUSTER NODES", &reply)) };
            let nodes = String::from_utf8_lossy(nodes);
            // A node says of its own slots only which are on their way: `[93->-ID]`, `[77-<-ID]`.
            let is_moving = nodes.lines().filter(|line| line.contains("myself")).any(|line| line.contains('['));
            self.learn_map(&mut connection)?;
            if is_moving || self.map.as_ref() != Some(&map) {
                return Err(Error::Resharding { place });
            }
        }
        Ok(())
    }

    /// Whether it is a cluster.
    pub fn is_cluster(&self) -> bool {
        self.map.is_some()
    }

    /// Run ids of all nodes so far.
    pub fn runs(&self) -> &BTreeMap<Endpoint, String> {
        &self.runs
    }

    /// Connects to a node.
    ///
    /// # Errors
    /// As [`Servers::open`]; [`Error::OtherRun`] if it was started anew since it was first connected to.
    pub fn connect(&mut self, place: &Endpoint) -> Result<Connection> {
        let mut connection = self.greet(place)?;
        let run_id = fields(&mut connection, &[b"INFO", b"server"])?.remove("run_id").unwrap_or_default();
        match self.runs.get(place) {
            Some(known) if *known != run_id => return Err(Error::OtherRun { place: place.clone() }),
            Some(_) => {}
            None => {
                self.runs.insert(place.clone(), run_id);
            }
        }
        Ok(connection)
    }

    /// Asks any node of a cluster again who has what; a single server stays what it is.
    ///
    /// # Errors
    /// The error of the last node that was asked.
    pub fn refresh(&mut self) -> Result<()> {
        if self.map.is_none() {
            return Ok(());
        }
        let mut places = self.places();
        places.push(self.first.clone());
        let mut failed = None;
        for place in places {
            match self.greet(&place).and_then(|mut connection| self.learn_map(&mut connection)) {
                Ok(()) => return Ok(()),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn learn_map(&mut self, connection: &mut Connection) -> Result<()> {
        let reply = connection.ask(&[b"CLUSTER", b"SLOTS"])?;
        let map = SlotMap::parse(&reply, connection.place());
        self.map = Some(map.ok_or_else(|| connection.unexpected("CLUSTER SLOTS", &reply))?);
        Ok(())
    }

    /// Connects, and says who it is. Nothing else is sent before a password was accepted.
    fn greet(&self, place: &Endpoint) -> Result<Connection> {
        let Access { dial, user, password, database } = &self.access;
        let mut connection = Connection::open(dial.as_ref(), place)?;
        if let Some(password) = password {
            let user = user.as_deref().filter(|user| *user != DEFAULT_USER);
            let command: &[&[u8]] = match user {
                Some(user) => &[b"AUTH", user.as_bytes(), password],
                None => &[b"AUTH", password],
            };
            connection.ask(command)?;
        }
        if *database != 0 {
            connection.ask(&[b"SELECT", database.to_string().as_bytes()])?;
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_of_a_cluster_names_the_master_of_every_slot() {
        let bulk = |text: &str| Reply::Bulk(text.as_bytes().to_vec());
        let node = |host: &str, port| Reply::Array(vec![bulk(host), Reply::Integer(port), bulk("id")]);
        let range = |from, to, node: Reply| Reply::Array(vec![Reply::Integer(from), Reply::Integer(to), node]);
        let own = Endpoint::Tcp { host: "seed".to_owned(), port: 1 };
        let reply = Reply::Array(vec![range(0, 5460, node("a", 1)), range(5461, 16383, node("", 2))]);
        let map = SlotMap::parse(&reply, &own).unwrap();
        let at = |slot| map.place(slot).unwrap().to_string();
        assert_eq!([at(0), at(5460), at(5461), at(16383)], ["a:1", "a:1", "seed:2", "seed:2"]);
        assert_eq!(SlotMap::parse(&Reply::Nil, &own), None);
        assert_eq!(SlotMap::parse(&Reply::Array(vec![Reply::Nil]), &own), None);
    }

    #[test]
    fn databases_are_read_from_the_lines_of_either_family() {
        let keyspace = |database, keys, expiring_hashes| Some(Keyspace { database, keys, expiring_hashes });
        for (name, text, expected) in [
            ("db0", "keys=2,expires=1,avg_ttl=5", keyspace(0, 2, 0)),
            ("db15", "keys=2,expires=1,avg_ttl=5,subexpiry=3", keyspace(15, 2, 3)),
            ("db1", "keys=7,expires=0,avg_ttl=0,keys_with_volatile_items=4", keyspace(1, 7, 4)),
            ("dbfilename", "keys=1", None),
            ("db1", "expires=1", None),
        ] {
            assert_eq!(Keyspace::parse(name, text), expected);
        }
    }

    #[test]
    fn versions_of_both_families_compare() {
        let identity = |software: &str, version: &str| Identity {
            software: software.to_owned(),
            version: version.to_owned(),
            run_id: String::new(),
            role: "master".to_owned(),
            is_cluster: false,
            is_loading: false,
            memory_max: 0,
            eviction: String::new(),
            keys: 0,
            time_ms: 0,
            databases: Vec::new(),
            function_libraries: 0,
            replicas: 0,
        };
        assert_eq!(identity("redis", "6.2.14").compatible(), (6, 2));
        assert_eq!(identity("valkey", "8.1.1").compatible(), (8, 1));
        assert_eq!(identity("redis", "").compatible(), (0, 0));
    }
}
