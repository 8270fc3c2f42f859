//! RESP2, the protocol of the server: commands as bytes, replies one token at a time.

use ekv_text::ByteCursor;

/// Longest line of a reply, in bytes.
const LINE_LEN_MAX: usize = 64 << 10;
/// Longest string in a reply, in bytes: what servers accept as a string by default.
pub(crate) const BULK_LEN_MAX: u64 = 512 << 20;
/// Most elements of an array in a reply.
const ARRAY_LEN_MAX: i64 = 1 << 32;

/// Begins a command of `count` arguments, its name among them.
pub fn put_command(out: &mut Vec<u8>, count: usize) {
    out.push(b'*');
    put_decimal(out, count);
    out.extend_from_slice(b"\r\n");
}

/// Adds an argument.
pub fn put_argument(out: &mut Vec<u8>, argument: &[u8]) {
    put_argument_len(out, argument.len());
    out.extend_from_slice(argument);
    out.extend_from_slice(b"\r\n");
}

/// Begins an argument of `len` bytes, which its bytes and a CR LF follow.
pub fn put_argument_len(out: &mut Vec<u8>, len: impl TryInto<u64>) {
    out.push(b'$');
    put_decimal(out, len);
    out.extend_from_slice(b"\r\n");
}

/// Adds a whole command.
pub(crate) fn put_whole(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    put_command(out, arguments.len());
    arguments.iter().for_each(|argument| put_argument(out, argument));
}

/// Adds a number as an argument.
pub(crate) fn put_number(out: &mut Vec<u8>, number: u64) {
    let digits = Decimal::of(number);
    put_argument(out, digits.text());
}

fn put_decimal(out: &mut Vec<u8>, number: impl TryInto<u64>) {
    out.extend_from_slice(Decimal::of(number.try_into().unwrap_or(u64::MAX)).text());
}

/// The decimal digits of a number.
pub(crate) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    /// Of `number`.
    pub(crate) fn of(mut number: u64) -> Decimal {
        let mut decimal = Decimal { digits: [b'0'; 20], start: 20 };
        for (at, digit) in decimal.digits.iter_mut().enumerate().rev() {
            // A remainder of ten fits.
            *digit = b'0'.saturating_add(u8::try_from(number % 10).unwrap_or(0));
            decimal.start = at;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        decimal
    }

    /// The digits.
    pub(crate) fn text(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

/// A reply, or a part of one: an array is its length, and as many replies follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'b> {
    /// `+OK`
    Status(&'b [u8]),
    /// `-ERR …`, without the dash.
    Error(&'b [u8]),
    /// A number.
    Integer(i64),
    /// A string.
    Bulk(&'b [u8]),
    /// Nothing: no string, or no array.
    Nil,
    /// The length of an array.
    Array(u64),
}

/// What the beginning of a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'b> {
    /// A token, and how many bytes it took.
    Token(Token<'b>, usize),
    /// A token goes on; it takes at least this many bytes.
    Incomplete(usize),
}

/// Bytes that are no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The first byte of a reply says its type.
    #[error("a reply begins with byte 0x{0:02x}, which no reply does: is this a Redis server?")]
    Type(u8),
    /// A line has no end.
    #[error("a line of a reply is longer than {LINE_LEN_MAX} bytes")]
    Line,
    /// A length or an integer.
    #[error("a reply holds a number that is none")]
    Number,
    /// Too long.
    #[error("a reply of {0} bytes or elements is longer than what is accepted")]
    TooLong(i64),
    /// A string does not end where it says.
    #[error("a string in a reply does not end where its length says")]
    End,
    /// Arrays in arrays in arrays.
    #[error("a reply is nested too deep")]
    Depth,
}

/// Reads the token at the beginning of `buffer`.
///
/// # Errors
/// Bytes that are no reply: what follows means nothing.
pub(crate) fn parse(buffer: &[u8]) -> Result<Parsed<'_>, Malformed> {
    let Some((kind, rest)) = buffer.split_first() else { return Ok(Parsed::Incomplete(1)) };
    if !b"+-:$*".contains(kind) {
        return Err(Malformed::Type(*kind));
    }
    let Some(line_len) = rest.iter().take(LINE_LEN_MAX).position(|byte| *byte == b'\n') else {
        let is_too_long = rest.len() >= LINE_LEN_MAX;
        return if is_too_long { Err(Malformed::Line) } else { Ok(Parsed::Incomplete(buffer.len().saturating_add(1))) };
    };
    let line = rest.get(..line_len).unwrap_or_default();
    let line = line.strip_suffix(b"\r").ok_or(Malformed::End)?;
    let len = line_len.saturating_add(2);
    let token = match kind {
        b'+' => Token::Status(line),
        b'-' => Token::Error(line),
        b':' => Token::Integer(number(line)?),
        b'*' => match number(line)? {
            -1 => Token::Nil,
            count if count > ARRAY_LEN_MAX => return Err(Malformed::TooLong(count)),
            count => Token::Array(u64::try_from(count).map_err(|_| Malformed::Number)?),
        },
        _ => {
            let bulk_len = match number(line)? {
                -1 => return Ok(Parsed::Token(Token::Nil, len)),
                bulk_len => u64::try_from(bulk_len).map_err(|_| Malformed::Number)?,
            };
            let bulk_len = usize::try_from(bulk_len)
                .ok()
                .filter(|_| bulk_len <= BULK_LEN_MAX)
                .ok_or(Malformed::TooLong(i64::try_from(bulk_len).unwrap_or(i64::MAX)))?;
            let mut cursor = ByteCursor::new(buffer.get(len..).unwrap_or_default());
            let whole = len.saturating_add(bulk_len).saturating_add(2);
            let Some(bulk) = cursor.bytes(u64::try_from(bulk_len).unwrap_or(u64::MAX)) else {
                return Ok(Parsed::Incomplete(whole));
            };
            match cursor.take::<2>() {
                Some(b"\r\n") => return Ok(Parsed::Token(Token::Bulk(bulk), whole)),
                Some(_) => return Err(Malformed::End),
                None => return Ok(Parsed::Incomplete(whole)),
            }
        }
    };
    Ok(Parsed::Token(token, len))
}

fn number(line: &[u8]) -> Result<i64, Malformed> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(Malformed::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_written_as_arrays_of_strings() {
        let mut out = Vec::new();
        put_whole(&mut out, &[b"SET", b"k", b"a\r\n"]);
        put_number(&mut out, u64::MAX);
        put_number(&mut out, 0);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\r\n\r\n$20\r\n18446744073709551615\r\n$1\r\n0\r\n");
    }

    #[test]
    fn every_kind_of_reply_is_read_and_cut_short_at_any_byte_it_waits_for_more() {
        let cases: [(&[u8], Token<'_>); 9] = [
            (b"+OK\r\n", Token::Status(b"OK")),
            (b"-ERR no\r\n", Token::Error(b"ERR no")),
            (b":-7\r\n", Token::Integer(-7)),
            (b"$0\r\n\r\n", Token::Bulk(b"")),
            (b"$3\r\n\r\na\r\n", Token::Bulk(b"\r\na")),
            (b"$-1\r\n", Token::Nil),
            (b"*-1\r\n", Token::Nil),
            (b"*0\r\n", Token::Array(0)),
            (b"*12\r\n", Token::Array(12)),
        ];
        for (bytes, token) in cases {
            assert_eq!(parse(bytes), Ok(Parsed::Token(token, bytes.len())));
            for cut in 0..bytes.len() {
                match parse(&bytes[..cut]) {
                    Ok(Parsed::Incomplete(needed)) => assert!(needed > cut && needed <= bytes.len(), "{cut} {needed}"),
                    other => panic!("{bytes:?} cut at {cut}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        assert_eq!(parse(b"HTTP/1.1 400"), Err(Malformed::Type(b'H')));
        assert_eq!(parse(b":x\r\n"), Err(Malformed::Number));
        assert_eq!(parse(b"$-2\r\n"), Err(Malformed::Number));
        assert_eq!(parse(b"*-2\r\n"), Err(Malformed::Number));
        assert_eq!(parse(b"$1\r\nabc"), Err(Malformed::End));
        assert_eq!(parse(b"+OK\n"), Err(Malformed::End));
        assert_eq!(parse(b"$999999999999\r\n"), Err(Malformed::TooLong(999_999_999_999)));
        assert_eq!(parse(b"*99999999999\r\n"), Err(Malformed::TooLong(99_999_999_999)));
        assert_eq!(parse(&[&b"+"[..], &vec![b'a'; LINE_LEN_MAX]].concat()), Err(Malformed::Line));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_token_or_incomplete_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(Parsed::Token(_, len)) = parse(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }

        #[test]
        fn arguments_come_back_as_strings(argument in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut out = Vec::new();
            put_argument(&mut out, &argument);
            prop_assert_eq!(parse(&out), Ok(Parsed::Token(Token::Bulk(&argument), out.len())));
        }

        #[test]
        fn numbers_are_written_in_decimal(number in any::<u64>()) {
            let (decimal, text) = (Decimal::of(number), number.to_string());
            prop_assert_eq!(decimal.text(), text.as_bytes());
        }
    }
}
