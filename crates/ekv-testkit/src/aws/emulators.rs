//! MiniStack, an emulator of the services, and microburst, a proxy that makes them fail in their own words.
//!
//! The test command installs both (`cargo xtask test`); `EKV_EMULATORS` names the folder of their programs if it is another one.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::http::{Answered, ask};
use crate::servers::{TRIES, is_available};

/// The folder of the programs, if it is not the one that the test command fills.
const FOLDER: &str = "EKV_EMULATORS";

/// A program of the folder; its name alone where the folder is missing, so that it is looked for on the path.
fn program(name: &str) -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/emulators/bin");
    let folder = std::env::var_os(FOLDER).map_or_else(usual, PathBuf::from);
    let path = folder.join(name);
    if path.exists() { path } else { PathBuf::from(name) }
}

/// A program that listens, in a folder of its own.
struct Listening {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Listening {
    /// Starts a program at free ports until it says `ready`; `None` where there is no such program and tests may be left out.
    fn start(name: &str, ready: &str, prepare: impl Fn(&mut Command, u16)) -> Option<Listening> {
        let program = program(name);
        if !is_available(program.to_str().unwrap()) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut log = Vec::new();
        for _ in 0..TRIES {
            let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let (reader, writer) = std::io::pipe().unwrap();
            let mut command = Command::new(&program);
            prepare(&mut command, port);
            command.current_dir(folder.path()).env("TMPDIR", folder.path()).env("PYTHONUNBUFFERED", "1");
            command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
            let mut child = command.spawn().unwrap();
            // Its own ends of the pipe are to be the only ones.
            drop(command);
            let mut lines = BufReader::new(reader);
            log.clear();
            let mut is_up = false;
            while !is_up && lines.read_until(b'\n', &mut log).unwrap() > 0 {
                is_up = String::from_utf8_lossy(&log).contains(ready);
            }
            // Some say so before they listen.
            while is_up && TcpStream::connect(("127.0.0.1", port)).is_err() {
                is_up = child.try_wait().unwrap().is_none();
                std::thread::yield_now();
            }
            if is_up {
                // What it says later must go somewhere.
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Some(Listening { child, port, _folder: folder });
            }
            lines.read_to_end(&mut log).unwrap();
            child.wait().unwrap();
            if !String::from_utf8_lossy(&log).to_lowercase().contains("already in use") {
                break;
            }
        }
        panic!("{name} does not come up: {}", String::from_utf8_lossy(&log));
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// DynamoDB, S3 and SQS at one port, without data; any credentials will do.
pub struct MiniStack(Listening);

impl MiniStack {
    /// Starts it; `None` where it is not installed and tests may be left out.
    pub fn start() -> Option<MiniStack> {
        let listening = Listening::start("ministack", "Running on http://127.0.0.1:", |command, port| {
            // Without the host it would listen to everybody.
            command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
        });
        listening.map(MiniStack)
    }

    /// The port that it listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Its address, for `--endpoint-url`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    /// Asks S3; the path is sent as it is.
    pub fn s3(&self, method: &str, uri: &str, body: &[u8]) -> Answered {
        ask(self.0.port, method, uri, &[], body).unwrap()
    }

    /// Asks DynamoDB (`DynamoDB_20120810.ListTables`) or SQS (`AmazonSQS.SendMessage`) in JSON.
    pub fn json(&self, target: &str, question: &Value) -> Answered {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [header("x-amz-target", target), header("content-type", "application/x-amz-json-1.0")];
        ask(self.0.port, "POST", "/", &headers, question.to_string().as_bytes()).unwrap()
    }
}

/// A proxy that makes answers fail by rules, as `microburst`'s documentation describes them.
pub struct Microburst(Listening);

impl Microburst {
    /// Starts one before a server at a port of this machine; `None` where it is not installed and tests may be left out.
    pub fn before(port: u16) -> Option<Microburst> {
        let upstream = format!("http://127.0.0.1:{port}");
        let listening = Listening::start("microburst", "microburst listening", |command, port| {
            command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--upstream", &upstream]);
        });
        listening.map(Microburst)
    }

    /// Its address, for `--endpoint-url`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    /// From now on these rules count, and no others.
    pub fn set_rules(&self, rules: &Value) {
        let json = [("content-type".to_owned(), "application/json".to_owned())];
        let body = rules.to_string();
        let answer = ask(self.0.port, "POST", "/_microburst/rules", &json, body.as_bytes()).unwrap();
        assert!((200..300).contains(&answer.status), "{}", answer.text());
    }

    /// What failed because of a rule, oldest first.
    pub fn fired(&self) -> Vec<Value> {
        let answer = ask(self.0.port, "GET", "/_microburst/fired?limit=100000", &[], b"").unwrap();
        answer.json().as_array().unwrap().clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn emulator_keeps_what_it_is_given_and_the_proxy_fails_by_rule() {
        let Some(server) = MiniStack::start() else { return };
        assert_eq!(server.s3("PUT", "/bucket", b"").status, 200);
        assert_eq!(server.s3("PUT", "/bucket/a//b", b"body").status, 200);
        assert_eq!(server.s3("GET", "/bucket/a//b", b"").text(), "body");
        let queue = server.json("AmazonSQS.CreateQueue", &json!({ "QueueName": "q" })).json();
        assert!(queue["QueueUrl"].as_str().unwrap().ends_with("/q"), "{queue}");
        let Some(proxy) = Microburst::before(server.port()) else { return };
        proxy.set_rules(&json!([{ "service": "*", "error": { "code": "SlowDown", "status": 503 }, "times": 1 }]));
        let port = proxy.0.port;
        let get = || ask(port, "GET", "/bucket/a//b", &[], b"").unwrap();
        assert_eq!(get().status, 503);
        assert_eq!(get().text(), "body");
        assert_eq!(proxy.fired().len(), 1);
    }
}
