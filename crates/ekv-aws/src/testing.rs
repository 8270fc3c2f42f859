//! Time and wires that are made up.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{Answer, Client, Clock, Credentials, Endpoint, Secret, Service, SignedRequest, Wire};

/// A clock that goes on only when somebody waits.
#[derive(Debug, Default)]
pub(crate) struct FakeClock(Mutex<Duration>);

impl FakeClock {
    pub(crate) fn new() -> Self {
        FakeClock::default()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        start + SignedDuration::try_from(self.elapsed()).unwrap()
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wait(&self, pause: Duration) {
        *self.0.lock().unwrap() += pause;
    }
}

/// What was sent: method, address, headers, body.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Answers in the order in which they were put in.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) answers: Mutex<VecDeque<io::Result<Answer>>>,
    pub(crate) sent: Mutex<Vec<Sent>>,
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> io::Result<Answer> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Answer::new(status, headers, Box::new(Cursor::new(body.as_bytes().to_vec()))))
}

/// A body that breaks off after `body`.
pub(crate) fn cut(status: u16, body: &str) -> io::Result<Answer> {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    Ok(Answer::new(status, Vec::new(), Box::new(Cursor::new(body.as_bytes().to_vec()).chain(Broken))))
}

impl Wire for &'static Script {
    fn send(&self, request: &SignedRequest<'_>) -> io::Result<Answer> {
        let mut body = Vec::new();
        match request.content {
            crate::Content::Bytes(bytes) => body.extend_from_slice(bytes),
            crate::Content::Stream { open, .. } => {
                open.open()?.read_to_end(&mut body)?;
            }
        }
        let sent = Sent { method: request.method.as_str(), uri: request.uri(), headers: request.headers.clone(), body };
        self.sent.lock().unwrap().push(sent);
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| panic!("no answer left for {}", request.uri()))
    }
}

/// A client whose service answers as scripted, and what it was sent.
pub(crate) fn client(service: Service, answers: Vec<io::Result<Answer>>) -> (Client, &'static Script) {
    let script: &'static Script = Box::leak(Box::default());
    script.answers.lock().unwrap().extend(answers);
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret"),
        session_token: None,
        expires_at: None,
    };
    let endpoint = Endpoint::parse("http://127.0.0.1:4566").unwrap();
    (
        Client::new(
            service,
            endpoint,
            "us-east-1",
            Box::new(credentials),
            Box::new(script),
            Box::new(FakeClock::new()),
        ),
        script,
    )
}
