//! JSON text with strings of bounded length.

use std::io::{self, Read};

use ekv_text::json::{JsonError, LimitedStrings, StringTooLong};
use serde::de::DeserializeSeed;

use super::{ManifestError, STRING_LEN_MAX};

/// Gives the text of a manifest from its start.
pub(super) type Reopen<'t> = &'t dyn Fn() -> Box<dyn Read + 't>;

/// Reads one value, and nothing behind it.
///
/// Cost: besides what `seed` keeps, one string of at most [`STRING_LEN_MAX`] bytes, whatever the text.
pub(super) fn read_value<'t, S: for<'de> DeserializeSeed<'de, Value = T>, T>(
    open: Reopen<'t>,
    seed: S,
) -> Result<T, ManifestError> {
    let text = LimitedStrings::new(io::BufReader::new(open()), STRING_LEN_MAX);
    let mut reader = serde_json::Deserializer::from_reader(text);
    seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(error)
}

fn error(error: serde_json::Error) -> ManifestError {
    if !error.is_io() {
        return ManifestError::Json(JsonError::new(&error));
    }
    let error = io::Error::from(error);
    match error.get_ref().is_some_and(|inner| inner.is::<StringTooLong>()) {
        true => ManifestError::StringTooLong,
        false => ManifestError::Reread(error),
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use serde_json::Value;

    use super::*;

    fn read(text: &[u8]) -> Result<Value, ManifestError> {
        read_value(&|| Box::new(text), PhantomData::<Value>)
    }

    #[test]
    fn strings_up_to_the_limit_are_read_and_longer_ones_refused() {
        for quote in ["a", "\\\"", "\\\\"] {
            let fits = quote.repeat(STRING_LEN_MAX / quote.len());
            assert!(read(format!("[\"{fits}\", \"{fits}\"]").as_bytes()).is_ok());
            assert!(matches!(
                read(format!("[\"{fits}{quote}\"]").as_bytes()).unwrap_err(),
                ManifestError::StringTooLong
            ));
        }
        let numbers = format!("[{}1]", "1,".repeat(STRING_LEN_MAX));
        assert!(read(numbers.as_bytes()).is_ok());
    }

    #[test]
    fn what_stands_behind_the_value_is_refused() {
        assert!(matches!(read(b"{} x").unwrap_err(), ManifestError::Json(_)));
        assert!(read(b" {} \n").is_ok());
    }
}
