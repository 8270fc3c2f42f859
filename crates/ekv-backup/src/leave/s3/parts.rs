//! In how many pieces an object goes.

/// Longest object that goes in one request, in bytes.
pub(crate) const ONE_PUT_LEN_MAX: u64 = 64 << 20;
/// Length of a part, in bytes: as short as this if that makes few enough of them.
const PART_LEN_MIN: u64 = 16 << 20;
/// Longest part, in bytes: a part is held in memory, so that it can be sent again.
const PART_LEN_MAX: u64 = 64 << 20;
/// How many parts there are to be at most, as long as they need not be longer for that.
const PARTS_WANTED: u64 = 9_000;
/// Longest object, in bytes: of as many parts as the service takes.
pub(crate) const OBJECT_LEN_MAX: u64 = PART_LEN_MAX * 10_000;

/// Length of the parts, but the last, of an object of `len` bytes; all of it if it goes in one piece.
pub(crate) fn part_len(len: u64) -> u64 {
    match len {
        0..=ONE_PUT_LEN_MAX => len,
        _ => len.div_ceil(PARTS_WANTED).clamp(PART_LEN_MIN, PART_LEN_MAX),
    }
}

#[cfg(test)]
mod tests {
    use ekv_aws::s3::{PART_LEN_MIN as SERVICE_PART_LEN_MIN, PARTS_MAX};

    use super::*;

    #[test]
    fn every_object_that_may_go_has_parts_that_the_service_takes() {
        const GIB: u64 = 1 << 30;
        for (len, part) in [
            (0, 0),
            (ONE_PUT_LEN_MAX, ONE_PUT_LEN_MAX),
            (ONE_PUT_LEN_MAX + 1, PART_LEN_MIN),
            (5 * GIB, PART_LEN_MIN),
            (300 * GIB, (300 * GIB).div_ceil(9_000)),
            (OBJECT_LEN_MAX, PART_LEN_MAX),
        ] {
            assert_eq!(part_len(len), part, "{len}");
            let is_fine =
                len <= ONE_PUT_LEN_MAX || (part >= SERVICE_PART_LEN_MIN && len.div_ceil(part) <= PARTS_MAX.into());
            assert!(is_fine, "{len}");
        }
        assert_eq!(OBJECT_LEN_MAX, 625 * GIB);
        assert_eq!(OBJECT_LEN_MAX / PART_LEN_MAX, u64::from(PARTS_MAX));
    }
}
