//! Key attributes of an item.

use ekv_files::Result;
use ekv_model::dynamodb::{ItemKey, KEY_VALUE_LEN_MAX, KeyType, KeyValue, put_sort_key, shown};
use ekv_text::json::Bracket;

use super::item::{A_NUMBER, A_STRING, A_TYPE, A_VALUE, BASE64, END_OF_VALUE, TYPES};
use crate::json::{JsonFault, JsonReader, Position, Refuse as _};
use crate::replay::ReplayFault;

/// The key of an item, in buffers that are used again.
#[derive(Default)]
pub(super) struct KeyBuffer {
    hash: OwnedValue,
    range: OwnedValue,
    has_range: bool,
    sort_key: Vec<u8>,
    /// Whether texts of type N may be no numbers: a decode has told of such keys.
    may_be_no_number: bool,
}

#[derive(Default)]
struct OwnedValue {
    key_type: Option<KeyType>,
    bytes: Vec<u8>,
}

/// Where the values of the key attributes begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyPlaces {
    pub(super) hash: Position,
    /// In tables with a range key.
    pub(super) range: Option<Position>,
}

impl KeyBuffer {
    /// A buffer for keys whose texts of type N may be no numbers.
    pub(super) fn of_any_number() -> Self {
        KeyBuffer { may_be_no_number: true, ..KeyBuffer::default() }
    }

    /// Reads the values at `places`; the names of their attributes are for messages.
    pub(super) fn read(&mut self, reader: &mut JsonReader<'_>, places: KeyPlaces, names: (&str, &str)) -> Result<()> {
        self.hash.read(reader, places.hash, names.0, self.may_be_no_number)?;
        self.has_range = places.range.is_some();
        if let Some(place) = places.range {
            self.range.read(reader, place, names.1, self.may_be_no_number)?;
        }
        let range = self.has_range.then(|| self.range.value());
        put_sort_key(&self.hash.value(), range.as_ref(), &mut self.sort_key);
        Ok(())
    }

    /// The key that was read last.
    pub(super) fn key(&self) -> ItemKey<'_> {
        let range = self.has_range.then(|| self.range.value());
        ItemKey { hash: self.hash.value(), range, sort_key: &self.sort_key }
    }
}

impl OwnedValue {
    fn value(&self) -> KeyValue<'_> {
        KeyValue { key_type: self.key_type.unwrap_or(KeyType::Binary), bytes: &self.bytes }
    }

    fn read(&mut self, reader: &mut JsonReader<'_>, place: Position, name: &str, may_be_no_number: bool) -> Result<()> {
        reader.seek(place);
        reader.enter(Bracket::Object, A_VALUE)?;
        self.bytes.clear();
        let attribute = || shown(name.as_bytes());
        let key_type = match reader.known_name(A_TYPE, TYPES)? {
            0 => KeyType::String,
            1 => KeyType::Number,
            2 => KeyType::Binary,
            _ => {
                reader.seek(place);
                return Err(reader.refuse(ReplayFault::KeyType { attribute: attribute() }));
            }
        };
        match key_type {
            KeyType::String => reader.text(A_STRING, KEY_VALUE_LEN_MAX, &mut self.bytes)?,
            KeyType::Number => reader.text(A_NUMBER, KEY_VALUE_LEN_MAX, &mut self.bytes)?,
            KeyType::Binary => self.read_bytes(reader)?,
        }
        reader.leave_object(END_OF_VALUE)?;
        self.key_type = Some(key_type);
        if key_type == KeyType::Number && !may_be_no_number && self.value().number().is_none() {
            reader.seek(place);
            return Err(reader.refuse(ReplayFault::KeyNumber { attribute: attribute() }));
        }
        Ok(())
    }

    fn read_bytes(&mut self, reader: &mut JsonReader<'_>) -> Result<()> {
        let start = reader.position()?;
        let mut is_long = false;
        reader.padded_base64(BASE64, |piece| {
            is_long |= self.bytes.len().saturating_add(piece.len()) > KEY_VALUE_LEN_MAX;
            if !is_long {
                self.bytes.extend_from_slice(piece);
            }
            Ok(())
        })?;
        if is_long {
            reader.seek(start);
            return Err(reader.fault(JsonFault::LongString { len_max: KEY_VALUE_LEN_MAX }));
        }
        Ok(())
    }
}
