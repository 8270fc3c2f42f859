//! Texts of numbers. Source: `docs/format/dynamodb.md`, section 2.2.

use std::borrow::Cow;

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// It does not have the form `[+-]digits[.digits][e[+-]digits]`.
    Form,
    /// Its exponent or its magnitude has more than 64 bits.
    Range,
}

impl std::fmt::Display for NumberError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NumberError::Form => "the text is no decimal number",
            NumberError::Range => "the exponent of the number is out of range",
        })
    }
}

impl std::error::Error for NumberError {}

/// An exact decimal number: `0.<digits> x 10^magnitude`, never expanded.
///
/// Equal numbers have equal `is_negative`, `digits` and `magnitude`, however they are written.
///
/// ```
/// use ekv_model::dynamodb::Number;
///
/// let number = Number::parse(" -1.50 ")?;
/// assert_eq!((number.is_negative, &*number.digits, number.magnitude), (true, "15", 1));
/// assert_eq!(Number::parse("15e-1")?.digits, Number::parse("1.5")?.digits);
/// # Ok::<(), ekv_model::dynamodb::NumberError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number<'a> {
    /// Below zero; false for every zero.
    pub is_negative: bool,
    /// Digits without zeros at either end; empty for zero.
    pub digits: Cow<'a, str>,
    /// Power of ten of the first digit, plus one; 0 for zero.
    pub magnitude: i64,
    /// Exponent as written minus the digits behind the point: how far the text is from an integer.
    pub written_scale: i128,
    /// Whether white space stands around the exponent, which only ordered keys allow.
    pub has_inner_space: bool,
}

impl<'a> Number<'a> {
    /// Reads a text, with white space around it.
    ///
    /// # Errors
    /// [`NumberError`] if the server refuses the text in an ordered key.
    pub fn parse(text: &'a str) -> Result<Self, NumberError> {
        let text = text.trim();
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, written_exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (integer.is_empty() && fraction.is_empty()) || !is_digits(integer) || !is_digits(fraction) {
            return Err(NumberError::Form);
        }
        let exponent_text = written_exponent.map(str::trim);
        let exponent = exponent_text.map_or(Ok(0), parse_exponent)?;
        let has_inner_space = exponent_text.is_some_and(|trimmed| written_exponent != Some(trimmed));
        let written_scale = i128::from(exponent) - wide(fraction.len());
        let significant_fraction = fraction.trim_end_matches('0');
        let digits = if integer.bytes().all(|byte| byte == b'0') {
            Cow::Borrowed(significant_fraction.trim_start_matches('0'))
        } else if significant_fraction.is_empty() {
            Cow::Borrowed(integer.trim_matches('0'))
        } else {
            Cow::Owned([integer.trim_start_matches('0'), significant_fraction].concat())
        };
        if digits.is_empty() {
            return Ok(Number { is_negative: false, digits, magnitude: 0, written_scale, has_inner_space });
        }
        let all_digits = integer.bytes().chain(fraction.bytes());
        let leading_zeros = all_digits.take_while(|byte| *byte == b'0').count();
        let magnitude = wide(integer.len()) + i128::from(exponent) - wide(leading_zeros);
        let magnitude = i64::try_from(magnitude).map_err(|_| NumberError::Range)?;
        Ok(Number { is_negative, digits, magnitude, written_scale, has_inner_space })
    }

    /// Power of ten of the last digit; 0 for zero.
    pub fn scale(&self) -> i128 {
        i128::from(self.magnitude) - wide(self.digits.len())
    }

    /// The shortest text of the number: plain up to 40 digits, `1.5e300` beyond.
    ///
    /// ```
    /// use ekv_model::dynamodb::Number;
    /// let shortest = |text| Number::parse(text).map(|number| number.shortest());
    /// assert_eq!(shortest("+017.50")?, "17.5");
    /// assert_eq!(shortest("-5e-2")?, "-0.05");
    /// assert_eq!(shortest("1500e298")?, "1.5e301");
    /// # Ok::<(), ekv_model::dynamodb::NumberError>(())
    /// ```
    pub fn shortest(&self) -> String {
        const PLAIN_LEN_MAX: usize = 40;
        let sign = if self.is_negative { "-" } else { "" };
        let digits = &*self.digits;
        let zeros = |count: usize| "0".repeat(count);
        let len = digits.len();
        match usize::try_from(self.magnitude.unsigned_abs()).unwrap_or(usize::MAX) {
            _ if digits.is_empty() => "0".to_owned(),
            whole if self.magnitude > 0 && whole <= PLAIN_LEN_MAX => match digits.split_at_checked(whole) {
                Some((integer, "")) => format!("{sign}{integer}"),
                Some((integer, fraction)) => format!("{sign}{integer}.{fraction}"),
                None => format!("{sign}{digits}{}", zeros(whole.saturating_sub(len))),
            },
            below if self.magnitude <= 0 && below.saturating_add(len) <= PLAIN_LEN_MAX => {
                format!("{sign}0.{}{digits}", zeros(below))
            }
            _ => {
                let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
                let point = if rest.is_empty() { "" } else { "." };
                format!("{sign}{first}{point}{rest}e{}", i128::from(self.magnitude) - 1)
            }
        }
    }
}

fn parse_exponent(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::Form);
    }
    text.parse().map_err(|_| NumberError::Range)
}

fn wide(len: usize) -> i128 {
    i128::try_from(len).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, String, i64) {
        let number = Number::parse(text).unwrap();
        (number.is_negative, number.digits.into_owned(), number.magnitude)
    }

    #[test]
    fn equal_numbers_have_equal_parts_however_they_are_written() {
        for (expected, texts) in [
            ((false, "1", 1), &["1", "1.0", "10e-1", "+1", "01.", " 1\t", "\u{a0}1\u{2003}", "0.1E+1", "1e 0 "][..]),
            ((true, "15", 1), &["-1.5", "-15e-1", "-001.500", "-.15e1"]),
            ((false, "", 0), &["0", "-0", "0.0", "0e99", "+.0", "-0.e-99", "000"]),
            ((false, "1", -129), &["1e-130", "0.1e-129"]),
            ((false, "5", 0), &[".5", "0.5", "5e-1", "0.50"]),
            ((false, "5", 1), &["5.", "5", "0.05e2"]),
            ((false, "101", 3), &["101", "101.00", "1010e-1"]),
            ((false, "1", 2_000_001), &["1e2000000"]),
        ] {
            for text in texts {
                assert_eq!(parts(text), (expected.0, expected.1.to_owned(), expected.2), "{text}");
            }
        }
    }

    #[test]
    fn texts_that_the_server_refuses_are_no_numbers() {
        for text in [
            "", " ", "+", "-", ".", "--1", "+-1", "- 1", "1 2", "1e", "e1", "1e1.0", "1e1e1", "1..2", "1.2.3", "0x10",
            "1_000", "1/3", "1p3", "NaN", "inf", "\u{ff11}", "1e1_0", "abc",
        ] {
            assert_eq!(Number::parse(text), Err(NumberError::Form), "{text}");
        }
        for text in
            ["1e9223372036854775808", "1e-9223372036854775809", "10e9223372036854775807", "0.01e-9223372036854775808"]
        {
            assert_eq!(Number::parse(text), Err(NumberError::Range), "{text}");
        }
        assert_eq!(parts("1e9223372036854775806"), (false, "1".to_owned(), i64::MAX));
    }

    #[test]
    fn scales_tell_how_the_number_is_written_and_what_it_is() {
        let scales = |text| Number::parse(text).map(|n| (n.written_scale, n.scale(), n.has_inner_space)).unwrap();
        assert_eq!(scales("1.50"), (-2, -1, false));
        assert_eq!(scales("1500e-4"), (-4, -2, false));
        assert_eq!(scales("15e3"), (3, 3, false));
        assert_eq!(scales("1e 3"), (3, 3, true));
        assert_eq!(scales("1e3 "), (3, 3, false));
        assert_eq!(scales("0e7"), (7, 0, false));
    }
}
