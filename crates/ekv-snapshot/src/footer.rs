//! The checksum footer, compared with the bytes before it. Source: `docs/format/snapshot.md`, section 3.2.

use ekv_model::Class;

use crate::format::FOOTER_LEN;
use crate::sequential::Sequential;
use crate::{Error, ErrorKind, FooterPolicy, Input, Result};

/// Ends the read of a payload that is checked as a whole; `reader` stands behind it, or anywhere if `outcome` is an error.
///
/// Returns the footer if there is one and it matches. A checksum that does not match wins over the error that was met first.
///
/// # Errors
/// `FooterCrc`, `TokenCrc`, a failing read, or the error in `outcome`.
pub(crate) fn check_end(input: &Input, reader: Sequential<'_>, outcome: Result<()>) -> Result<Option<u32>> {
    match outcome {
        Ok(()) => {
            let has_footer = reader.left() == FOOTER_LEN;
            check_footer(input, reader.finish()?.filter(|_| has_footer), None)
        }
        Err(error) => Err(blame(input, reader, error)),
    }
}

/// The error to report after `error`: where a footer must be there, one that does not match wins, because a damaged length or
/// magic derails everything behind it.
pub(crate) fn blame(input: &Input, reader: Sequential<'_>, error: Error) -> Error {
    if input.footer != FooterPolicy::Required || error.class() != Class::Data {
        return error;
    }
    let compared = reader.finish().and_then(|ending| check_footer(input, ending, Some(&error)));
    compared.err().unwrap_or(error)
}

/// Compares the token, the footer and the checksum; `None` passes.
pub(crate) fn check_footer(
    input: &Input,
    ending: Option<(u32, u32)>,
    parse_error: Option<&Error>,
) -> Result<Option<u32>> {
    let Some((stored, computed)) = ending else { return Ok(None) };
    let at = input.len.saturating_sub(FOOTER_LEN);
    if stored != computed {
        let parse_error = parse_error.map(Error::without_file);
        return Err(Error::new(ErrorKind::FooterCrc { stored, computed, parse_error }).at(at).in_file(&input.name));
    }
    match input.token_crc32c {
        Some(token) if token != stored => {
            Err(Error::new(ErrorKind::TokenCrc { token, footer: stored }).at(at).in_file(&input.name))
        }
        _ => Ok(Some(stored)),
    }
}
