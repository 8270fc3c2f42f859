//! The text of a collection's file, written element by element. Source: `docs/format/redis.md`, sections 6.3 and 6.4.

use std::io::Write as _;

use ekv_files::Result;
use ekv_model::Body;
use ekv_model::redis::{CollectionKind, Element, StreamId};
use ekv_text::json::{Bracket, Layout, Style, push_score};

use crate::DumpWriter;
use crate::layout::value::{flush, flush_if_full, push_value};

/// The open file of one collection.
pub(super) struct CollectionFile {
    kind: CollectionKind,
    expire_at_ms: Option<u64>,
    layout: Layout,
    out: Vec<u8>,
    /// Entries of a stream so far.
    entries: u64,
}

impl CollectionFile {
    /// Begins the text; `out` is an empty buffer.
    pub(super) fn begin(kind: CollectionKind, expire_at_ms: Option<u64>, out: Vec<u8>) -> Self {
        let mut file = CollectionFile { kind, expire_at_ms, layout: Layout::new(Style::Pretty), out, entries: 0 };
        let elements = match kind {
            CollectionKind::Hash => "fields",
            CollectionKind::List => "items",
            CollectionKind::Set | CollectionKind::ZSet => "members",
            CollectionKind::Stream { .. } => {
                file.layout = Layout::new(Style::Compact);
                return file;
            }
        };
        let CollectionFile { layout, out, .. } = &mut file;
        layout.open(Bracket::Object, out);
        layout.name("format_version", out);
        out.push(b'1');
        layout.name(elements, out);
        layout.open(Bracket::Array, out);
        file
    }

    /// Adds a step of the element stream.
    pub(super) fn element(&mut self, writer: &mut DumpWriter, element: Element<'_>) -> Result<()> {
        match element {
            Element::Field { name, value } => {
                self.layout.item(&mut self.out);
                self.layout.open(Bracket::Object, &mut self.out);
                self.pair(writer, &Body::Inline(name), &value)?;
                self.layout.close(Bracket::Object, &mut self.out);
            }
            Element::Item(value) => {
                self.layout.item(&mut self.out);
                self.value(writer, &value)?;
            }
            Element::Member(member) => {
                self.layout.item(&mut self.out);
                self.value(writer, &Body::Inline(member))?;
            }
            Element::Scored { member, score } => {
                self.layout.item(&mut self.out);
                self.layout.open(Bracket::Object, &mut self.out);
                self.layout.name("member", &mut self.out);
                self.value(writer, &Body::Inline(member))?;
                self.layout.name("score", &mut self.out);
                push_score(score, &mut self.out);
                self.layout.close(Bracket::Object, &mut self.out);
            }
            Element::EntryBegin(StreamId { ms, seq }) => {
                self.layout = Layout::new(Style::Compact);
                self.layout.open(Bracket::Object, &mut self.out);
                self.layout.name("id", &mut self.out);
                self.text(format_args!("\"{ms}-{seq}\""));
                self.layout.name("fields", &mut self.out);
                self.layout.open(Bracket::Array, &mut self.out);
            }
            Element::EntryField { name, value } => {
                self.layout.item(&mut self.out);
                self.layout.open(Bracket::Object, &mut self.out);
                self.pair(writer, &name, &value)?;
                self.layout.close(Bracket::Object, &mut self.out);
            }
            Element::EntryEnd => {
                self.layout.close(Bracket::Array, &mut self.out);
                self.layout.close(Bracket::Object, &mut self.out);
                self.out.push(b'\n');
                self.entries = self.entries.saturating_add(1);
            }
        }
        flush_if_full(&mut self.out, writer)
    }

    /// Ends the text; returns the emptied buffer for the next collection.
    pub(super) fn end(mut self, writer: &mut DumpWriter) -> Result<Vec<u8>> {
        if let CollectionKind::Stream { last } = self.kind {
            let StreamId { ms, seq } = last;
            self.layout = Layout::new(Style::Compact);
            self.layout.open(Bracket::Object, &mut self.out);
            self.layout.name("_meta", &mut self.out);
            self.out.extend_from_slice(b"true");
            for (name, number) in [("length", self.entries), ("last_ms", ms), ("last_seq", seq)] {
                self.layout.name(name, &mut self.out);
                self.text(format_args!("{number}"));
            }
            self.expiry();
            self.layout.close(Bracket::Object, &mut self.out);
            self.out.push(b'\n');
        } else {
            self.layout.close(Bracket::Array, &mut self.out);
            self.expiry();
            self.layout.close(Bracket::Object, &mut self.out);
        }
        flush(&mut self.out, writer)?;
        Ok(self.out)
    }

    fn expiry(&mut self) {
        self.layout.name("expire_at_ms", &mut self.out);
        match self.expire_at_ms {
            Some(at_ms) => self.text(format_args!("{at_ms}")),
            None => self.out.extend_from_slice(b"null"),
        }
    }

    fn text(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a vector cannot fail.
        let _ = self.out.write_fmt(text);
    }

    /// The members `name` and `value`.
    fn pair(&mut self, writer: &mut DumpWriter, name: &Body<'_>, value: &Body<'_>) -> Result<()> {
        self.layout.name("name", &mut self.out);
        self.value(writer, name)?;
        self.layout.name("value", &mut self.out);
        self.value(writer, value)
    }

    fn value(&mut self, writer: &mut DumpWriter, value: &Body<'_>) -> Result<()> {
        push_value(value, &mut self.layout, &mut self.out, writer)
    }
}
