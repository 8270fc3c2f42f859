//! Replies token by token, and the names of the keys that a server has.

use crate::connection::{Connection, Reply};
use crate::error::Result;
use crate::wire::{Token, put_whole};

/// Elements that are asked for at a time, as an argument.
pub(crate) const PAGE_TEXT: &[u8] = b"1000";

/// The string that comes next.
pub(crate) fn bulk(connection: &mut Connection, command: &str) -> Result<Vec<u8>> {
    match connection.token()? {
        Token::Bulk(bytes) => Ok(bytes.to_vec()),
        token => {
            let reply = whole(token);
            Err(connection.unexpected(command, &reply))
        }
    }
}

/// The length of the array that comes next.
pub(crate) fn array(connection: &mut Connection, command: &str) -> Result<u64> {
    match connection.token()? {
        Token::Array(count) => Ok(count),
        Token::Nil => Ok(0),
        token => {
            let reply = whole(token);
            Err(connection.unexpected(command, &reply))
        }
    }
}

/// A token that is no array, or the beginning of one, as a reply to tell of.
pub(crate) fn whole(token: Token<'_>) -> Reply {
    match token {
        Token::Status(text) => Reply::Status(text.to_vec()),
        Token::Error(text) => Reply::Error(text.to_vec()),
        Token::Integer(number) => Reply::Integer(number),
        Token::Bulk(bytes) => Reply::Bulk(bytes.to_vec()),
        Token::Nil => Reply::Nil,
        Token::Array(_) => Reply::Array(Vec::new()),
    }
}

/// Names of the keys of a node that a pattern matches, or of all, in any order and perhaps more than once, in pages of about 1000.
///
/// # Errors
/// Of the connection, and of `take`.
pub fn scan(
    connection: &mut Connection,
    pattern: Option<&[u8]>,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut cursor = b"0".to_vec();
    loop {
        match pattern {
            Some(pattern) => put_whole(connection.out(), &[b"SCAN", &cursor, b"MATCH", pattern, b"COUNT", PAGE_TEXT]),
            None => put_whole(connection.out(), &[b"SCAN", &cursor, b"COUNT", PAGE_TEXT]),
        }
        connection.flush()?;
        match connection.token()? {
            Token::Array(2) => {}
            Token::Error(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                return Err(connection.refused(b"SCAN", text));
            }
            token => {
                let reply = whole(token);
                return Err(connection.unexpected("SCAN", &reply));
            }
        }
        cursor = bulk(connection, "SCAN")?;
        for _ in 0..array(connection, "SCAN")? {
            take(&bulk(connection, "SCAN")?)?;
        }
        if cursor == b"0" {
            return Ok(());
        }
    }
}
