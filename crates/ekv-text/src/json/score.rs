//! Scores of sorted sets.

use std::io::Write as _;

/// Appends a score: a number with the fewest digits that read back to the same double, or `"+inf"`, `"-inf"`, `"nan"` in quotes.
///
/// Plain decimal from 1e-6 to below 1e21, otherwise `d.ddde±x`; zero keeps its sign. Source: `docs/format/redis.md`, section 6.3.
pub fn push_score(score: f64, out: &mut Vec<u8>) {
    let text = if score.is_nan() {
        "\"nan\""
    } else if score == f64::INFINITY {
        "\"+inf\""
    } else if score == f64::NEG_INFINITY {
        "\"-inf\""
    } else {
        return push_number(score, out);
    };
    out.extend_from_slice(text.as_bytes());
}

/// Writing to a vector cannot fail, so the results of `write!` are dropped.
fn push_number(number: f64, out: &mut Vec<u8>) {
    if number == 0.0 || (1e-6..1e21).contains(&number.abs()) {
        let _ = write!(out, "{number}");
        return;
    }
    let start = out.len();
    let _ = write!(out, "{number:e}");
    let exponent = out.iter().skip(start).position(|&byte| byte == b'e').map(|at| start + at + 1);
    if let Some(exponent) = exponent
        && out.get(exponent) != Some(&b'-')
    {
        out.insert(exponent, b'+');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(score: f64) -> String {
        let mut out = b"x".to_vec();
        push_score(score, &mut out);
        String::from_utf8(out).unwrap()[1..].to_owned()
    }

    #[test]
    fn known_scores_have_the_text_of_real_dumps() {
        let known = [
            (10.0, "10"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (0.000001, "0.000001"),
            (0.0000001, "1e-7"),
            (5e-324, "5e-324"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1e21, "-1e+21"),
            (999_999_999_999_999_900_000.0, "999999999999999900000"),
            (1.5e300, "1.5e+300"),
            (1e308, "1e+308"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (1_234_567.125, "1234567.125"),
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.5e-7, "-1.5e-7"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "\"+inf\""),
            (f64::NEG_INFINITY, "\"-inf\""),
            (f64::NAN, "\"nan\""),
            (-f64::NAN, "\"nan\""),
        ];
        for (score, expected) in known {
            assert_eq!(text(score), expected);
        }
    }

    proptest! {
        #[test]
        fn finite_scores_read_back_to_the_same_bits(bits in any::<u64>()) {
            let score = f64::from_bits(bits);
            prop_assume!(score.is_finite());
            prop_assert_eq!(text(score).parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}
