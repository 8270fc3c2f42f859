//! JSON objects as servers store them: compact, `<`, `>` and `&` escaped.
//!
//! Source: `docs/format/sqs.md`, sections 2 and 6.

use ekv_text::json::{EscapeMode, ObjectText, Style};

/// Begins an object at the end of `out`.
pub(crate) fn begin_object(out: &mut Vec<u8>) -> ObjectText<'_> {
    ObjectText::begin(Style::Compact, EscapeMode::Html, out)
}

/// Appends JSON text with the characters escaped that servers escape; they can stand in strings only.
pub(crate) fn push_stored(json: &[u8], out: &mut Vec<u8>) {
    let mut rest = json;
    while let Some((byte, after)) = rest.split_first() {
        let (escape, len): (&[u8], _) = match rest {
            [b'<', ..] => (b"\\u003c", 1),
            [b'>', ..] => (b"\\u003e", 1),
            [b'&', ..] => (b"\\u0026", 1),
            [0xe2, 0x80, 0xa8, ..] => (b"\\u2028", 3),
            [0xe2, 0x80, 0xa9, ..] => (b"\\u2029", 3),
            _ => {
                out.push(*byte);
                rest = after;
                continue;
            }
        };
        out.extend_from_slice(escape);
        rest = rest.get(len..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_text_keeps_all_bytes_but_the_escaped_ones() {
        let mut out = Vec::new();
        push_stored(b"[\"<>&\xff\\u003c\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\"]", &mut out);
        assert_eq!(out, b"[\"\\u003c\\u003e\\u0026\xff\\u003c\\u2028\\u2029\xe2\x80\"]");
    }
}
