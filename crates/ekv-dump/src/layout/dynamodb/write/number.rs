//! Numbers in file names: exact, reduced. Source: `docs/format/dynamodb.md`, section 4.1.

use std::borrow::Cow;

use ekv_model::dynamodb::Number;

use crate::segment::SEGMENT_LEN_MAX;

/// How far from an integer a text may be written (its exponent minus the digits behind its point) to be expanded at all.
const SCALE_MAX: u128 = 1_000_000;
/// The same where the expanded text does not fit a segment, and is only hashed.
const LONG_SCALE_MAX: u128 = 1_000;
/// Bytes of a segment that `/` takes.
const ESCAPED_SLASH_LEN: usize = 3;

/// The text under which a number is filed: the reduced fraction, as far as it is expanded; otherwise the text without the white space
/// around it.
///
/// Cost: a small multiple of the length of `text`, and less than 2 KiB.
pub(super) fn canonical(text: &str) -> Cow<'_, str> {
    let trimmed = Cow::Borrowed(text.trim());
    let Ok(number) = Number::parse(text) else { return trimmed };
    let scale = number.written_scale.unsigned_abs();
    if number.has_inner_space || scale > SCALE_MAX {
        return trimmed;
    }
    let expanded = expand(&number, scale <= LONG_SCALE_MAX);
    expanded.map_or(trimmed, Cow::Owned)
}

/// Whether the reference decoder expands a text that [`canonical`] leaves as it is.
pub(super) fn is_expanded_elsewhere(text: &str) -> bool {
    Number::parse(text).is_ok_and(|number| {
        let scale = number.written_scale.unsigned_abs();
        let is_in_range = scale > LONG_SCALE_MAX && scale <= SCALE_MAX && !number.has_inner_space;
        is_in_range && expand(&number, false).is_none()
    })
}

/// The number as `n` or `n/d`; `None` if it would be longer than a segment and may not be.
fn expand(number: &Number<'_>, may_be_long: bool) -> Option<String> {
    if number.digits.is_empty() {
        return Some("0".to_owned());
    }
    let fits = |len: usize| may_be_long || len <= SEGMENT_LEN_MAX;
    let mut text = String::from(if number.is_negative { "-" } else { "" });
    if let Ok(zeros) = usize::try_from(number.scale()) {
        if !fits(text.len().saturating_add(number.digits.len()).saturating_add(zeros)) {
            return None;
        }
        text.push_str(&number.digits);
        text.extend(std::iter::repeat_n('0', zeros));
        return Some(text);
    }
    // A denominator of ten to the power of `places` keeps at least two to that power, which has more than `places / 4` digits.
    let places = usize::try_from(number.scale().unsigned_abs()).ok()?;
    if !fits(number.digits.len()) || !fits(places / 4) {
        return None;
    }
    // The last digit is not zero, so that the numerator has no factor 10: only twos or only fives can be taken away.
    let mut numerator = Natural::parse(&number.digits);
    let twos = numerator.divide_out(2, places);
    let fives = numerator.divide_out(5, places);
    let mut denominator = Natural::one();
    denominator.multiply_by_power(2, places - twos);
    denominator.multiply_by_power(5, places - fives);
    numerator.push_to(&mut text);
    let numerator_len = text.len();
    text.push('/');
    denominator.push_to(&mut text);
    let denominator_len = text.len() - numerator_len - 1;
    fits(numerator_len + ESCAPED_SLASH_LEN + denominator_len).then_some(text)
}

/// Decimal digits of one limb, and the value after its largest.
const LIMB_DIGITS: usize = 9;
const LIMB_BASE: u64 = 1_000_000_000;

/// A natural number above zero, least significant limb first.
struct Natural(Vec<u64>);

impl Natural {
    fn one() -> Self {
        Natural(vec![1])
    }

    /// Reads digits without a leading zero.
    fn parse(digits: &str) -> Self {
        let limb = |chunk: &[u8]| chunk.iter().fold(0, |limb, digit| limb * 10 + u64::from(digit.wrapping_sub(b'0')));
        Natural(digits.as_bytes().rchunks(LIMB_DIGITS).map(limb).collect())
    }

    /// Takes away as many factors `prime` as there are, at most `most`; returns how many.
    fn divide_out(&mut self, prime: u64, most: usize) -> usize {
        // The largest power that divides the base of a limb shows in the lowest limb alone.
        let mut taken = 0;
        while taken < most {
            let lowest = self.0.first().copied().unwrap_or(1);
            let (mut factor, mut count) = (1, 0);
            while count < LIMB_DIGITS && taken + count < most && lowest % (factor * prime) == 0 {
                factor *= prime;
                count += 1;
            }
            if count == 0 {
                break;
            }
            self.divide(factor);
            taken += count;
        }
        taken
    }

    /// Divides by a factor of the number that is below the base.
    fn divide(&mut self, factor: u64) {
        let mut rest = 0;
        for limb in self.0.iter_mut().rev() {
            let value = rest * LIMB_BASE + *limb;
            *limb = value / factor;
            rest = value % factor;
        }
        while self.0.len() > 1 && self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn multiply_by_power(&mut self, prime: u64, exponent: usize) {
        for _ in 0..exponent {
            let mut carry = 0;
            for limb in &mut self.0 {
                let value = *limb * prime + carry;
                *limb = value % LIMB_BASE;
                carry = value / LIMB_BASE;
            }
            if carry > 0 {
                self.0.push(carry);
            }
        }
    }

    fn push_to(&self, text: &mut String) {
        for (i, limb) in self.0.iter().rev().enumerate() {
            text.push_str(&if i == 0 { limb.to_string() } else { format!("{limb:0LIMB_DIGITS$}") });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_lose_their_exponent_and_fractions_are_reduced() {
        for (text, expected) in [
            ("1", "1"),
            ("1.0", "1"),
            ("-0", "0"),
            ("0.000", "0"),
            ("007", "7"),
            (" 7 ", "7"),
            ("+8", "8"),
            ("5.", "5"),
            (".5", "1/2"),
            ("5e-1", "1/2"),
            ("-1.5", "-3/2"),
            ("-3.50", "-7/2"),
            ("1e3", "1000"),
            ("1.25e1", "25/2"),
            ("0.125", "1/8"),
            ("0.2", "1/5"),
            ("0.000064", "1/15625"),
            ("1e10", "10000000000"),
            ("0.3", "3/10"),
            ("0e999", "0"),
            ("123456789012345678901234567890.5", "246913578024691357802469135781/2"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
        assert_eq!(canonical("1e-130"), format!("1/1{}", "0".repeat(130)));
    }

    #[test]
    fn texts_that_are_no_numbers_stay_without_the_space_around_them() {
        for text in ["", "abc", "--1", "1e", "0x10", "0b11", "1_000", "1/3", "1p3", "1e 5", "1e9223372036854775808"] {
            assert_eq!(canonical(&format!(" {text}\t")), text);
        }
    }

    #[test]
    fn long_texts_are_expanded_up_to_a_thousand_places_and_short_ones_up_to_a_million() {
        assert_eq!(canonical("1e400").len(), 401);
        assert_eq!(canonical("1e1000").len(), 1001);
        assert_eq!(canonical("1e-1000").len(), 1003);
        for text in ["1e1001", "1e-1001", "1e1000000", "1e1000001", "1e2000000", "0e1000001"] {
            assert_eq!(canonical(text), text);
        }
        let zeros = |count| "0".repeat(count);
        assert_eq!(canonical(&format!("1{}e-1001", zeros(1001))), "1");
        assert_eq!(canonical(&format!("1.{}", zeros(5000))), "1");
        assert_eq!(canonical(&format!("0.{}5e5001", zeros(5000))), "5");
        assert_eq!(canonical("0e1000000"), "0");
        // 2^-k has k decimal places: as a fraction it is short long after its decimal text is not.
        let power = |exponent: usize| {
            let mut five = Natural::one();
            five.multiply_by_power(5, exponent);
            let mut digits = String::new();
            five.push_to(&mut digits);
            format!("{digits}e-{exponent}")
        };
        assert_eq!(canonical(&power(10)), "1/1024");
        assert!(canonical(&power(700)).starts_with("1/5260135901"));
        assert_eq!(canonical(&power(1001)), power(1001));
    }

    #[test]
    fn a_hundred_thousand_numbers_with_huge_exponents_are_not_expanded() {
        for exponent in 900_000..1_000_000 {
            let text = format!("1e{exponent}");
            assert_eq!(canonical(&text), text);
        }
    }

    proptest! {
        #[test]
        fn fractions_equal_those_of_machine_arithmetic(mantissa in -99_999_999_i64..100_000_000, places in 0_u32..15) {
            let (mut n, mut d) = (i128::from(mantissa), 10_i128.pow(places));
            for prime in [2, 5] {
                while n % prime == 0 && d % prime == 0 {
                    (n, d) = (n / prime, d / prime);
                }
            }
            let expected = if d == 1 { n.to_string() } else { format!("{n}/{d}") };
            for text in [format!("{mantissa}e-{places}"), format!("{mantissa}000000000000e-{}", places + 12)] {
                prop_assert_eq!(canonical(&text), expected.as_str());
            }
        }
    }
}
