//! The text of an item, written step by step. Source: `docs/format/dynamodb.md`, sections 4.3 and 4.4.

use ekv_files::Result;
use ekv_model::Body;
use ekv_model::dynamodb::{Node, SetKind};
use ekv_text::json::{Base64Stream, Bracket, EscapeMode, EscapeStream, Layout, Style};

/// Text gathered before it is passed on, in bytes.
const FLUSH_LEN: usize = 64 << 10;

/// Takes the text of items.
pub trait TextSink {
    /// Takes the next piece.
    ///
    /// # Errors
    /// What is written to cannot take it.
    fn write(&mut self, text: &[u8]) -> Result<()>;
}

/// Makes the JSON text of one item after the other.
pub struct ItemText {
    style: Style,
    layout: Layout,
    out: Vec<u8>,
    /// What encloses the next value, innermost last.
    open: Vec<OpenValue>,
}

/// Something that holds values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenValue {
    Map,
    List,
    Set { is_binary: bool },
}

impl OpenValue {
    fn bracket(self) -> Bracket {
        match self {
            OpenValue::Map => Bracket::Object,
            OpenValue::List | OpenValue::Set { .. } => Bracket::Array,
        }
    }
}

impl ItemText {
    /// Makes texts in a style; in the compact one each is a line.
    pub fn new(style: Style) -> Self {
        ItemText { style, layout: Layout::new(style), out: Vec::new(), open: Vec::new() }
    }

    /// Begins an item; what is left of one that was not ended is forgotten.
    pub fn begin(&mut self) {
        self.out.clear();
        self.layout = Layout::new(self.style);
        self.open.clear();
        self.layout.open(Bracket::Object, &mut self.out);
    }

    /// Adds a step of the item.
    ///
    /// # Errors
    /// A value that cannot be read, or those of the sink.
    pub fn node(&mut self, sink: &mut dyn TextSink, node: Node<'_>) -> Result<()> {
        match node {
            Node::Name(name) => self.layout.name(name, &mut self.out),
            Node::String(text) => self.leaf("S", |item| item.string(sink, &text))?,
            Node::Number(text) => self.leaf("N", |item| item.string(sink, &text))?,
            Node::Binary(bytes) => self.leaf("B", |item| item.base64(sink, &bytes))?,
            Node::Bool(is_true) => self.leaf("BOOL", |item| item.boolean(is_true))?,
            Node::Null(is_null) => self.leaf("NULL", |item| item.boolean(is_null))?,
            Node::Missing => self.leaf("NULL", |item| item.boolean(true))?,
            Node::SetBegin(kind) => {
                let name = match kind {
                    SetKind::String => "SS",
                    SetKind::Number => "NS",
                    SetKind::Binary => "BS",
                };
                self.collection(name, OpenValue::Set { is_binary: kind == SetKind::Binary });
            }
            Node::Member(member) => {
                self.layout.item(&mut self.out);
                match self.open.last() {
                    Some(OpenValue::Set { is_binary: true }) => self.base64(sink, &member)?,
                    _ => self.string(sink, &member)?,
                }
            }
            Node::ListBegin => self.collection("L", OpenValue::List),
            Node::MapBegin => self.collection("M", OpenValue::Map),
            Node::End => {
                if let Some(open) = self.open.pop() {
                    self.layout.close(open.bracket(), &mut self.out);
                    self.layout.close(Bracket::Object, &mut self.out);
                }
            }
        }
        self.flush_if_full(sink)
    }

    /// Ends the item; in the compact style, the line.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn end(&mut self, sink: &mut dyn TextSink) -> Result<()> {
        self.layout.close(Bracket::Object, &mut self.out);
        if self.style == Style::Compact {
            self.out.push(b'\n');
        }
        self.flush(sink)
    }

    /// Begins the object that names the type of a value.
    fn typed(&mut self, type_name: &str) {
        if self.open.last() == Some(&OpenValue::List) {
            self.layout.item(&mut self.out);
        }
        self.layout.open(Bracket::Object, &mut self.out);
        self.layout.name(type_name, &mut self.out);
    }

    fn leaf(&mut self, type_name: &str, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.typed(type_name);
        write(self)?;
        self.layout.close(Bracket::Object, &mut self.out);
        Ok(())
    }

    fn collection(&mut self, type_name: &str, open: OpenValue) {
        self.typed(type_name);
        self.layout.open(open.bracket(), &mut self.out);
        self.open.push(open);
    }

    fn boolean(&mut self, is_true: bool) -> Result<()> {
        self.out.extend_from_slice(if is_true { b"true" } else { b"false" });
        Ok(())
    }

    fn string(&mut self, sink: &mut dyn TextSink, text: &Body<'_>) -> Result<()> {
        self.out.push(b'"');
        let mut escape = EscapeStream::new(EscapeMode::Html);
        text.for_each_chunk(|chunk| {
            escape.push(chunk, &mut self.out);
            Ok(self.flush_if_full(sink)?)
        })?;
        escape.finish(&mut self.out);
        self.out.push(b'"');
        Ok(())
    }

    fn base64(&mut self, sink: &mut dyn TextSink, bytes: &Body<'_>) -> Result<()> {
        self.out.push(b'"');
        let mut base64 = Base64Stream::standard();
        bytes.for_each_chunk(|chunk| {
            base64.push(chunk, &mut self.out);
            Ok(self.flush_if_full(sink)?)
        })?;
        base64.finish(&mut self.out);
        self.out.push(b'"');
        Ok(())
    }

    fn flush_if_full(&mut self, sink: &mut dyn TextSink) -> Result<()> {
        if self.out.len() >= FLUSH_LEN { self.flush(sink) } else { Ok(()) }
    }

    fn flush(&mut self, sink: &mut dyn TextSink) -> Result<()> {
        sink.write(&self.out)?;
        self.out.clear();
        Ok(())
    }
}
