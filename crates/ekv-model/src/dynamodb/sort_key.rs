//! The order of items. Source: `docs/format/dynamodb.md`, section 2.1.

use ekv_text::ordered::push_segment;

use super::{KeyType, KeyValue, Number};

// Signs of a number, and of its magnitude.
const NEGATIVE: u8 = 0x00;
const ZERO: u8 = 0x01;
const POSITIVE: u8 = 0x02;
/// First byte of the raw form of a text that should be a number and is none; only legacy keys have such. Above all numbers.
const NO_NUMBER: u8 = 0x03;
/// Between magnitude and digits.
const SEPARATOR: u8 = 0x00;

/// Writes the sort key of an item into `out`: equal for equal keys, in the order of the table.
pub fn put_sort_key(hash: &KeyValue<'_>, range: Option<&KeyValue<'_>>, out: &mut Vec<u8>) {
    out.clear();
    push_ordered(hash, out);
    if let Some(range) = range {
        push_ordered(range, out);
    }
}

/// Appends one value to a sort key; no result begins with another one.
///
/// A number that is none, which only legacy tables hold, sorts behind all numbers by its text.
pub fn push_ordered(value: &KeyValue<'_>, out: &mut Vec<u8>) {
    if value.key_type != KeyType::Number {
        return push_segment(value.bytes, out);
    }
    let mut raw = Vec::new();
    match value.number() {
        Some(number) => push_number(&number, &mut raw),
        None => {
            raw.push(NO_NUMBER);
            raw.extend_from_slice(value.bytes);
        }
    }
    push_segment(&raw, out);
}

/// Appends the raw bytes of a number: equal for equal numbers, and in their order. Source: section 2.2.
///
/// One flaw of the format is kept: of two negative numbers of one magnitude where the digits of the first begin those of the second, the
/// first, larger one comes first.
fn push_number(number: &Number<'_>, out: &mut Vec<u8>) {
    if number.digits.is_empty() {
        return out.push(ZERO);
    }
    out.push(if number.is_negative { NEGATIVE } else { POSITIVE });
    let body_start = out.len();
    push_magnitude(number.magnitude, out);
    out.push(SEPARATOR);
    out.extend_from_slice(number.digits.as_bytes());
    if number.is_negative {
        invert(out.get_mut(body_start..));
    }
}

fn push_magnitude(magnitude: i64, out: &mut Vec<u8>) {
    match magnitude {
        0 => out.push(ZERO),
        1.. => {
            out.push(POSITIVE);
            push_unsigned(magnitude.unsigned_abs(), out);
        }
        _ => {
            out.push(NEGATIVE);
            let start = out.len();
            push_unsigned(magnitude.unsigned_abs(), out);
            invert(out.get_mut(start..));
        }
    }
}

/// A byte with the length, then as many bytes as are needed, big-endian.
fn push_unsigned(number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
    let kept = bytes.get(skipped..).unwrap_or(&[]);
    out.push(u8::try_from(kept.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(kept);
}

fn invert(bytes: Option<&mut [u8]>) {
    for byte in bytes.unwrap_or(&mut []) {
        *byte = !*byte;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        push_number(&Number::parse(text).unwrap(), &mut out);
        out
    }

    #[test]
    fn known_numbers_have_the_bytes_of_real_keys() {
        for (text, expected) in [
            ("99", &b"\x02\x02\x01\x02\x0099"[..]),
            ("-1.5", b"\x00\xfd\xfe\xfe\xff\xce\xca"),
            ("-0.001", b"\x00\xff\x01\x02\xff\xce"),
            ("1e-130", b"\x02\x00\xfe\x7e\x001"),
            ("0", b"\x01"),
            ("-0", b"\x01"),
            ("0.0", b"\x01"),
            ("0.5", b"\x02\x01\x005"),
            ("1e300", b"\x02\x02\x02\x01\x2d\x001"),
        ] {
            assert_eq!(raw(text), expected, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_numbers_sort_behind_all_numbers_and_stay_apart() {
        let ordered = |text: &'static str| {
            let mut out = Vec::new();
            push_ordered(&KeyValue { key_type: KeyType::Number, bytes: text.as_bytes() }, &mut out);
            out
        };
        assert!(ordered("1e9223372036854775806") < ordered("abc"));
        assert_ne!(ordered(" abc"), ordered("abc"));
        assert_eq!(ordered("1"), ordered("10e-1"));
    }

    proptest! {
        #[test]
        fn values_keep_the_order_of_their_bytes_and_never_begin_with_each_other(
            a in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 0xfe, 0xff]), 0..6),
            b in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 0xfe, 0xff]), 0..6),
        ) {
            let segment = |raw: &[u8]| {
                let mut out = Vec::new();
                push_segment(raw, &mut out);
                out
            };
            let (x, y) = (segment(&a), segment(&b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.starts_with(&y), a == b);
        }

        #[test]
        fn bytes_have_the_order_of_numbers_except_where_digits_of_negative_ones_begin_with_each_other(
            a in (-999_i64..1000, -9_i32..10), b in (-999_i64..1000, -9_i32..10),
        ) {
            let text = |(mantissa, exponent): (i64, i32)| format!("{mantissa}e{exponent}");
            let scaled = |(mantissa, exponent): (i64, i32)| {
                i128::from(mantissa) * 10_i128.pow(u32::try_from(exponent + 9).unwrap())
            };
            let (text_a, text_b) = (text(a), text(b));
            let (x, y) = (Number::parse(&text_a).unwrap(), Number::parse(&text_b).unwrap());
            let begins = x.digits.starts_with(&*y.digits) || y.digits.starts_with(&*x.digits);
            let is_flawed = a.0 < 0 && b.0 < 0 && x.magnitude == y.magnitude && begins && x.digits != y.digits;
            let expected = scaled(a).cmp(&scaled(b));
            let expected = if is_flawed { expected.reverse() } else { expected };
            prop_assert_eq!(raw(&text_a).cmp(&raw(&text_b)), expected);
        }
    }
}
