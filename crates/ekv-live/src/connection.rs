//! A connection on which commands are written ahead of their replies.

use std::io::{self, ErrorKind};

use crate::address::Endpoint;
use crate::error::{Error, Result};
use crate::link::{Dial, Link, Patience, TURNS_MAX};
use crate::wire::{Malformed, Parsed, Token, parse, put_whole};

/// Bytes of commands that are gathered before they are written.
const OUT_LEN: usize = 64 << 10;
/// Bytes that a read asks for at least.
const IN_LEN: usize = 64 << 10;
/// Most bytes of replies that are kept while the server takes no commands.
const IN_LEN_MAX: usize = 64 << 20;
/// Arrays in arrays.
const DEPTH_MAX: u32 = 8;
/// Most bytes of a reply that is shown.
const SHOWN_LEN_MAX: usize = 200;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Status(Vec<u8>),
    /// An error, without the dash.
    Error(Vec<u8>),
    /// A number.
    Integer(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// Nothing.
    Nil,
    /// Several.
    Array(Vec<Reply>),
}

impl Reply {
    /// Whether it is `+text`.
    pub fn is_status(&self, text: &str) -> bool {
        matches!(self, Reply::Status(status) if status == text.as_bytes())
    }

    /// The words of an error.
    pub fn error(&self) -> Option<String> {
        match self {
            Reply::Error(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        let mut text = match self {
            Reply::Status(text) => format!("+{}", text.escape_ascii()),
            Reply::Error(text) => format!("-{}", text.escape_ascii()),
            Reply::Integer(number) => format!(":{number}"),
            Reply::Bulk(bytes) => format!("\"{}\"", bytes.get(..SHOWN_LEN_MAX).unwrap_or(bytes).escape_ascii()),
            Reply::Nil => "nothing".to_owned(),
            Reply::Array(replies) => format!("an array of {}", replies.len()),
        };
        text.truncate(SHOWN_LEN_MAX);
        text
    }
}

/// A connection. Commands are gathered and written in pieces of 64 KiB; replies come in the order of the commands.
///
/// It cannot deadlock: a server that takes no bytes since nobody reads its replies is read. Memory: what was gathered, and the longest reply.
pub struct Connection {
    place: Endpoint,
    link: Box<dyn Link>,
    out: Vec<u8>,
    input: Vec<u8>,
    /// Where the next reply begins.
    start: usize,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub fn open(dial: &dyn Dial, place: &Endpoint) -> Result<Connection> {
        let link = dial.dial(place).map_err(|source| Error::Connect { place: place.clone(), source })?;
        Ok(Connection {
            place: place.clone(),
            link,
            out: Vec::with_capacity(2 * OUT_LEN),
            input: Vec::with_capacity(IN_LEN),
            start: 0,
        })
    }

    /// With whom.
    pub fn place(&self) -> &Endpoint {
        &self.place
    }

    /// Where commands are put; nothing is written before [`Connection::flush`].
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Writes what was put if it is worth a write.
    ///
    /// # Errors
    /// As [`Connection::flush`].
    pub fn flush_if_full(&mut self) -> Result<()> {
        if self.out.len() >= OUT_LEN { self.flush() } else { Ok(()) }
    }

    /// Writes everything that was put.
    ///
    /// # Errors
    /// [`Error::Lost`].
    pub fn flush(&mut self) -> Result<()> {
        let (mut done, mut turns) = (0, 0);
        while let Some(rest) = self.out.get(done..).filter(|rest| !rest.is_empty()) {
            match self.link.write(rest) {
                Ok(0) => return Err(self.lost(ErrorKind::WriteZero.into())),
                Ok(len) => (done, turns) = (done.saturating_add(len), 0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    turns = if self.fill(Patience::Short)? > 0 { 0 } else { turns + 1 };
                    if turns > TURNS_MAX {
                        return Err(self.lost(error));
                    }
                }
                Err(error) => return Err(self.lost(error)),
            }
        }
        self.out.clear();
        self.out.shrink_to(2 * OUT_LEN);
        Ok(())
    }

    /// The next token of the replies.
    ///
    /// # Errors
    /// [`Error::Lost`], also if there is none for a long time; [`Error::Malformed`].
    pub(crate) fn token(&mut self) -> Result<Token<'_>> {
        let len = loop {
            let waiting = self.input.get(self.start..).unwrap_or_default();
            match parse(waiting) {
                Ok(Parsed::Token(_, len)) => break len,
                Ok(Parsed::Incomplete(needed)) => {
                    let missing = needed.saturating_sub(waiting.len());
                    self.input.reserve(missing.min(IN_LEN_MAX));
                    self.fill(Patience::Long)?;
                }
                Err(source) => return Err(Error::Malformed { place: self.place.clone(), source }),
            }
        };
        let start = self.start;
        self.start = start.saturating_add(len);
        match parse(self.input.get(start..).unwrap_or_default()) {
            Ok(Parsed::Token(token, _)) => Ok(token),
            // It was one a moment ago.
            _ => Err(Error::Malformed { place: self.place.clone(), source: Malformed::End }),
        }
    }

    /// The next reply, whole.
    ///
    /// # Errors
    /// As `Connection::token`.
    pub fn reply(&mut self) -> Result<Reply> {
        self.nested(DEPTH_MAX)
    }

    fn nested(&mut self, depth: u32) -> Result<Reply> {
        let count = match self.token()? {
            Token::Status(text) => return Ok(Reply::Status(text.to_vec())),
            Token::Error(text) => return Ok(Reply::Error(text.to_vec())),
            Token::Integer(number) => return Ok(Reply::Integer(number)),
            Token::Bulk(bytes) => return Ok(Reply::Bulk(bytes.to_vec())),
            Token::Nil => return Ok(Reply::Nil),
            Token::Array(count) => count,
        };
        let deeper = depth.checked_sub(1);
        let deeper = deeper.ok_or_else(|| Error::Malformed { place: self.place.clone(), source: Malformed::Depth })?;
        let mut replies = Vec::new();
        for _ in 0..count {
            replies.push(self.nested(deeper)?);
        }
        Ok(Reply::Array(replies))
    }

    /// Sends a command and waits for its reply; all before it must have been read.
    ///
    /// # Errors
    /// As [`Connection::flush`] and `Connection::token`.
    pub fn call(&mut self, arguments: &[&[u8]]) -> Result<Reply> {
        put_whole(&mut self.out, arguments);
        self.flush()?;
        self.reply()
    }

    /// As [`Connection::call`], where an error as the reply is one.
    ///
    /// # Errors
    /// As [`Connection::call`]; [`Error::Refused`].
    pub fn ask(&mut self, arguments: &[&[u8]]) -> Result<Reply> {
        let reply = self.call(arguments)?;
        match reply.error() {
            Some(text) => Err(self.refused(arguments.first().copied().unwrap_or_default(), text)),
            None => Ok(reply),
        }
    }

    /// The error of a command that is refused.
    pub(crate) fn refused(&self, command: &[u8], text: String) -> Error {
        Error::Refused { place: self.place.clone(), command: String::from_utf8_lossy(command).into_owned(), text }
    }

    /// The error of a key that another node has.
    pub(crate) fn resharding(&self) -> Error {
        Error::Resharding { place: self.place.clone() }
    }

    /// The error for a reply that its command never has.
    pub(crate) fn unexpected(&self, command: &str, reply: &Reply) -> Error {
        Error::Unexpected { place: self.place.clone(), command: command.to_owned(), reply: reply.shown() }
    }

    /// Reads what comes; none is no error where the patience is short.
    fn fill(&mut self, patience: Patience) -> Result<usize> {
        if self.start > 0 {
            self.input.drain(..self.start);
            self.start = 0;
        }
        let before = self.input.len();
        if patience == Patience::Short && before > IN_LEN_MAX {
            let flood = io::Error::other("it sends replies without end and takes no commands");
            return Err(self.lost(flood));
        }
        let room = self.input.capacity().saturating_sub(before).clamp(IN_LEN, 16 * IN_LEN);
        self.input.resize(before.saturating_add(room), 0);
        let read = loop {
            match self.link.read(self.input.get_mut(before..).unwrap_or_default(), patience) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.input.truncate(before.saturating_add(*read.as_ref().unwrap_or(&0)));
        match read {
            Ok(0) => Err(self.lost(ErrorKind::UnexpectedEof.into())),
            Ok(len) => Ok(len),
            Err(error) if patience == Patience::Short && is_timeout(&error) => Ok(0),
            Err(error) => Err(self.lost(error)),
        }
    }

    fn lost(&self, source: io::Error) -> Error {
        Error::Lost { place: self.place.clone(), source }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
