//! Which servers of Redis and Valkey there are to test with.

use std::path::PathBuf;
use std::process::Command;

use super::is_available;

/// The server that the system has.
const REDIS_SERVER: &str = "redis-server";
/// Lists the programs of further servers, as PATH lists folders.
const SERVERS: &str = "EKV_TEST_SERVERS";

/// The program of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerProgram {
    path: PathBuf,
    name: String,
    version: (u64, u64),
}

impl ServerProgram {
    /// The one of the system; `None` where there is none and tests may be left out.
    pub fn of_system() -> Option<ServerProgram> {
        is_available(REDIS_SERVER).then(|| ServerProgram::at(REDIS_SERVER.into()))
    }

    /// The one of the system, and those that `EKV_TEST_SERVERS` lists.
    pub fn all() -> Vec<ServerProgram> {
        let listed = std::env::var_os(SERVERS).unwrap_or_default();
        let listed = std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).map(ServerProgram::at);
        ServerProgram::of_system().into_iter().chain(listed).collect()
    }

    fn at(path: PathBuf) -> ServerProgram {
        let output = Command::new(&path).arg("--version").output();
        let output = output.unwrap_or_else(|error| panic!("{SERVERS}: {}: {error}", path.display()));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let software = text.split(' ').next().unwrap().to_owned();
        let version = text.split_once("v=").and_then(|(_, rest)| rest.split(' ').next());
        let version = version.unwrap_or_else(|| panic!("{}: {text}", path.display()));
        let mut numbers = version.split('.').map(|number| number.parse().unwrap());
        let (major, minor) = (numbers.next().unwrap(), numbers.next().unwrap());
        ServerProgram { path, name: format!("{software} {version}"), version: (major, minor) }
    }

    /// What starts it.
    pub(super) fn command(&self) -> Command {
        Command::new(&self.path)
    }

    /// Software and version, such as `Redis 7.0.15`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is Valkey 9 or later, which packs texts of some lengths in another form than all others.
    pub fn is_valkey9(&self) -> bool {
        self.name.starts_with("Valkey") && self.version >= (9, 0)
    }

    /// Whether the port of its cluster bus can be chosen: from Redis 7 on.
    pub fn has_cluster_port(&self) -> bool {
        self.version >= (7, 0)
    }
}
