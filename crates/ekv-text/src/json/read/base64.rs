//! Bytes in a string of base64.

use super::{JsonFault, JsonReader, JsonSource};
use crate::base64::{Base64Decoder, Base64Form};

impl<S: JsonSource> JsonReader<S> {
    /// Passes the bytes that a string of base64url without padding stands for to `keep`, in pieces.
    ///
    /// # Errors
    /// As [`JsonReader::string`], and [`JsonFault::Base64`] for anything that no encoder writes; the first error of `keep`.
    pub fn base64(
        &mut self,
        expected: &'static str,
        keep: impl FnMut(&[u8]) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        self.decoded(Base64Form::Url, expected, keep)
    }

    /// Passes the bytes that a string of standard base64 with padding stands for to `keep`, in pieces.
    ///
    /// # Errors
    /// As [`JsonReader::string`], and [`JsonFault::PaddedBase64`] for anything that no encoder writes; the first error of `keep`.
    pub fn padded_base64(
        &mut self,
        expected: &'static str,
        keep: impl FnMut(&[u8]) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        self.decoded(Base64Form::Padded, expected, keep)
    }

    pub(super) fn decoded(
        &mut self,
        form: Base64Form,
        expected: &'static str,
        mut keep: impl FnMut(&[u8]) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        let start = self.position()?;
        let mut decoder = Base64Decoder::new(form);
        let mut is_base64 = true;
        let mut pass = |decoded: &[u8]| if decoded.is_empty() { Ok(()) } else { keep(decoded) };
        self.string(expected, |piece| {
            let decoded = if is_base64 { decoder.push(piece) } else { None };
            is_base64 = decoded.is_some();
            pass(decoded.unwrap_or_default())
        })?;
        match decoder.finish().filter(|_| is_base64) {
            Some(rest) => pass(rest),
            None => {
                self.seek(start);
                Err(self.fault(match form {
                    Base64Form::Url => JsonFault::Base64,
                    Base64Form::Padded | Base64Form::AsServer => JsonFault::PaddedBase64,
                }))
            }
        }
    }
}
