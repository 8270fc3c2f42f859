//! Times: RFC 3339, and timestamps (HLC) as buckets and objects show them. Source: `docs/format/s3.md`, sections 4.2 and 6.

use jiff::Timestamp;

/// Bits of a timestamp (HLC) below its milliseconds.
const COUNTER_BITS: u32 = 16;
const MS_PER_DAY: u64 = 86_400_000;
/// After these years the calendar repeats.
const CYCLE_YEARS: u64 = 400;
const CYCLE_DAYS: u64 = 146_097;

/// A timestamp (HLC) as RFC 3339 in UTC, to the millisecond, without trailing zeros in the fraction; empty for 0, which means unknown.
///
/// Years above 9999 have five digits.
pub fn format_hlc(hlc: u64) -> String {
    if hlc == 0 {
        return String::new();
    }
    let unix_ms = hlc >> COUNTER_BITS;
    let (year, month, day) = date(unix_ms / MS_PER_DAY);
    let ms_of_day = unix_ms % MS_PER_DAY;
    let (hour, minute, second) = (ms_of_day / 3_600_000, ms_of_day / 60_000 % 60, ms_of_day / 1000 % 60);
    let fraction = match ms_of_day % 1000 {
        0 => String::new(),
        ms => format!(".{ms:03}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
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
    let unix_ms = u64::try_from(time.as_millisecond()).ok()?.checked_add(cycles * CYCLE_DAYS * MS_PER_DAY)?;
    match unix_ms {
        0 => Some(1),
        _ if unix_ms > u64::MAX >> COUNTER_BITS => None,
        _ => Some(unix_ms << COUNTER_BITS),
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is the last one: 153 days in every five months from March.
fn date(unix_day: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    let day = unix_day.saturating_add(DAYS_TO_1970);
    let (era, day_of_era) = (day / CYCLE_DAYS, day % CYCLE_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era.saturating_mul(CYCLE_YEARS) + year_of_era + u64::from(month <= 2);
    (year, month, day_of_month)
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

    #[test]
    fn dates_agree_with_another_calendar_on_every_day_to_the_year_9999() {
        let mut expected = jiff::civil::date(1970, 1, 1);
        for day in 0.. {
            let found = date(day);
            assert_eq!(
                found,
                (
                    u64::try_from(expected.year()).unwrap(),
                    u64::try_from(expected.month()).unwrap(),
                    u64::try_from(expected.day()).unwrap(),
                )
            );
            match expected.tomorrow() {
                Ok(tomorrow) => expected = tomorrow,
                Err(_) => break,
            }
        }
    }
}
