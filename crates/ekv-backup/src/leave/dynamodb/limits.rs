//! What DynamoDB does not take.
//!
//! Source: `docs/format/leave.md`, section 3.3.

use ekv_model::dynamodb::{ItemKey, KeyType, KeyValue, Number};
use ekv_model::{Body, Finding, findings};

/// Longest item, in bytes as the service counts them.
pub(crate) const ITEM_LEN_MAX: u64 = 400 << 10;
/// Most levels of lists and maps in an item.
pub(crate) const LEVEL_MAX: usize = 32;
/// Most digits of a number.
const DIGITS_MAX: usize = 38;
/// Powers of ten of the first digit of a number.
const EXPONENTS: std::ops::RangeInclusive<i64> = -130..=125;
/// Longest hash key and range key, in bytes.
const HASH_KEY_LEN_MAX: u64 = 2048;
const RANGE_KEY_LEN_MAX: u64 = 1024;
/// Longest text of a number that is looked at, in bytes; what is longer has more digits than any number may have, or zeros without end.
const NUMBER_TEXT_LEN_MAX: u64 = 4096;

/// Why the service would refuse an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unfit {
    /// More than 400 KiB.
    TooLong,
    /// Lists and maps nested more than 32 levels deep.
    TooDeep,
    /// A number of more than 38 digits.
    NumberDigits,
    /// A number beyond 9.99E+125, or nearer to zero than 1E-130.
    NumberRange,
    /// A number that is none.
    NoNumber,
    /// A set without members.
    EmptySet,
    /// A null that is `false`, which no service gives or takes.
    NullFalse,
    /// A value without a type.
    NoType,
    /// A key attribute that is empty.
    EmptyKey,
    /// A hash key of more than 2048 bytes, or a range key of more than 1024.
    LongKey,
    /// A key attribute of another type than the table's.
    KeyType,
    /// An attribute that is the key of an index, and has another type than the index's, or is empty.
    IndexKey,
}

impl Unfit {
    /// As a loss of an item that stays behind.
    pub(crate) fn finding(self) -> Finding {
        match self {
            Unfit::TooLong => ITEM_TOO_LONG,
            Unfit::TooDeep => ITEM_TOO_DEEP,
            Unfit::NumberDigits => NUMBER_DIGITS,
            Unfit::NumberRange => NUMBER_RANGE,
            Unfit::NoNumber => NO_NUMBER,
            Unfit::EmptySet => EMPTY_SET,
            Unfit::NullFalse => NULL_FALSE,
            Unfit::NoType => NO_TYPE,
            Unfit::EmptyKey => EMPTY_KEY,
            Unfit::LongKey => LONG_KEY,
            Unfit::KeyType => KEY_TYPE,
            Unfit::IndexKey => INDEX_KEY,
        }
    }
}

findings! {
    const ITEM_TOO_LONG: Finding = Finding::loss(
        "to_dynamodb_item_too_long",
        "items longer than 400 KiB, which DynamoDB does not take; they stay behind",
    );
    const ITEM_TOO_DEEP: Finding = Finding::loss(
        "to_dynamodb_item_too_deep",
        "items with more than 32 levels of lists and maps, which DynamoDB does not take; they stay behind",
    );
    const NUMBER_DIGITS: Finding = Finding::loss(
        "to_dynamodb_number_digits",
        "items with a number of more than 38 digits, which DynamoDB does not take; they stay behind",
    );
    const NUMBER_RANGE: Finding = Finding::loss(
        "to_dynamodb_number_range",
        "items with a number outside of 1E-130 to 9.99E+125, which DynamoDB does not take; they stay behind",
    );
    const NO_NUMBER: Finding = Finding::loss(
        "to_dynamodb_no_number",
        "items with a number that is none, which DynamoDB does not take; they stay behind",
    );
    const EMPTY_SET: Finding = Finding::loss(
        "to_dynamodb_empty_set",
        "items with an empty set, which DynamoDB does not take; they stay behind",
    );
    const NULL_FALSE: Finding = Finding::loss(
        "to_dynamodb_null_false",
        "items with a null that is false, which DynamoDB does not take; they stay behind",
    );
    const NO_TYPE: Finding = Finding::loss(
        "to_dynamodb_no_type",
        "items with a value of no type, which DynamoDB does not take; they stay behind",
    );
    const EMPTY_KEY: Finding = Finding::loss(
        "to_dynamodb_empty_key",
        "items with an empty key, which DynamoDB does not take; they stay behind",
    );
    const LONG_KEY: Finding = Finding::loss(
        "to_dynamodb_long_key",
        "items with a hash key of more than 2048 bytes or a range key of more than 1024, which DynamoDB does not take; they stay behind",
    );
    const KEY_TYPE: Finding = Finding::loss(
        "to_dynamodb_key_type",
        "items with a key of another type than their table's, which DynamoDB does not take; they stay behind",
    );
    const INDEX_KEY: Finding = Finding::loss(
        "to_dynamodb_index_key",
        "items with an attribute that an index cannot have as its key, which DynamoDB does not take; they stay behind",
    );
    pub(crate) const TABLE: Finding = Finding::loss(
        "to_dynamodb_table",
        "tables that DynamoDB does not take; they stay behind with all their items",
    );
    pub(crate) const NUMBERS_REWRITTEN: Finding = Finding::info(
        "to_dynamodb_numbers_rewritten",
        "items with numbers that DynamoDB will give back in another form, such as 1.5 for 1.50",
    );
    pub(crate) const REPEATS: Finding = Finding::info(
        "to_dynamodb_set_repeats",
        "items with a set that has a member twice, which DynamoDB does not take: it goes once",
    );
}

/// What a number is in the service.
pub(crate) struct Checked {
    /// Bytes that it counts for.
    pub(crate) len: u64,
    /// Whether the service will write it in another way.
    pub(crate) is_rewritten: bool,
}

/// Judges the text of a number.
pub(crate) fn check_number(text: &Body<'_>) -> ekv_model::Result<Result<Checked, Unfit>> {
    if text.len() > NUMBER_TEXT_LEN_MAX {
        return Ok(Err(Unfit::NumberDigits));
    }
    let mut bytes = Vec::new();
    text.for_each_chunk(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    let Some(number) = std::str::from_utf8(&bytes).ok().and_then(|text| Number::parse(text).ok()) else {
        return Ok(Err(Unfit::NoNumber));
    };
    Ok(judge_number(&number).map(|len| Checked { len, is_rewritten: plain_text(&number).as_bytes() != bytes }))
}

fn judge_number(number: &Number<'_>) -> Result<u64, Unfit> {
    let digits = number.digits.len();
    if digits > DIGITS_MAX {
        Err(Unfit::NumberDigits)
    } else if digits > 0 && !EXPONENTS.contains(&number.magnitude.saturating_sub(1)) {
        Err(Unfit::NumberRange)
    } else {
        // Two digits a byte, one for the exponent, one for a sign.
        let pairs = u64::try_from(digits.div_ceil(2)).unwrap_or(u64::MAX);
        Ok(pairs.saturating_add(1).saturating_add(u64::from(number.is_negative)))
    }
}

/// The text of a number as it is sent: as it is, but the service takes none with white space.
pub(crate) fn sent_text(text: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let number = || std::str::from_utf8(text).ok().and_then(|text| Number::parse(text).ok());
    match text.iter().any(u8::is_ascii_whitespace).then(number).flatten().filter(|number| judge_number(number).is_ok())
    {
        Some(number) => plain_text(&number).into_bytes().into(),
        None => text.into(),
    }
}

/// The text that the service gives back for a number in its range: no exponent, no zeros that say nothing.
pub(crate) fn plain_text(number: &Number<'_>) -> String {
    let digits = &*number.digits;
    let sign = if number.is_negative { "-" } else { "" };
    if digits.is_empty() {
        return "0".to_owned();
    }
    let Ok(magnitude) = usize::try_from(number.magnitude) else {
        let zeros = usize::try_from(number.magnitude.unsigned_abs()).unwrap_or_default();
        return format!("{sign}0.{}{digits}", "0".repeat(zeros));
    };
    match digits.split_at_checked(magnitude) {
        Some((integer, "")) => format!("{sign}{integer}"),
        Some(("", fraction)) => format!("{sign}0.{fraction}"),
        Some((integer, fraction)) => format!("{sign}{integer}.{fraction}"),
        None => format!("{sign}{digits}{}", "0".repeat(magnitude.saturating_sub(digits.len()))),
    }
}

/// Judges the primary key of an item against the types of its table.
pub(crate) fn check_key(key: &ItemKey<'_>, types: &[Option<KeyType>; 2]) -> Result<(), Unfit> {
    let parts = [(Some(&key.hash), HASH_KEY_LEN_MAX), (key.range.as_ref(), RANGE_KEY_LEN_MAX)];
    for ((value, len_max), wanted) in parts.into_iter().zip(types) {
        if let Some(value) = value {
            check_key_value(value, *wanted, len_max)?;
        }
    }
    Ok(())
}

fn check_key_value(value: &KeyValue<'_>, wanted: Option<KeyType>, len_max: u64) -> Result<(), Unfit> {
    if wanted.is_some_and(|wanted| wanted != value.key_type) {
        return Err(Unfit::KeyType);
    }
    if value.key_type == KeyType::Number {
        return value.number().map_or(Err(Unfit::NoNumber), |number| judge_number(&number).map(|_| ()));
    }
    if value.bytes.is_empty() {
        Err(Unfit::EmptyKey)
    } else if u64::try_from(value.bytes.len()).is_ok_and(|len| len > len_max) {
        Err(Unfit::LongKey)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(u64, bool), Unfit> {
        check_number(&Body::Inline(text.as_bytes())).unwrap().map(|checked| (checked.len, checked.is_rewritten))
    }

    #[test]
    fn numbers_are_judged_at_their_borders() {
        let nines = "9".repeat(38);
        assert_eq!(checked(&nines), Ok((20, false)));
        assert_eq!(checked(&format!("{nines}9")), Err(Unfit::NumberDigits));
        assert_eq!(checked(&format!("1{}", "0".repeat(60))), Ok((2, false)), "zeros at the end are no digits");
        assert_eq!(checked("9.99e125").map(|(len, _)| len), Ok(3));
        assert_eq!(checked("1e126"), Err(Unfit::NumberRange));
        assert_eq!(checked("1e-130").map(|(len, _)| len), Ok(2));
        assert_eq!(checked("9e-131"), Err(Unfit::NumberRange));
        assert_eq!(checked("0e999"), Ok((1, true)));
        assert_eq!(checked("x"), Err(Unfit::NoNumber));
        assert_eq!(checked(&"1".repeat(5000)), Err(Unfit::NumberDigits));
    }

    #[test]
    fn white_space_is_not_sent() {
        for (text, sent) in [(" 7 ", "7"), ("1.5e 1", "15"), ("1.50", "1.50"), ("\t-2\n", "-2")] {
            assert_eq!(&*sent_text(text.as_bytes()), sent.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn only_numbers_that_come_back_otherwise_are_called_rewritten() {
        for (text, rewritten) in [
            ("17", false),
            ("-1.5", false),
            ("0", false),
            ("0.05", false),
            ("100", false),
            ("1.50", true),
            ("+1", true),
            ("1e2", true),
            (".5", true),
            ("-0", true),
            ("007", true),
        ] {
            assert_eq!(checked(text).unwrap().1, rewritten, "{text}");
        }
    }
}
