//! Patterns of names, in the language of Redis.

use crate::address::{Byte, TextError, bytes_of};

/// A pattern over bytes: `*` any bytes, `?` one byte, `[a-z]` one of a class, `[^a]` one that is not, `\x` the byte `x` itself.
///
/// `*` takes `/` and `:` too. A class without its `]` ends with the pattern. Matching is linear in the length of the name for each `*`,
/// with one place to go back to, and needs no memory.
///
/// ```
/// use ekv_model::Glob;
/// let glob = Glob::parse(b"user:[0-9]*", false)?;
/// assert!(glob.matches(b"user:17/a") && !glob.matches(b"user:x"));
/// assert!(Glob::parse(b"100%25", false)?.matches(b"100%"));
/// # Ok::<(), ekv_model::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
    literal: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Any,
    Class { is_negated: bool, ranges: Vec<(u8, u8)> },
}

impl Token {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Token::Byte(own) => *own == byte,
            Token::One => true,
            Token::Any => false,
            Token::Class { is_negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&byte)) != *is_negated
            }
        }
    }
}

impl Glob {
    /// Reads a pattern. A byte that is written as an escape `%HH` stands for itself, also `%2A`; with `is_raw` there are no escapes.
    ///
    /// # Errors
    /// `%` without two hex digits.
    pub fn parse(text: &[u8], is_raw: bool) -> Result<Self, TextError> {
        Ok(Self::of(&bytes_of(text, is_raw)?))
    }

    pub(crate) fn of(bytes: &[Byte]) -> Self {
        let mut tokens = Vec::new();
        let mut rest = bytes.iter();
        while let Some(byte) = rest.next() {
            let token = match (byte.is_escaped, byte.byte) {
                (false, b'*') if tokens.last() == Some(&Token::Any) => continue,
                (false, b'*') => Token::Any,
                (false, b'?') => Token::One,
                (false, b'\\') => Token::Byte(rest.next().map_or(b'\\', |next| next.byte)),
                (false, b'[') => class(&mut rest),
                (_, byte) => Token::Byte(byte),
            };
            tokens.push(token);
        }
        let literal = tokens.iter().map_while(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None });
        let literal = literal.collect();
        Glob { tokens, literal }
    }

    /// Whether the pattern matches the whole of `name`.
    pub fn matches(&self, name: &[u8]) -> bool {
        let (mut at, mut token_at) = (0_usize, 0_usize);
        // Behind the last `*`: the token that follows it, and where its bytes end for now.
        let mut back: Option<(usize, usize)> = None;
        loop {
            match (self.tokens.get(token_at), name.get(at)) {
                (Some(Token::Any), _) => {
                    token_at = token_at.saturating_add(1);
                    back = Some((token_at, at));
                    continue;
                }
                (Some(token), Some(byte)) if token.takes(*byte) => {
                    at = at.saturating_add(1);
                    token_at = token_at.saturating_add(1);
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            match &mut back {
                Some((after, taken)) if *taken < name.len() => {
                    *taken = taken.saturating_add(1);
                    (token_at, at) = (*after, *taken);
                }
                _ => return false,
            }
        }
    }

    /// The bytes with which everything begins that the pattern matches.
    pub fn literal_beginning(&self) -> &[u8] {
        &self.literal
    }

    /// Whether the pattern matches its literal beginning and nothing else.
    pub fn is_literal(&self) -> bool {
        self.tokens.len() == self.literal.len()
    }

    /// Whether the pattern matches everything with its literal beginning.
    pub fn is_prefix(&self) -> bool {
        self.tokens.len() == self.literal.len().saturating_add(1) && self.tokens.last() == Some(&Token::Any)
    }
}

/// Reads a class behind its `[`.
fn class<'b>(rest: &mut impl Iterator<Item = &'b Byte>) -> Token {
    let mut rest = rest.peekable();
    let is = |byte: &Byte, what: u8| !byte.is_escaped && byte.byte == what;
    let is_negated = rest.next_if(|byte| is(byte, b'^')).is_some();
    let mut ranges = Vec::new();
    while let Some(byte) = rest.next() {
        let first = match () {
            () if is(byte, b']') => break,
            () if is(byte, b'\\') => rest.next().map_or(b'\\', |next| next.byte),
            () => byte.byte,
        };
        let mut last = first;
        if !is(byte, b'\\') && rest.next_if(|byte| is(byte, b'-')).is_some() {
            match rest.next() {
                Some(byte) if is(byte, b']') => {
                    ranges.extend([(first, first), (b'-', b'-')]);
                    break;
                }
                Some(byte) => last = byte.byte,
                None => ranges.push((b'-', b'-')),
            }
        }
        ranges.push((first.min(last), first.max(last)));
    }
    Token::Class { is_negated, ranges }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(text: &[u8]) -> Glob {
        Glob::parse(text, true).unwrap()
    }

    #[test]
    fn language_is_that_of_redis() {
        for (pattern, matching, others) in [
            ("*", &["", "a", "a/b:c"][..], &[][..]),
            ("h?llo", &["hello", "hallo", "h/llo"], &["hllo", "heello"]),
            ("h[ae]llo", &["hello", "hallo"], &["hillo"]),
            ("h[^e]llo", &["hallo", "hbllo"], &["hello"]),
            ("h[a-b]llo", &["hallo", "hbllo"], &["hcllo"]),
            ("h[b-a]llo", &["hallo"], &["hcllo"]),
            (r"a\*b", &["a*b"], &["axb"]),
            (r"[\]x]", &["]", "x"], &["y", "\\"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[abc", &["a", "c"], &["[abc", "d"]),
            ("[]a", &[], &["a", "]a"]),
            ("a**b", &["ab", "axxb"], &["a"]),
            ("*.jpg", &["a/b.jpg"], &["a.jpg2"]),
            ("ab\\", &["ab\\"], &["ab"]),
        ] {
            for name in matching {
                assert!(glob(pattern.as_bytes()).matches(name.as_bytes()), "{pattern} {name}");
            }
            for name in others {
                assert!(!glob(pattern.as_bytes()).matches(name.as_bytes()), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn escaped_bytes_stand_for_themselves() {
        let glob = Glob::parse(b"a%2A%5b*", false).unwrap();
        assert!(glob.matches(b"a*[x") && !glob.matches(b"abbx"));
        assert_eq!(glob.literal_beginning(), b"a*[");
        assert!(glob.is_prefix() && !glob.is_literal());
        assert!(Glob::parse(b"100%", false).is_err());
        assert!(Glob::parse(b"100%", true).unwrap().is_literal());
    }

    #[test]
    fn many_stars_cost_no_more_than_the_product_of_the_lengths() {
        let pattern = glob(&b"a*".repeat(2_000));
        assert!(!pattern.matches(&[b'a'; 1_999]));
        assert!(!glob(&[b"*a".repeat(500), b"b".to_vec()].concat()).matches(&[b'a'; 20_000]));
    }

    /// Tries everything.
    fn naive(tokens: &[Token], name: &[u8]) -> bool {
        match tokens.split_first() {
            None => name.is_empty(),
            Some((Token::Any, rest)) => (0..=name.len()).any(|at| naive(rest, &name[at..])),
            Some((token, rest)) => {
                name.split_first().is_some_and(|(byte, name)| token.takes(*byte) && naive(rest, name))
            }
        }
    }

    proptest! {
        #[test]
        fn pattern_matches_what_trying_everything_matches(
            pattern in "[ab*?\\[\\]^\\\\-]{0,8}", name in "[ab\\[*]{0,8}",
        ) {
            let glob = glob(pattern.as_bytes());
            prop_assert_eq!(glob.matches(name.as_bytes()), naive(&glob.tokens, name.as_bytes()));
            if glob.matches(name.as_bytes()) {
                prop_assert!(name.as_bytes().starts_with(glob.literal_beginning()));
                prop_assert!(!glob.is_literal() || name.as_bytes() == glob.literal_beginning());
            }
            prop_assert!(!glob.is_prefix() || glob.matches(&[glob.literal_beginning(), name.as_bytes()].concat()));
        }
    }
}
