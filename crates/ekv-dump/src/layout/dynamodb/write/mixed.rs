//! Items of a table in which two items may have one name. Source: `docs/format/dynamodb.md`, section 4.1, rule D3.

use std::sync::Arc;

use ekv_files::{DumpPath, Result};
use ekv_model::{Body, ByteSource, Example, Findings};
use ekv_spill::{Scratch, Sorter, Spool, Spooled};

use super::findings::NAME_COLLISION;
use super::item::TextSink;
use super::names::ItemName;
use crate::DumpWriter;

/// Memory for the texts and for the names, each in bytes.
const BUDGET_LEN: usize = 4 << 20;
/// Separates the parts of a sort key; no name holds it.
const SEPARATOR: u8 = 0;

/// Keeps the texts of items until all names are known; then the first item with a name gets it.
///
/// Cost: two buffers of a fixed size; scratch space for all texts and names.
pub(super) struct MixedItems {
    texts: Spool,
    /// Claims by name, those of one name in the order of the items.
    claims: Sorter,
    next_item: u64,
    /// Where the text of the item at hand begins.
    text_start: u64,
}

/// What a record of [`MixedItems::claims`] claims.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// The name of a folder directly in `items/`, for an item in it.
    Folder,
    /// The name of a file directly in `items/`.
    File,
    /// The name of a file in a folder.
    Nested,
}

impl Claim {
    fn tag(self) -> u8 {
        match self {
            Claim::Folder => 0,
            Claim::File => 1,
            Claim::Nested => 2,
        }
    }

    fn of(tag: u8) -> Self {
        match tag {
            0 => Claim::Folder,
            1 => Claim::File,
            _ => Claim::Nested,
        }
    }
}

/// Where the text of an item lies.
#[derive(Clone, Copy)]
struct Text<'s> {
    spooled: &'s Spooled,
    start: u64,
    len: u64,
}

impl ByteSource for Text<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        self.spooled.read_exact_at(self.start.saturating_add(offset), buf)
    }
}

impl TextSink for Spool {
    fn write(&mut self, text: &[u8]) -> Result<()> {
        Ok(self.write_all(text)?)
    }
}

impl MixedItems {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        MixedItems {
            texts: Spool::new(Arc::clone(scratch), BUDGET_LEN),
            claims: Sorter::new(Arc::clone(scratch), BUDGET_LEN),
            next_item: 0,
            text_start: 0,
        }
    }

    /// Where the text of the next item goes.
    pub(super) fn texts(&mut self) -> &mut Spool {
        &mut self.texts
    }

    /// Notes the names that an item claims, once its text is complete.
    pub(super) fn add(&mut self, name: &ItemName, fallback: &[u8]) -> Result<()> {
        let place = self.next_item.to_be_bytes();
        let text_len = self.texts.len().saturating_sub(self.text_start);
        let payload = |claim: Claim| {
            let numbers = [self.text_start.to_be_bytes(), text_len.to_be_bytes()].concat();
            [&[claim.tag()], numbers.as_slice(), fallback].concat()
        };
        let separator: &[u8] = &[SEPARATOR];
        if name.folder.is_empty() {
            self.claims.push(&[&name.file, separator, &place].concat(), &payload(Claim::File))?;
        } else {
            self.claims.push(&[&name.folder, separator, &place].concat(), &payload(Claim::Folder))?;
            let nested = [&name.folder, separator, &name.file, separator, &place].concat();
            self.claims.push(&nested, &payload(Claim::Nested))?;
        }
        self.next_item = self.next_item.saturating_add(1);
        self.text_start = self.texts.len();
        Ok(())
    }

    /// Writes all items below `items`.
    pub(super) fn finish(self, writer: &mut DumpWriter, items: &DumpPath, findings: &mut Findings) -> Result<()> {
        let spooled = self.texts.into_reader()?;
        let mut claims = self.claims.finish()?;
        let mut names = Names { writer, items, findings, taken_by: None, name: Vec::new(), nested: Vec::new() };
        while let Some((key, payload)) = claims.next()? {
            let Some((tag, numbers)) = payload.split_first() else { continue };
            let number =
                |at: usize| numbers.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u64::from_be_bytes(*b));
            let text = Text { spooled: &spooled, start: number(0), len: number(8) };
            names.claim(Claim::of(*tag), key, numbers.get(16..).unwrap_or(&[]), &text)?;
        }
        Ok(())
    }
}

/// Gives names to items that come in the order of their names.
struct Names<'a> {
    writer: &'a mut DumpWriter,
    items: &'a DumpPath,
    findings: &'a mut Findings,
    /// What the last name directly in `items/` was given to.
    taken_by: Option<Claim>,
    name: Vec<u8>,
    /// The last name in that folder.
    nested: Vec<u8>,
}

impl Names<'_> {
    fn claim(&mut self, claim: Claim, key: &[u8], fallback: &[u8], text: &Text<'_>) -> Result<()> {
        let mut parts = key.splitn(3, |byte| *byte == SEPARATOR);
        let (name, rest) = (parts.next().unwrap_or(&[]), parts.next().unwrap_or(&[]));
        if self.taken_by.is_none() || self.name != name {
            self.name = name.to_vec();
            self.nested.clear();
            self.taken_by = Some(claim);
            if claim == Claim::File {
                return self.write(&[name], text);
            }
        }
        match (claim, self.taken_by) {
            (Claim::Folder, _) => Ok(()),
            (Claim::Nested, Some(Claim::Folder)) if self.nested != rest => {
                self.nested = rest.to_vec();
                self.write(&[name, rest], text)
            }
            (Claim::Nested, Some(Claim::Folder)) => {
                self.note(&[name, rest], fallback);
                self.write(&[name, fallback], text)
            }
            (Claim::Nested, _) => {
                self.note(&[name, rest], fallback);
                self.write(&[fallback], text)
            }
            (Claim::File, _) => {
                self.note(&[name], fallback);
                self.write(&[fallback], text)
            }
        }
    }

    fn write(&mut self, components: &[&[u8]], text: &Text<'_>) -> Result<()> {
        let mut path = self.items.clone();
        for component in components {
            path.push(component)?;
        }
        self.writer.begin(&path)?;
        self.writer.write_body(&Body::Streamed(text))?;
        self.writer.end()
    }

    fn note(&mut self, components: &[&[u8]], fallback: &[u8]) {
        self.findings.record(NAME_COLLISION, || {
            let path = [self.items.as_bytes(), b"/", &components.join(&b'/')].concat();
            Example::new(Some(&path), None, format!("written as {}", String::from_utf8_lossy(fallback)))
        });
    }
}
