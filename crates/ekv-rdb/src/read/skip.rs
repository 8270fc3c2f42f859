//! Which types there are, and passing their values without looking at them.
//!
//! Source: `docs/format/rdb.md`, sections 1.5 to 1.7.

use ekv_model::Kind;
use ekv_model::redis::StreamId;

use super::cursor::Cursor;
use super::fault::{Fault, Magic, Result};
use super::string;

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ValueType {
    #[default]
    String,
    List,
    Set,
    Hash,
    /// Scores as texts.
    ZSetText,
    ZSet,
    Module,
    HashZipmap,
    ListZiplist,
    SetIntset,
    ZSetZiplist,
    HashZiplist,
    Quicklist,
    HashListpack,
    ZSetListpack,
    Quicklist2,
    SetListpack,
    Stream(StreamForm),
    /// Fields may expire.
    HashExpiring(Expiring),
    /// Fields may expire; whether the earliest expiry stands before them.
    HashListpackExpiring {
        has_minimum: bool,
    },
}

/// What is written of a stream behind its nodes; each has what those before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StreamForm {
    One,
    Two,
    Three,
    Four,
}

/// How the expiries of fields are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiring {
    /// Before each field, as how much later than the earliest of them it is, and one.
    AfterMinimum,
    /// Before each field.
    Absolute,
    /// Behind each value; -1 is none.
    Valkey,
}

impl ValueType {
    /// What a byte means; `None` if nothing.
    pub(super) fn of(byte: u8, magic: Magic) -> Option<ValueType> {
        Some(match (byte, magic) {
            (0, _) => ValueType::String,
            (1, _) => ValueType::List,
            (2, _) => ValueType::Set,
            (3, _) => ValueType::ZSetText,
            (4, _) => ValueType::Hash,
            (5, _) => ValueType::ZSet,
            (7, _) => ValueType::Module,
            (9, _) => ValueType::HashZipmap,
            (10, _) => ValueType::ListZiplist,
            (11, _) => ValueType::SetIntset,
            (12, _) => ValueType::ZSetZiplist,
            (13, _) => ValueType::HashZiplist,
            (14, _) => ValueType::Quicklist,
            (15, _) => ValueType::Stream(StreamForm::One),
            (16, _) => ValueType::HashListpack,
            (17, _) => ValueType::ZSetListpack,
            (18, _) => ValueType::Quicklist2,
            (19, _) => ValueType::Stream(StreamForm::Two),
            (20, _) => ValueType::SetListpack,
            (21, _) => ValueType::Stream(StreamForm::Three),
            (22, Magic::Valkey) => ValueType::HashExpiring(Expiring::Valkey),
            (22, Magic::Redis) => ValueType::HashExpiring(Expiring::Absolute),
            (23, Magic::Redis) => ValueType::HashListpackExpiring { has_minimum: false },
            (24, Magic::Redis) => ValueType::HashExpiring(Expiring::AfterMinimum),
            (25, Magic::Redis) => ValueType::HashListpackExpiring { has_minimum: true },
            (26, Magic::Redis) => ValueType::Stream(StreamForm::Four),
            _ => return None,
        })
    }
}

impl ValueType {
    /// The kind of key; `None` for that of a module.
    pub(super) fn kind(self) -> Option<Kind> {
        Some(match self {
            ValueType::String => Kind::String,
            ValueType::List | ValueType::ListZiplist | ValueType::Quicklist | ValueType::Quicklist2 => Kind::List,
            ValueType::Set | ValueType::SetIntset | ValueType::SetListpack => Kind::Set,
            ValueType::ZSetText | ValueType::ZSet | ValueType::ZSetZiplist | ValueType::ZSetListpack => Kind::ZSet,
            ValueType::Hash
            | ValueType::HashZipmap
            | ValueType::HashZiplist
            | ValueType::HashListpack
            | ValueType::HashExpiring(_)
            | ValueType::HashListpackExpiring { .. } => Kind::Hash,
            ValueType::Stream(_) => Kind::Stream,
            ValueType::Module => return None,
        })
    }
}

/// Passes a value.
pub(super) fn skip_value(cursor: &mut Cursor<'_>, value_type: ValueType) -> Result<()> {
    let strings = |cursor: &mut Cursor<'_>, each: u64| {
        for _ in 0..cursor.count()?.saturating_mul(each) {
            string::skip(cursor)?;
        }
        Ok(())
    };
    match value_type {
        ValueType::String
        | ValueType::HashZipmap
        | ValueType::ListZiplist
        | ValueType::SetIntset
        | ValueType::ZSetZiplist
        | ValueType::HashZiplist
        | ValueType::HashListpack
        | ValueType::ZSetListpack
        | ValueType::SetListpack => string::skip(cursor),
        ValueType::List | ValueType::Set | ValueType::Quicklist => strings(cursor, 1),
        ValueType::Hash => strings(cursor, 2),
        ValueType::ZSetText => {
            for _ in 0..cursor.count()? {
                string::skip(cursor)?;
                score_text(cursor)?;
            }
            Ok(())
        }
        ValueType::ZSet => {
            for _ in 0..cursor.count()? {
                string::skip(cursor)?;
                cursor.array::<8>()?;
            }
            Ok(())
        }
        ValueType::Module => {
            cursor.length()?;
            skip_module(cursor)
        }
        ValueType::Quicklist2 => {
            for _ in 0..cursor.count()? {
                cursor.length()?;
                string::skip(cursor)?;
            }
            Ok(())
        }
        ValueType::Stream(form) => {
            strings(cursor, 2)?;
            stream_end(cursor, form).map(drop)
        }
        ValueType::HashExpiring(expiring) => {
            if expiring == Expiring::AfterMinimum {
                cursor.array::<8>()?;
            }
            for _ in 0..cursor.count()? {
                if expiring != Expiring::Valkey {
                    cursor.length()?;
                }
                string::skip(cursor)?;
                string::skip(cursor)?;
                if expiring == Expiring::Valkey {
                    cursor.array::<8>()?;
                }
            }
            Ok(())
        }
        ValueType::HashListpackExpiring { has_minimum } => {
            if has_minimum {
                cursor.array::<8>()?;
            }
            string::skip(cursor)
        }
    }
}

/// Passes a score that is written as text.
pub(super) fn score_text(cursor: &mut Cursor<'_>) -> Result<f64> {
    let len = cursor.byte()?;
    match len {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        len => {
            let score = score_of(cursor.take(len.into())?);
            score.ok_or_else(|| cursor.fault(Fault::Score))
        }
    }
}

/// A score as servers write it.
pub(super) fn score_of(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What stands behind the nodes of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamEnd {
    /// Entries.
    pub(super) len: u64,
    /// Highest id ever added.
    pub(super) last: StreamId,
    /// Groups of consumers.
    pub(super) groups: u64,
    /// Entries that were delivered and not acknowledged.
    pub(super) pending: u64,
}

/// Passes what stands behind the nodes of a stream.
pub(super) fn stream_end(cursor: &mut Cursor<'_>, form: StreamForm) -> Result<StreamEnd> {
    let mut end = StreamEnd { len: cursor.length()?, last: id(cursor)?, ..StreamEnd::default() };
    if form >= StreamForm::Two {
        id(cursor)?;
        id(cursor)?;
        cursor.length()?;
    }
    end.groups = cursor.count()?;
    for _ in 0..end.groups {
        string::skip(cursor)?;
        id(cursor)?;
        if form >= StreamForm::Two {
            cursor.length()?;
        }
        let pending = cursor.count()?;
        end.pending = end.pending.saturating_add(pending);
        for _ in 0..pending {
            cursor.array::<24>()?;
            cursor.length()?;
        }
        for _ in 0..cursor.count()? {
            string::skip(cursor)?;
            cursor.array::<8>()?;
            if form >= StreamForm::Three {
                cursor.array::<8>()?;
            }
            let pending = cursor.count()?;
            cursor.skip(pending.saturating_mul(16))?;
        }
    }
    if form >= StreamForm::Four {
        cursor.length()?;
        cursor.length()?;
        for _ in 0..cursor.count()? {
            string::skip(cursor)?;
            for _ in 0..cursor.count()? {
                string::skip(cursor)?;
                id(cursor)?;
            }
        }
        cursor.length()?;
        cursor.length()?;
    }
    Ok(end)
}

fn id(cursor: &mut Cursor<'_>) -> Result<StreamId> {
    Ok(StreamId { ms: cursor.length()?, seq: cursor.length()? })
}

/// Passes what a module wrote.
pub(super) fn skip_module(cursor: &mut Cursor<'_>) -> Result<()> {
    loop {
        match cursor.length()? {
            0 => return Ok(()),
            1 | 2 => drop(cursor.length()?),
            3 => drop(cursor.array::<4>()?),
            4 => drop(cursor.array::<8>()?),
            5 => string::skip(cursor)?,
            _ => return Err(cursor.fault(Fault::Module("it has something of an unknown kind"))),
        }
    }
}

/// The name and version of a module in its number.
pub(super) fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |place: u32| usize::try_from((id >> (10 + 6 * place)) & 0x3f).ok().and_then(|at| LETTERS.get(at));
    let name: String = (0..9).rev().filter_map(letter).map(|letter| char::from(*letter)).collect();
    format!("{name} version {}", id & 0x3ff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_is_named_by_its_number() {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let number = |letter: u8| u64::try_from(letters.iter().position(|known| *known == letter).unwrap()).unwrap();
        let id = b"ReJSON-RL".iter().fold(0, |id: u64, letter| (id << 6) | number(*letter));
        assert_eq!(module_name((id << 10) | 3), "ReJSON-RL version 3");
    }
}
