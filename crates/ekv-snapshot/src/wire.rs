//! The steps of the Protocol Buffers wire format that all readers and writers share.

/// Largest number of a field.
const FIELD_NUMBER_MAX: u64 = 0x1fff_ffff;

/// Reads a varint byte by byte; `None` if it has more than 64 bits.
///
/// # Errors
/// The first error of `next`.
pub fn read_varint<E>(mut next: impl FnMut() -> Result<u8, E>) -> Result<Option<u64>, E> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = next()?;
        if shift == 63 && byte > 1 {
            return Ok(None);
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The number of a field and its wire type; `None` if no field has such a number.
pub fn split_tag(tag: u64) -> Option<(u64, u64)> {
    let number = tag >> 3;
    (1..=FIELD_NUMBER_MAX).contains(&number).then_some((number, tag & 7))
}

/// Appends a varint in its shortest form.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<u64>, &'static str> {
        let mut bytes = bytes.iter().copied();
        read_varint(|| bytes.next().ok_or("cut"))
    }

    #[test]
    fn varints_of_every_length_come_back() {
        for value in (0..64).map(|bit| 1_u64 << bit).flat_map(|power| [power - 1, power]).chain([u64::MAX]) {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            assert_eq!(read(&out), Ok(Some(value)));
            assert_eq!(read(&out[..out.len() - 1]), Err("cut"));
        }
    }

    #[test]
    fn varints_beyond_64_bits_are_none() {
        assert_eq!(read(&[0xff; 11]), Ok(None));
        assert_eq!(read(&[&[0xff; 9][..], &[2]].concat()), Ok(None));
        assert_eq!(read(&[&[0x80; 9][..], &[0x81, 0]].concat()), Ok(None));
    }

    #[test]
    fn tags_have_a_number_from_1_to_29_bits() {
        assert_eq!(split_tag(0x0a), Some((1, 2)));
        assert_eq!(split_tag(0x1fff_ffff << 3 | 5), Some((0x1fff_ffff, 5)));
        assert_eq!((split_tag(7), split_tag(0x2000_0000 << 3)), (None, None));
    }
}
