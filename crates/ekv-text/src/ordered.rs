//! Names in keys, as *segments*: every byte `00` becomes `00 FF`, and `00 01` ends the name. Thus keys sort like the names, and no segment
//! begins with another.

/// Ends a segment.
const TERMINATOR: [u8; 2] = [0x00, 0x01];
/// Stands for a byte `00`.
const ESCAPED_ZERO: [u8; 2] = [0x00, 0xff];

/// Appends the segment of a name.
pub fn push_segment(name: &[u8], out: &mut Vec<u8>) {
    push_segment_beginning(name, out);
    out.extend_from_slice(&TERMINATOR);
}

/// Appends what the segments of all names begin with that begin with `beginning`.
pub fn push_segment_beginning(beginning: &[u8], out: &mut Vec<u8>) {
    for byte in beginning {
        match byte {
            0 => out.extend_from_slice(&ESCAPED_ZERO),
            _ => out.push(*byte),
        }
    }
}

/// Splits a segment off: the segment with its terminator, and the rest; `None` if no segment is there.
pub fn split_segment(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (escaped, _) = split_ended(rest, TERMINATOR)?;
    rest.split_at_checked(escaped.len().saturating_add(TERMINATOR.len()))
}

/// As [`split_segment`], of segments with another terminator, which is not among the segment.
pub fn split_ended(rest: &[u8], end: [u8; 2]) -> Option<(&[u8], &[u8])> {
    let mut at = 0_usize;
    loop {
        let zero = rest.get(at..)?.iter().position(|byte| *byte == 0)?;
        let start = at.saturating_add(zero);
        let after = start.saturating_add(end.len());
        match rest.get(start..after)? {
            pair if pair == end => return Some((rest.get(..start)?, rest.get(after..)?)),
            pair if pair == ESCAPED_ZERO => at = after,
            _ => return None,
        }
    }
}

/// The name that a whole segment stands for.
pub fn unescape(segment: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(segment.len());
    let mut rest = segment.strip_suffix(&TERMINATOR).unwrap_or(segment);
    while let Some((&byte, tail)) = rest.split_first() {
        name.push(byte);
        rest = if byte == 0 { tail.get(1..).unwrap_or_default() } else { tail };
    }
    name
}

/// Length of the common prefix of two byte strings.
pub fn common_prefix_len(a: &[u8], b: &[u8]) -> usize {
    let mut len = 0_usize;
    for (x, y) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            let equal_bytes = usize::try_from(difference.trailing_zeros() / u8::BITS).unwrap_or(0);
            return len.saturating_add(equal_bytes);
        }
        len = len.saturating_add(8);
    }
    let rest = a.get(len..).unwrap_or(&[]).iter().zip(b.get(len..).unwrap_or(&[]));
    len.saturating_add(rest.take_while(|(x, y)| x == y).count())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn common_prefix_is_the_longest_one(a in prop::collection::vec(0_u8..3, 0..40), b in prop::collection::vec(0_u8..3, 0..40)) {
            let n = common_prefix_len(&a, &b);
            prop_assert_eq!(&a[..n], &b[..n]);
            prop_assert!(n == a.len() || n == b.len() || a[n] != b[n]);
        }

        #[test]
        fn common_prefix_of_what_begins_alike_is_found_at_any_length(
            front in prop::collection::vec(any::<u8>(), 0..40),
            a in prop::collection::vec(any::<u8>(), 0..20),
            b in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let rest = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
            let whole = common_prefix_len(&[&front[..], &a].concat(), &[&front[..], &b].concat());
            prop_assert_eq!(whole, front.len() + rest);
        }
    }
}
