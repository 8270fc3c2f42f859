//! Links to a real server that fail, change or only watch what passes.

use std::collections::VecDeque;
use std::io;

use super::*;
use crate::link::{Link, Patience};
use crate::wire::{Parsed, Token, parse, put_argument};

/// What happens to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server does it.
    None,
    /// The server never sees it; this is the answer.
    Answer(Vec<u8>),
}

/// Decides what happens to a command, by its words.
pub(super) type Decide = Rc<RefCell<dyn FnMut(&[Vec<u8>]) -> Fault>>;

/// Speaks to the server one command at a time.
struct Scripted {
    server: Connection,
    decide: Decide,
    waiting: Vec<u8>,
    replies: VecDeque<u8>,
    in_transaction: bool,
    is_spoilt: bool,
    /// Whether the server was asked whether it is the same one.
    is_known: bool,
}

impl Scripted {
    fn new(server: Connection, decide: Decide) -> Self {
        let (waiting, replies) = (Vec::new(), VecDeque::new());
        Scripted { server, decide, waiting, replies, in_transaction: false, is_spoilt: false, is_known: false }
    }

    /// Takes a whole command off the front of what was written.
    fn command(&mut self) -> Option<Vec<Vec<u8>>> {
        let Parsed::Token(Token::Array(count), mut at) = parse(&self.waiting).unwrap() else { return None };
        let mut words = Vec::new();
        for _ in 0..count {
            let Parsed::Token(Token::Bulk(word), len) = parse(&self.waiting[at..]).unwrap() else { return None };
            words.push(word.to_vec());
            at += len;
        }
        self.waiting.drain(..at);
        Some(words)
    }

    fn run(&mut self) {
        while let Some(words) = self.command() {
            let word = words[0].to_ascii_uppercase();
            self.is_known |= word == b"INFO" && words.len() == 2;
            let fault = (self.decide.borrow_mut())(&words);
            if let Fault::Answer(answer) = fault {
                // A command that is refused spoils its transaction.
                self.is_spoilt |= self.in_transaction;
                self.replies.extend(answer);
                if word == b"EXEC" {
                    self.server.call(&[b"DISCARD"]).unwrap();
                    (self.in_transaction, self.is_spoilt) = (false, false);
                }
                continue;
            }
            if word == b"EXEC" && self.is_spoilt {
                self.server.call(&[b"DISCARD"]).unwrap();
                self.replies.extend(b"-EXECABORT Transaction discarded because of previous errors.\r\n");
                (self.in_transaction, self.is_spoilt) = (false, false);
                continue;
            }
            self.in_transaction = word == b"MULTI" || (self.in_transaction && word != b"EXEC");
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let reply = self.server.call(&words).unwrap();
            let mut bytes = Vec::new();
            put_reply(&mut bytes, &reply);
            self.replies.extend(bytes);
        }
    }
}

fn put_reply(out: &mut Vec<u8>, reply: &crate::Reply) {
    match reply {
        crate::Reply::Status(text) => out.extend([&b"+"[..], text, b"\r\n"].concat()),
        crate::Reply::Error(text) => out.extend([&b"-"[..], text, b"\r\n"].concat()),
        crate::Reply::Integer(number) => out.extend(format!(":{number}\r\n").bytes()),
        crate::Reply::Nil => out.extend(b"$-1\r\n"),
        crate::Reply::Bulk(bytes) => put_argument(out, bytes),
        crate::Reply::Array(replies) => {
            out.extend(format!("*{}\r\n", replies.len()).bytes());
            replies.iter().for_each(|reply| put_reply(out, reply));
        }
    }
}

/// How bytes get through a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// As many as there are.
    All,
    /// One in each call.
    OneByOne,
    /// No command is taken while a reply waits to be read.
    Stubborn,
}

/// Links on which every command is decided on, and which break after so many bytes in either direction.
pub(super) struct ScriptedDial {
    pub(super) decide: Decide,
    pub(super) flow: Flow,
    /// Bytes until the break, not counted before the server said whether it is the same one; the links after it are whole.
    pub(super) bytes_left: Rc<Cell<u64>>,
    pub(super) is_broken: Rc<Cell<bool>>,
}

impl ScriptedDial {
    pub(super) fn new(decide: impl FnMut(&[Vec<u8>]) -> Fault + 'static) -> Self {
        let decide: Decide = Rc::new(RefCell::new(decide));
        ScriptedDial { decide, flow: Flow::All, bytes_left: Rc::new(Cell::new(u64::MAX)), is_broken: Rc::default() }
    }
}

impl Dial for ScriptedDial {
    fn dial(&self, place: &Endpoint) -> io::Result<Box<dyn Link>> {
        let server = Connection::open(&SystemDial, place).map_err(io::Error::other)?;
        Ok(Box::new(ScriptedLink {
            scripted: Scripted::new(server, Rc::clone(&self.decide)),
            flow: self.flow,
            bytes_left: Rc::clone(&self.bytes_left),
            is_broken: Rc::clone(&self.is_broken),
            was_broken: self.is_broken.get(),
        }))
    }
}

struct ScriptedLink {
    scripted: Scripted,
    flow: Flow,
    bytes_left: Rc<Cell<u64>>,
    is_broken: Rc<Cell<bool>>,
    was_broken: bool,
}

impl ScriptedLink {
    /// How many of `len` bytes pass before the link breaks.
    fn pass(&mut self, len: usize) -> io::Result<usize> {
        let len = if self.flow == Flow::OneByOne { len.min(1) } else { len };
        if self.was_broken || !self.scripted.is_known {
            return Ok(len);
        }
        let left = self.bytes_left.get();
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(len);
        if passed == 0 {
            self.is_broken.set(true);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.bytes_left.set(left - u64::try_from(passed).unwrap());
        Ok(passed)
    }
}

impl Link for ScriptedLink {
    fn read(&mut self, buffer: &mut [u8], patience: Patience) -> io::Result<usize> {
        if self.scripted.replies.is_empty() {
            let kind = if patience == Patience::Short { io::ErrorKind::WouldBlock } else { io::ErrorKind::TimedOut };
            return Err(kind.into());
        }
        let len = self.pass(buffer.len().min(self.scripted.replies.len()))?;
        let replies = self.scripted.replies.drain(..len);
        buffer.iter_mut().zip(replies).for_each(|(to, from)| *to = from);
        Ok(len)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.flow == Flow::Stubborn && !self.scripted.replies.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = if self.flow == Flow::Stubborn { &bytes[..bytes.len().min(1000)] } else { bytes };
        let len = self.pass(bytes.len())?;
        self.scripted.waiting.extend_from_slice(&bytes[..len]);
        self.scripted.run();
        Ok(len)
    }
}

/// Calls something after every command.
pub(super) struct WatchedDial(pub(super) Rc<RefCell<dyn FnMut()>>);

impl Dial for WatchedDial {
    fn dial(&self, place: &Endpoint) -> io::Result<Box<dyn Link>> {
        let watch = Rc::clone(&self.0);
        let decide = move |_: &[Vec<u8>]| {
            (watch.borrow_mut())();
            Fault::None
        };
        ScriptedDial::new(decide).dial(place)
    }
}

/// Keeps everything that is written.
pub(super) struct RecordedDial(pub(super) Shared<Vec<u8>>);

impl Dial for RecordedDial {
    fn dial(&self, place: &Endpoint) -> io::Result<Box<dyn Link>> {
        let written = Rc::clone(&self.0);
        let decide = move |words: &[Vec<u8>]| {
            words.iter().for_each(|word| put_argument(&mut written.borrow_mut(), word));
            Fault::None
        };
        ScriptedDial::new(decide).dial(place)
    }
}
