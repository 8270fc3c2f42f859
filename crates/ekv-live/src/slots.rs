//! Slots of a cluster: which keys live together.

use std::sync::OnceLock;

/// Slots of every cluster.
pub const SLOTS: u16 = 16384;

/// CRC-16/XMODEM of each byte.
const CRC_TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        #[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "there is no other way at compile time")]
        {
            table[byte as usize] = crc;
        }
        byte += 1;
    }
    table
};

/// CRC-16/XMODEM. Check value of `123456789`: 31c3.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        let [high, _] = crc.to_be_bytes();
        (crc << 8) ^ CRC_TABLE.get(usize::from(high ^ byte)).copied().unwrap_or_default()
    })
}

/// What of a key decides where it lives: the text between the first `{` and the next `}` if there is any, else all of it.
fn hashed(key: &[u8]) -> &[u8] {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open.saturating_add(1)..)?;
        rest.get(..rest.iter().position(|byte| *byte == b'}')?)
    });
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

/// The slot of a key.
pub fn slot(key: &[u8]) -> u16 {
    crc16(hashed(key)) % SLOTS
}

/// A short text that, as a tag, puts any name into a slot: `{text}`.
pub fn tag(slot: u16) -> String {
    /// A number for each slot; its text is the tag.
    static TAGS: OnceLock<Vec<u32>> = OnceLock::new();
    text(TAGS.get_or_init(tags).get(usize::from(slot)).copied().unwrap_or_default())
}

fn tags() -> Vec<u32> {
    let mut tags = vec![None; usize::from(SLOTS)];
    let mut missing = tags.len();
    for number in 0_u32.. {
        let tag = tags.get_mut(usize::from(crc16(text(number).as_bytes()) % SLOTS));
        if let Some(free) = tag.filter(|tag| tag.is_none()) {
            *free = Some(number);
            missing = missing.saturating_sub(1);
        }
        if missing == 0 {
            break;
        }
    }
    tags.into_iter().flatten().collect()
}

fn text(number: u32) -> String {
    format!("{number:x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b""), 0);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        for (key, tag) in [
            (&b"foo{}{bar}"[..], &b"foo{}{bar}"[..]),
            (b"foo{{bar}}zap", b"{bar"),
            (b"foo{bar}{zap}", b"bar"),
            (b"}{", b"}{"),
            (b"a}b{c}d", b"c"),
        ] {
            assert_eq!(hashed(key), tag);
        }
    }

    #[test]
    fn every_slot_has_a_tag_that_puts_any_name_there() {
        for number in 0..SLOTS {
            assert_eq!(slot(format!("ekv-load:{{{}}}:run:7", tag(number)).as_bytes()), number);
        }
    }
}
