//! Times of buckets and objects. Source: `docs/format/s3.md`, section 4.2.

/// Bits of a timestamp (HLC) below its milliseconds.
const COUNTER_BITS: u32 = 16;
const MS_PER_DAY: u64 = 86_400_000;

/// A timestamp (HLC) as RFC 3339 in UTC, to the millisecond, without trailing zeros in the fraction; empty for 0, which means unknown.
///
/// Years above 9999 have five digits.
pub(super) fn format_hlc(hlc: u64) -> String {
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

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is the last one: 153 days in every five months from March.
fn date(unix_day: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let day = unix_day.saturating_add(DAYS_TO_1970);
    let (era, day_of_era) = (day / DAYS_IN_400_YEARS, day % DAYS_IN_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era.saturating_mul(400) + year_of_era + u64::from(month <= 2);
    (year, month, day_of_month)
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
