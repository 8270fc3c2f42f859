//! The checksum of RDB files and payloads.
//!
//! Source: `docs/format/rdb.md`, section 1.1.

/// The polynomial `ad93d23594c935a9`, reflected.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// Bytes that are taken at once.
const SLICE_LEN: usize = 8;

/// For each byte what it does to the checksum if so many bytes follow in the slice.
const TABLES: [[u64; 256]; SLICE_LEN] = tables();

#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "evaluated while compiling")]
const fn tables() -> [[u64; 256]; SLICE_LEN] {
    let mut tables = [[0; 256]; SLICE_LEN];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICE_LEN {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[slice - 1][byte];
            tables[slice][byte] = tables[0][(crc & 0xff) as usize] ^ (crc >> 8);
            byte += 1;
        }
        slice += 1;
    }
    tables
}

/// CRC-64/Redis of bytes that come in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crc64(u64);

impl Crc64 {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let (slices, rest) = bytes.as_chunks::<SLICE_LEN>();
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
        let mut crc = self.0;
        for slice in slices {
            let [a, b, c, d, e, f, g, h] = (crc ^ u64::from_le_bytes(*slice)).to_le_bytes();
            crc = at(t7, a) ^ at(t6, b) ^ at(t5, c) ^ at(t4, d) ^ at(t3, e) ^ at(t2, f) ^ at(t1, g) ^ at(t0, h);
        }
        for byte in rest {
            let [low, ..] = crc.to_le_bytes();
            crc = at(t0, low ^ byte) ^ (crc >> 8);
        }
        self.0 = crc;
    }

    /// The checksum of all bytes so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
fn at(table: &[u64; 256], byte: u8) -> u64 {
    table[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> u64 {
        let mut crc = Crc64::default();
        crc.update(bytes);
        crc.value()
    }

    #[test]
    fn check_value_is_that_of_redis() {
        assert_eq!(of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(of(b""), 0);
    }

    #[test]
    fn pieces_of_any_length_have_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..100_u8).map(|n| n.wrapping_mul(37)).collect();
        for cut in 0..bytes.len() {
            let mut crc = Crc64::default();
            crc.update(&bytes[..cut]);
            crc.update(&bytes[cut..]);
            assert_eq!(crc.value(), of(&bytes), "{cut}");
        }
    }
}
