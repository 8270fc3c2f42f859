//! A Redis server, for the rows that compare with what comes with one.

use std::net::TcpListener;
use std::path::Path;

use super::measure;
use super::places::{Folder, text};
use crate::command::quoted;
use crate::error::Error;

/// A running server without data, ended with this.
pub(super) struct Server {
    port: u16,
}

impl Server {
    /// Starts a server; `None` where there is none, or not what comes with it.
    pub(super) fn start(folder: &Folder) -> Result<Option<Server>, Error> {
        if measure::run("command -v redis-server && command -v redis-cli && command -v redis-check-rdb").is_err() {
            println!("  there is no redis-server here: its rows are left out");
            return Ok(None);
        }
        let io = Error::io(Path::new("127.0.0.1"));
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).map_err(io)?;
        let server = Server { port: free.port() };
        let dir = quoted(&text(&folder.path(""))).into_owned();
        measure::run(&format!(
            "redis-server --bind 127.0.0.1 --port {} --save '' --dir {dir} --repl-diskless-sync-delay 0 --daemonize yes && \
             until {} 2> /dev/null; do :; done",
            server.port,
            server.cli("ping")
        ))?;
        Ok(Some(server))
    }

    /// The line that asks it something.
    pub(super) fn cli(&self, rest: &str) -> String {
        format!("redis-cli -p {} {rest} > /dev/null", self.port)
    }

    /// The line that empties it and then runs another one.
    pub(super) fn emptied(&self, line: &str) -> String {
        format!("{} && {line}", self.cli("flushall"))
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = measure::run(&self.cli("shutdown nosave"));
    }
}
