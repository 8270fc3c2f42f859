//! Many elements in one string: listpack, ziplist, intset, zipmap.
//!
//! Source: `docs/format/rdb.md`, section 1.6.

use ekv_model::Body;

use super::cursor::{Cursor, WINDOW_LEN};
use super::fault::{Fault, Result, Stop};
use super::string::{Slice, push_decimal};
use crate::file_len;
use crate::listpack::{BackLengths, COUNT_UNKNOWN, END, HEADER_LEN, push_back_length};

/// Bytes before the first entry of a ziplist.
const ZIPLIST_HEADER_LEN: u64 = 10;
/// Begins the length of a long entry, and of a long string in a zipmap.
const LONG: u8 = 254;
/// Most bytes behind a text that belong to it.
const BEHIND_LEN_MAX: usize = 255;

/// An element.
pub(super) enum Packed<'p> {
    Integer(i64),
    Text(Body<'p>),
}

impl<'p> Packed<'p> {
    /// As text; a number is written into `decimal`.
    pub(super) fn text(self, decimal: &'p mut Vec<u8>) -> Body<'p> {
        match self {
            Packed::Text(text) => text,
            Packed::Integer(value) => {
                decimal.clear();
                push_decimal(decimal, value);
                Body::Inline(decimal)
            }
        }
    }
}

/// How elements are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Listpack,
    Ziplist,
    Intset,
    Zipmap,
}

impl Packing {
    fn fault(self, what: &'static str) -> Fault {
        match self {
            Packing::Listpack => Fault::Listpack(what),
            Packing::Ziplist => Fault::Ziplist(what),
            Packing::Intset => Fault::Intset(what),
            Packing::Zipmap => Fault::Zipmap(what),
        }
    }
}

/// Gives the elements of a string that holds many.
pub(super) struct PackedReader<'c> {
    cursor: Cursor<'c>,
    packing: Packing,
    /// Elements that the header says; `None` if it does not say how many.
    count: Option<u64>,
    seen: u64,
    /// What is known of the element before: its length in a ziplist, its number in an intset.
    before: Before,
    /// Bytes of a number in an intset.
    width: u8,
    tail: u64,
    slice: Option<Slice<'c>>,
    back: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Before {
    Nothing,
    Len { len: u64, offset: u64 },
    Number(i64),
}

/// Where the text of an element is, and how it ends.
struct Text {
    len: u64,
    /// Bytes of the element before the text.
    head_len: u64,
}

enum Head {
    Integer(i64),
    Text(Text),
}

impl<'c> PackedReader<'c> {
    /// At the front of `packed`.
    pub(super) fn new(packing: Packing, packed: Body<'c>) -> Result<Self> {
        let mut reader = PackedReader {
            cursor: Cursor::of_body(packed),
            packing,
            count: None,
            seen: 0,
            before: Before::Nothing,
            width: 0,
            tail: 0,
            slice: None,
            back: Vec::new(),
        };
        reader.header(packed.len())?;
        Ok(reader)
    }

    fn header(&mut self, len: u64) -> Result<()> {
        let count = |count: u16| (count != COUNT_UNKNOWN).then_some(u64::from(count));
        match self.packing {
            Packing::Listpack => {
                let [a, b, c, d, e, f] = self.cursor.array::<HEADER_LEN>().map_err(|stop| self.torn(stop))?;
                self.check_len(u32::from_le_bytes([a, b, c, d]).into(), len)?;
                self.count = count(u16::from_le_bytes([e, f]));
            }
            Packing::Ziplist => {
                let stated = u32::from_le_bytes(self.array()?);
                self.check_len(stated.into(), len)?;
                self.tail = u32::from_le_bytes(self.array()?).into();
                self.count = count(u16::from_le_bytes(self.array()?));
            }
            Packing::Intset => {
                let (width, count) = (u32::from_le_bytes(self.array()?), u32::from_le_bytes(self.array()?));
                self.width = match width {
                    2 => 2,
                    4 => 4,
                    8 => 8,
                    _ => return Err(self.refuse("its numbers have 2, 4 or 8 bytes")),
                };
                self.check_len(u64::from(width).saturating_mul(count.into()).saturating_add(8), len)?;
                self.count = Some(count.into());
            }
            Packing::Zipmap => {
                let count = self.array::<1>()?;
                self.count = Some(count).filter(|[count]| *count < LONG).map(|[count]| u64::from(count) * 2);
            }
        }
        Ok(())
    }

    fn check_len(&self, stated: u64, len: u64) -> Result<()> {
        if stated == len { Ok(()) } else { Err(self.refuse("its length is not that of the string it is in")) }
    }

    fn refuse(&self, what: &'static str) -> Stop {
        self.cursor.fault(self.packing.fault(what))
    }

    /// Whatever is missing at the end is so because the length of an element is wrong.
    fn torn(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Fault(Fault::Truncated { .. }, _) => self.refuse("an element reaches beyond its end"),
            other => other,
        }
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN]> {
        self.cursor.array().map_err(|stop| self.torn(stop))
    }

    /// The next element; `None` behind the last one, when everything has been found to agree.
    pub(super) fn next(&mut self) -> Result<Option<Packed<'_>>> {
        let head = match self.packing {
            Packing::Listpack => self.listpack_head()?,
            Packing::Ziplist => self.ziplist_head()?,
            Packing::Intset => self.intset_number()?,
            Packing::Zipmap => self.zipmap_head()?,
        };
        let Some(head) = head else {
            let is_whole = self.count.is_none_or(|count| count == self.seen) && self.cursor.left() == 0;
            return if is_whole { Ok(None) } else { Err(self.refuse("it does not end where it should")) };
        };
        self.seen = self.seen.saturating_add(1);
        match head {
            Head::Integer(value) => Ok(Some(Packed::Integer(value))),
            Head::Text(text) => self.text(&text).map(|text| Some(Packed::Text(text))),
        }
    }

    fn text(&mut self, text: &Text) -> Result<Body<'_>> {
        let len = usize::try_from(text.len).unwrap_or(usize::MAX);
        let start = self.cursor.offset();
        let is_in_window = len.saturating_add(BEHIND_LEN_MAX) <= WINDOW_LEN || self.cursor.source().is_none();
        if !is_in_window {
            self.cursor.skip(text.len).map_err(|stop| self.torn(stop))?;
            self.behind(text)?;
            let source = self.cursor.source().ok_or_else(|| self.refuse("it is nowhere"))?;
            return Ok(Body::Streamed(self.slice.insert(Slice { source, start, len: text.len })));
        }
        self.cursor.skip(text.len).map_err(|stop| self.torn(stop))?;
        self.behind(text)?;
        let end = self.cursor.offset();
        self.cursor.seek(start);
        let all = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let bytes = self.cursor.take(all)?;
        Ok(Body::Inline(bytes.get(..len).unwrap_or_default()))
    }

    /// Passes what stands behind a text.
    fn behind(&mut self, text: &Text) -> Result<()> {
        match self.packing {
            Packing::Listpack => self.back_length(text.head_len.saturating_add(text.len)),
            Packing::Zipmap if self.seen.is_multiple_of(2) => {
                // The byte before a value said how many bytes behind it are free.
                self.cursor.skip(self.tail).map_err(|stop| self.torn(stop))
            }
            _ => Ok(()),
        }
    }

    fn listpack_head(&mut self) -> Result<Option<Head>> {
        let [first] = self.array()?;
        let text = |len: u64, head_len: u64| Head::Text(Text { len, head_len });
        let low = first & 0x0f;
        let (value, len): (i64, u64) = match first {
            END => return Ok(None),
            0..0x80 => (first.into(), 1),
            0x80..0xc0 => return Ok(Some(text((first & 0x3f).into(), 1))),
            0xc0..0xe0 => {
                let [second] = self.array()?;
                // The sign is the highest of 13 bits.
                let wide = i16::from_be_bytes([first << 3, 0]) | (i16::from(second) << 3);
                ((wide >> 3).into(), 2)
            }
            0xe0..0xf0 => {
                let [second] = self.array()?;
                return Ok(Some(text(u16::from_be_bytes([low, second]).into(), 2)));
            }
            0xf0 => {
                let len = u32::from_le_bytes(self.array()?);
                return Ok(Some(text(len.into(), 5)));
            }
            0xf1 => (i16::from_le_bytes(self.array()?).into(), 3),
            0xf2 => (int24(self.array()?), 4),
            0xf3 => (i32::from_le_bytes(self.array()?).into(), 5),
            0xf4 => (i64::from_le_bytes(self.array()?), 9),
            _ => return Err(self.refuse("it has an element of an unknown form")),
        };
        self.back_length(len)?;
        Ok(Some(Head::Integer(value)))
    }

    /// Passes the length behind an element, in the form of any server.
    fn back_length(&mut self, element_len: u64) -> Result<()> {
        for form in [BackLengths::Redis, BackLengths::Valkey9] {
            self.back.clear();
            push_back_length(&mut self.back, element_len, form);
            if self.cursor.peek(self.back.len()).is_ok_and(|bytes| bytes == self.back) {
                return self.cursor.skip(file_len(self.back.len()));
            }
        }
        Err(self.refuse("the length behind an element is not that of the element"))
    }

    fn ziplist_head(&mut self) -> Result<Option<Head>> {
        let offset = self.cursor.offset();
        let (before_len, before_offset) = match self.before {
            Before::Len { len, offset } => (len, offset),
            _ => (0, ZIPLIST_HEADER_LEN),
        };
        let [first] = self.array()?;
        let stated = match first {
            END => {
                let is_tail = self.tail == before_offset;
                return if is_tail { Ok(None) } else { Err(self.refuse("its last entry is not where it says")) };
            }
            LONG => u64::from(u32::from_le_bytes(self.array()?)),
            len => len.into(),
        };
        if stated != before_len {
            return Err(self.refuse("the length before an entry is not that of the entry before it"));
        }
        let [first] = self.array()?;
        let text = |len| Head::Text(Text { len, head_len: 0 });
        let head = match first {
            0..0x40 => text(first.into()),
            0x40..0x80 => {
                let [second] = self.array()?;
                text(u16::from_be_bytes([first & 0x3f, second]).into())
            }
            0x80 => text(u32::from_be_bytes(self.array()?).into()),
            0xc0 => Head::Integer(i16::from_le_bytes(self.array()?).into()),
            0xd0 => Head::Integer(i32::from_le_bytes(self.array()?).into()),
            0xe0 => Head::Integer(i64::from_le_bytes(self.array()?)),
            0xf0 => Head::Integer(int24(self.array()?)),
            0xfe => Head::Integer(i8::from_le_bytes(self.array()?).into()),
            0xf1..=0xfd => Head::Integer(i64::from(first & 0x0f) - 1),
            _ => return Err(self.refuse("it has an entry of an unknown form")),
        };
        let text_len = if let Head::Text(text) = &head { text.len } else { 0 };
        let len = self.cursor.offset().saturating_sub(offset).saturating_add(text_len);
        self.before = Before::Len { len, offset };
        Ok(Some(head))
    }

    fn intset_number(&mut self) -> Result<Option<Head>> {
        if self.cursor.left() == 0 {
            return Ok(None);
        }
        let value = match self.width {
            2 => i16::from_le_bytes(self.array()?).into(),
            4 => i32::from_le_bytes(self.array()?).into(),
            _ => i64::from_le_bytes(self.array()?),
        };
        if let Before::Number(before) = self.before
            && before >= value
        {
            return Err(self.refuse("its numbers do not ascend"));
        }
        self.before = Before::Number(value);
        Ok(Some(Head::Integer(value)))
    }

    fn zipmap_head(&mut self) -> Result<Option<Head>> {
        let [first] = self.array()?;
        let is_value = !self.seen.is_multiple_of(2);
        let len = match first {
            END if is_value => return Err(self.refuse("a field has no value")),
            END => return Ok(None),
            LONG => u64::from(u32::from_le_bytes(self.array()?)),
            len => len.into(),
        };
        self.tail = 0;
        if is_value {
            let [free] = self.array()?;
            self.tail = free.into();
        }
        Ok(Some(Head::Text(Text { len, head_len: 0 })))
    }
}

fn int24([a, b, c]: [u8; 3]) -> i64 {
    (i32::from_le_bytes([0, a, b, c]) >> 8).into()
}

#[cfg(test)]
mod tests {
    use ekv_model::InMemory;
    use ekv_testkit::vectors::{EDGE_NUMBERS, hex};

    use super::*;

    fn elements_of(packing: Packing, packed: Body<'_>) -> Result<Vec<Vec<u8>>> {
        let mut reader = PackedReader::new(packing, packed)?;
        let mut elements = Vec::new();
        while let Some(element) = reader.next()? {
            let mut text = Vec::new();
            match element {
                Packed::Integer(value) => push_decimal(&mut text, value),
                Packed::Text(body) => body.for_each_chunk(|chunk| {
                    text.extend_from_slice(chunk);
                    Ok(())
                })?,
            }
            elements.push(text);
        }
        Ok(elements)
    }

    fn elements(packing: Packing, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let inline = elements_of(packing, Body::Inline(bytes));
        let streamed = elements_of(packing, Body::Streamed(&InMemory(bytes)));
        match (&inline, &streamed) {
            (Ok(inline), Ok(streamed)) => assert!(inline == streamed),
            (Err(_), Err(_)) => {}
            _ => panic!("{inline:?} {streamed:?}"),
        }
        inline
    }

    fn texts(packing: Packing, bytes: &str) -> Vec<String> {
        let elements = elements(packing, &hex(bytes)).unwrap();
        elements.into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn ziplist_of_edge_values_is_that_of_redis_6() {
        let golden =
            "58000000 52000000 1200 00feff 03f1 02fd 02fe0d 03fe7f 03c08000 04c0ff0f 04c000f0 04c00010 04c0ff7f
            04c00080 04f0ffff7f 05f0000080 05d0ffffff7f 06e0ffffffffffffff7f 0a03303037 05022d30 0403312e35 ff";
        assert_eq!(texts(Packing::Ziplist, golden), EDGE_NUMBERS);
        assert_eq!(texts(Packing::Ziplist, "140000000f000000030000016103f202c02c01ff"), ["a", "1", "300"]);
        assert_eq!(texts(Packing::Ziplist, "0b0000000a0000000000ff"), [""; 0]);
    }

    #[test]
    fn listpack_of_edge_values_is_that_of_redis_7() {
        let elements =
            "dfff02 0001 0c01 0d01 7f01 c08002 cfff02 d00002 f1001003 f1ff7f03 f1008003 f2ffff7f04 f200008004
            f3ffffff7f05 f4ffffffffffffff7f09 8330303704 822d3003 83312e3504";
        let mut packed = hex(elements);
        packed.push(0xff);
        let mut bytes = u32::try_from(packed.len() + 6).unwrap().to_le_bytes().to_vec();
        bytes.extend([18, 0]);
        bytes.extend(packed);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(texts(Packing::Listpack, &hex), EDGE_NUMBERS);
        assert_eq!(texts(Packing::Listpack, "0f0000000300 816102 0101 c12c02 ff"), ["a", "1", "300"]);
    }

    #[test]
    fn length_behind_a_text_is_taken_in_the_form_of_any_server() {
        for len in [100, 4096, 16_377, 16_378, 16_379, 65_530, 65_536, 2_097_145, 2_097_146, 2_097_147] {
            for form in [BackLengths::Redis, BackLengths::Valkey9] {
                let mut packed = Vec::new();
                crate::listpack::push_text_head(&mut packed, len);
                let head_len = packed.len();
                packed.resize(head_len + usize::try_from(len).unwrap(), b'x');
                let element_len = file_len(packed.len());
                push_back_length(&mut packed, element_len, form);
                packed.extend_from_slice(b"\x05\x01\xff");
                let header = crate::listpack::header(u32::try_from(packed.len() + 6).unwrap(), 2);
                let elements = elements(Packing::Listpack, &[&header[..], &packed].concat()).unwrap();
                assert_eq!((elements.len(), file_len(elements[0].len())), (2, len.into()), "{form:?}");
            }
        }
    }

    #[test]
    fn intset_and_zipmap_give_numbers_and_pairs() {
        assert_eq!(texts(Packing::Intset, "04000000 03000000 01000000 02000000 e0930400"), ["1", "2", "300000"]);
        assert_eq!(texts(Packing::Zipmap, "02 0166 01 02 76 0000 fe03000000 616263 00 00 ff"), ["f", "v", "abc", ""]);
    }

    #[test]
    fn every_cut_and_hostile_length_is_refused() {
        let cases = [
            (Packing::Listpack, "0f0000000300 816102 0101 c12c02 ff"),
            (Packing::Ziplist, "140000000f000000030000016103f202c02c01ff"),
            (Packing::Intset, "04000000 03000000 01000000 02000000 e0930400"),
            (Packing::Zipmap, "01 0166 01 02 76 0000 ff"),
        ];
        for (packing, bytes) in cases {
            let bytes = hex(bytes);
            assert!(elements(packing, &bytes).is_ok());
            for cut in 0..bytes.len() {
                assert!(elements(packing, &bytes[..cut]).is_err(), "{packing:?} {cut}");
            }
            for at in 0..bytes.len() {
                for value in [0, 1, 0x7f, 0x80, 0xf0, 0xfe, 0xff] {
                    let mut bytes = bytes.clone();
                    bytes[at] = value;
                    let _ = elements(packing, &bytes);
                }
            }
        }
        for bytes in ["02000000 02000000 0200 0100", "03000000 00000000", "04000000 01000000 0100000000"] {
            assert!(elements(Packing::Intset, &hex(bytes)).is_err(), "{bytes}");
        }
    }
}
