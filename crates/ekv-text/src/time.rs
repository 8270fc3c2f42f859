//! Times: RFC 3339, and timestamps (HLC) as buckets and objects show them. Source: `docs/format/s3.md`, sections 4.2 and 6.

use jiff::Timestamp;

/// Bits of a timestamp (HLC) below its milliseconds.
const COUNTER_BITS: u32 = 16;

/// The Unix milliseconds of a timestamp (HLC).
pub fn hlc_unix_ms(hlc: u64) -> u64 {
    hlc >> COUNTER_BITS
}
/// After these years the calendar repeats.
const CYCLE_YEARS: u64 = 400;
const CYCLE_MS: u64 = 146_097 * 86_400_000;

/// A timestamp (HLC) as RFC 3339 in UTC, to the millisecond, without trailing zeros in the fraction; empty for 0, which means unknown.
///
/// Years above 9999, where the time library ends, have five digits.
pub fn format_hlc(hlc: u64) -> String {
    if hlc == 0 {
        return String::new();
    }
    let in_range = |cycles: u64| {
        let unix_ms = (hlc >> COUNTER_BITS).checked_sub(cycles.checked_mul(CYCLE_MS)?)?;
        Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok().map(|time| (cycles, time.to_string()))
    };
    let Some((cycles, text)) = (0..=3).find_map(in_range) else { return String::new() };
    match text.split_once('-') {
        Some((year, rest)) if cycles > 0 => {
            let year: u64 = year.parse().unwrap_or_default();
            format!("{}-{rest}", year.saturating_add(cycles * CYCLE_YEARS))
        }
        _ => text,
    }
}

/// The timestamp (HLC) of an RFC 3339 time from 1970 on, its counter 0; also of years with five digits. What is finer than a millisecond
/// is cut off. The first millisecond of 1970 gives 1, as 0 means unknown.
pub fn parse_hlc(text: &str) -> Option<u64> {
    let (year, rest) = text.split_at_checked(text.find('-')?)?;
    let (time, cycles) = if year.len() == "10000".len() && !year.starts_with('0') {
        let year: u64 = year.parse().ok().filter(|_| year.bytes().all(|digit| digit.is_ascii_digit()))?;
        let in_range = 2000 + year % CYCLE_YEARS;
        (parse_rfc3339(&format!("{in_range}{rest}"))?, year.saturating_sub(in_range) / CYCLE_YEARS)
    } else {
        (parse_rfc3339(text)?, 0)
    };
    if time < Timestamp::UNIX_EPOCH {
        return None;
    }
    let unix_ms = u64::try_from(time.as_millisecond()).ok()?.checked_add(cycles * CYCLE_MS)?;
    match unix_ms {
        0 => Some(1),
        _ if unix_ms > u64::MAX >> COUNTER_BITS => None,
        _ => Some(unix_ms << COUNTER_BITS),
    }
}

/// Reads `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)` and nothing else that the time library takes.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (date_time, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (offset.len() < fraction.len()).then_some(offset)?
        }
        None => rest,
    };
    let has_offset_form = offset == "Z" || has_form(offset, "+00:00") || has_form(offset, "-00:00");
    if has_form(date_time, "0000-00-00T00:00:00") && has_offset_form { text.parse().ok() } else { None }
}

/// Whether `text` equals `form`, `0` standing for any digit.
fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text
            .bytes()
            .zip(form.bytes())
            .all(|(byte, form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_documented_forms() {
        for (hlc, expected) in [
            (0, ""),
            (1, "1970-01-01T00:00:00Z"),
            (65_535, "1970-01-01T00:00:00Z"),
            (117_660_674_738_946_190, "2026-11-22T14:56:56.793Z"),
            (1_795_359_416_100 << 16, "2026-11-22T14:56:56.1Z"),
            (1_795_359_416_000 << 16, "2026-11-22T14:56:56Z"),
            (1_795_359_416_010 << 16, "2026-11-22T14:56:56.01Z"),
            (u64::MAX, "10889-08-02T05:31:50.655Z"),
        ] {
            assert_eq!(format_hlc(hlc), expected);
        }
    }

    #[test]
    fn written_times_are_read_to_the_millisecond() {
        for hlc in [1, 7 << 16 | 3, 117_660_674_738_946_190, 253_402_300_800_000 << 16, u64::MAX] {
            let parsed = parse_hlc(&format_hlc(hlc)).unwrap();
            assert_eq!(parsed, if hlc == 1 { 1 } else { hlc >> 16 << 16 });
            assert_eq!(format_hlc(parsed), format_hlc(hlc));
        }
        for (text, unix_ms) in [
            ("2026-11-22T16:56:56.793999+02:00", 1_795_359_416_793),
            ("10000-02-29T00:00:00Z", 253_407_398_400_000),
            ("1970-01-01T00:00:00.001Z", 1),
        ] {
            assert_eq!(parse_hlc(text), Some(unix_ms << 16), "{text}");
        }
        for text in [
            "",
            "0",
            "2026-11-22",
            "2026-11-22T14:56:56",
            "2026-02-30T00:00:00Z",
            "1969-12-31T23:59:59.9999Z",
            "10889-08-02T05:31:50.656Z",
            "10001-02-29T00:00:00Z",
            "12000-02-29T00:00:00Z",
            "02026-11-22T14:56:56Z",
            "+2026-11-22T14:56:56Z",
            "1+000-11-22T14:56:56Z",
        ] {
            assert_eq!(parse_hlc(text), None, "{text}");
        }
    }
}
