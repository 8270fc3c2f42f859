//! Real servers, started for one test each and stopped with it.
//!
//! A server listens on a loopback port of its own. Where its program is missing a test may be left out, but not where `EKV_NO_SKIPS` is set.

mod programs;
mod torture;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub use programs::ServerProgram;
pub use torture::{TORTURE_KEYS, held, torture};

/// Set where no test may be left out.
const NO_SKIPS: &str = "EKV_NO_SKIPS";
/// How often another port is tried.
pub(crate) const TRIES: usize = 20;

/// Whether `program` is here; says so if it is not.
///
/// # Panics
/// If it is not, and no test may be left out.
pub fn is_available(program: &str) -> bool {
    let is_here = Command::new(program).arg("--version").output().is_ok();
    assert!(is_here || std::env::var_os(NO_SKIPS).is_none(), "{program} is missing, and {NO_SKIPS} is set");
    if !is_here {
        println!("{program} is missing: left out");
    }
    is_here
}

/// A Redis server with a folder of its own.
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl RedisServer {
    /// Starts a server without data; `None` where there is no such program and tests may be left out.
    pub fn start() -> Option<RedisServer> {
        RedisServer::with(None, &[])
    }

    /// Starts a server that loads the file `rdb`.
    pub fn of_file(rdb: &[u8]) -> Option<RedisServer> {
        RedisServer::with(Some(rdb), &[])
    }

    /// Starts a server with a file to load and more options, such as `["--requirepass", "p"]`.
    ///
    /// # Panics
    /// If it does not come up; its log is said then.
    pub fn with(rdb: Option<&[u8]>, options: &[&str]) -> Option<RedisServer> {
        Some(RedisServer::of(&ServerProgram::of_system()?, rdb, options))
    }

    /// The same with the program of another server.
    ///
    /// # Panics
    /// As [`RedisServer::with`].
    pub fn of(program: &ServerProgram, rdb: Option<&[u8]>, options: &[&str]) -> RedisServer {
        let folder = tempfile::tempdir().unwrap();
        if let Some(rdb) = rdb {
            std::fs::write(folder.path().join("dump.rdb"), rdb).unwrap();
        }
        let mut log = String::new();
        for _ in 0..TRIES {
            let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let mut command = program.command();
            command.args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--dbfilename",
                "dump.rdb",
                "--port",
                &port.to_string(),
            ]);
            command.arg("--dir").arg(folder.path()).args(options);
            let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            log.clear();
            while lines.read_line(&mut log).unwrap() > 0 {
                if log.ends_with("Ready to accept connections\n") || log.contains("Ready to accept connections tcp") {
                    // What it says later must go somewhere.
                    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                    return RedisServer { child, port, folder };
                }
            }
            child.wait().unwrap();
            if !log.contains("Address already in use") {
                break;
            }
        }
        panic!("{} does not come up: {log}", program.name());
    }

    /// The port that it listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::to(self.port)
    }

    /// Has it save its data, and returns the file.
    pub fn save(&self) -> Vec<u8> {
        assert_eq!(self.client().call(&[b"SAVE"]), Reply::Status("OK".into()));
        std::fs::read(self.folder().join("dump.rdb")).unwrap()
    }
}

/// A cluster of servers, each with its part of the slots.
pub struct RedisCluster(Vec<RedisServer>);

impl RedisCluster {
    /// Starts so many servers that know each other; `None` as of [`RedisServer::start`].
    pub fn start(count: u16) -> Option<RedisCluster> {
        Some(RedisCluster::of(&ServerProgram::of_system()?, count))
    }

    /// The same with the program of another server, of which the port of its bus can be chosen.
    pub fn of(program: &ServerProgram, count: u16) -> RedisCluster {
        let mut servers = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..count {
            let bus = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string();
            servers.push(RedisServer::of(program, None, &["--cluster-enabled", "yes", "--cluster-port", &bus]));
            buses.push(bus);
        }
        let first = servers[0].port().to_string();
        for (number, server) in (0..count).zip(&servers) {
            let slot = |number: u16| (u32::from(number) * 16384 / u32::from(count)).to_string();
            let last = (slot(number + 1).parse::<u32>().unwrap() - 1).to_string();
            let mut client = server.client();
            let added = client.call(&[b"CLUSTER", b"ADDSLOTSRANGE", slot(number).as_bytes(), last.as_bytes()]);
            assert_eq!(added, Reply::Status("OK".into()));
            client.call(&[b"CLUSTER", b"MEET", b"127.0.0.1", first.as_bytes(), buses[0].as_bytes()]);
        }
        // They tell each other; asking is waiting enough.
        for server in &servers {
            let mut client = server.client();
            let knows_all = |client: &mut Client| {
                let slots = client.call(&[b"CLUSTER", b"SLOTS"]).array().len();
                let state = String::from_utf8(client.call(&[b"CLUSTER", b"INFO"]).bytes()).unwrap();
                slots == usize::from(count) && state.contains("cluster_state:ok")
            };
            while !knows_all(&mut client) {
                std::thread::yield_now();
            }
        }
        RedisCluster(servers)
    }

    /// Its servers.
    pub fn servers(&self) -> &[RedisServer] {
        &self.0
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+…`
    Status(String),
    /// `-…`
    Error(String),
    /// `:…`
    Integer(i64),
    /// Bytes, or nil.
    Bulk(Option<Vec<u8>>),
    /// Replies, or nil as none.
    Array(Vec<Reply>),
}

impl Reply {
    /// The bytes of a bulk reply.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Reply::Bulk(Some(bytes)) => bytes,
            other => panic!("not bytes: {other:?}"),
        }
    }

    /// The replies of an array.
    pub fn array(self) -> Vec<Reply> {
        match self {
            Reply::Array(replies) => replies,
            other => panic!("not an array: {other:?}"),
        }
    }

    /// The number of an integer reply.
    pub fn integer(self) -> i64 {
        match self {
            Reply::Integer(number) => number,
            other => panic!("not a number: {other:?}"),
        }
    }
}

/// What `TIME` answers, in Unix milliseconds.
fn moment_ms(reply: Reply) -> u64 {
    let numbers =
        reply.array().into_iter().map(|part| String::from_utf8(part.bytes()).unwrap().parse::<u64>().unwrap());
    let numbers: Vec<u64> = numbers.collect();
    numbers[0] * 1000 + numbers[1] / 1000
}

/// A connection to a server that sends a command and waits for its reply.
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects to a port of this machine.
    pub fn to(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client(BufReader::new(stream))
    }

    /// Sends a command; its reply.
    pub fn call(&mut self, words: &[&[u8]]) -> Reply {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&request).unwrap();
        self.reply()
    }

    /// Expiry of a key in Unix milliseconds, if it has one. Servers before Redis 7 tell what is left: good to some milliseconds then.
    pub fn expire_at_ms(&mut self, key: &[u8]) -> Option<u64> {
        if let Reply::Integer(at_ms) = self.call(&[b"PEXPIRETIME", key]) {
            return u64::try_from(at_ms).ok();
        }
        self.call(&[b"MULTI"]);
        self.call(&[b"PTTL", key]);
        self.call(&[b"TIME"]);
        let replies = self.call(&[b"EXEC"]).array();
        let left_ms = u64::try_from(replies[0].clone().integer()).ok()?;
        Some(moment_ms(replies[1].clone()) + left_ms)
    }

    /// The clock of the server, in Unix milliseconds.
    pub fn now_ms(&mut self) -> u64 {
        moment_ms(self.call(&[b"TIME"]))
    }

    fn reply(&mut self) -> Reply {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).unwrap();
        // An error may repeat an argument.
        let text = String::from_utf8_lossy(&line);
        let (kind, rest) = text.trim_end().split_at(1);
        let count = |rest: &str| rest.parse::<i64>().unwrap();
        match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(count(rest)),
            "$" => Reply::Bulk(usize::try_from(count(rest)).ok().map(|len| {
                let mut bytes = vec![0; len + 2];
                self.0.read_exact(&mut bytes).unwrap();
                bytes.truncate(len);
                bytes
            })),
            "*" => Reply::Array((0..count(rest)).map(|_| self.reply()).collect()),
            _ => panic!("not a reply: {text:?}"),
        }
    }
}
