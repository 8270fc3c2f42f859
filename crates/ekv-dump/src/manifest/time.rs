//! Times of a manifest.

use ekv_text::time::parse_rfc3339;
use jiff::Timestamp;

use super::ManifestError;
use super::error::shown;

/// The text of `wall_time_iso`: UTC, up to nanoseconds, trailing zeros of the fraction removed, `Z`.
///
/// Source: `docs/format/tree.md`, section 6, row 7.
pub fn format_wall_time(time: Timestamp) -> String {
    time.to_string()
}

/// Reads the text of `wall_time_iso`.
pub(super) fn parse_wall_time(text: &str) -> Result<Timestamp, ManifestError> {
    parse_rfc3339(text).ok_or_else(|| ManifestError::WallTime { found: shown(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_have_no_trailing_zeros() {
        let texts = [
            (1_795_362_307, 17_141_572, "2026-11-22T15:45:07.017141572Z"),
            (1_795_362_307, 500_000_000, "2026-11-22T15:45:07.5Z"),
            (1_795_362_307, 0, "2026-11-22T15:45:07Z"),
        ];
        for (second, nanosecond, text) in texts {
            let time = Timestamp::new(second, nanosecond).unwrap();
            assert_eq!(format_wall_time(time), text);
            assert_eq!(parse_rfc3339(text).unwrap(), time);
        }
    }

    #[test]
    fn offsets_are_accepted_and_other_notations_refused() {
        let time = parse_rfc3339("2026-11-22T15:45:07Z").unwrap();
        assert_eq!(parse_rfc3339("2026-11-22T17:15:07.000+01:30").unwrap(), time);
        assert_eq!(parse_rfc3339("2026-11-22T15:45:07-00:00").unwrap(), time);
        let bad = [
            "",
            "now",
            "2026-11-22",
            "2026-11-22T15:45:07",
            "2026-11-22 15:45:07Z",
            "2026-11-22t15:45:07z",
            "2026-11-22T15:45Z",
            "2026-11-22T15:45:07.Z",
            "2026-11-22T15:45:07,5Z",
            "2026-11-22T15:45:07+0100",
            "2026-11-22T15:45:07+01",
            "2026-11-22T15:45:07Z[UTC]",
            "2026-13-22T15:45:07Z",
            "2026-11-31T15:45:07Z",
            "2026-11-22T24:45:07Z",
            " 2026-11-22T15:45:07Z",
            "2026-11-22T15:45:07Zé",
            "2026-11-22T15:45:0é",
        ];
        for text in bad {
            assert!(parse_wall_time(text).is_err(), "{text}");
        }
    }
}
