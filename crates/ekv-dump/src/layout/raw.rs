//! Records that no adapter decodes, one line each. Source: `docs/format/tree.md`, section 14.

use ekv_files::{DumpPath, Result};
use ekv_model::Body;
use ekv_model::raw::Record;
use ekv_text::json::{Base64Stream, EscapeMode, ObjectText, Style};

use super::value::{flush, push_base64};
use crate::DumpWriter;

pub(crate) use ekv_files::root::UNKNOWN_DIRECTORY;
/// End of their names; before it stands the name of the key family.
pub(crate) const UNKNOWN_EXTENSION: &str = ".jsonl";

/// The file of the family at hand.
#[derive(Default)]
pub(crate) struct RawRecords {
    family: Option<String>,
    out: Vec<u8>,
}

impl RawRecords {
    pub(crate) fn record(&mut self, writer: &mut DumpWriter, record: &Record<'_>) -> Result<()> {
        if self.family.as_deref() != Some(record.family) {
            self.finish(writer)?;
            let mut path = DumpPath::new(UNKNOWN_DIRECTORY.as_bytes())?;
            path.push(format!("{}{UNKNOWN_EXTENSION}", record.family).as_bytes())?;
            writer.begin(&path)?;
            self.family = Some(record.family.to_owned());
        }
        let out = &mut self.out;
        let mut object = ObjectText::begin(Style::Compact, EscapeMode::Plain, out);
        push_base64(&Body::Inline(record.user_key), Base64Stream::default(), object.name("key_b64"), writer)?;
        object.number("commit_ts", record.commit_ts);
        push_base64(&record.value, Base64Stream::default(), object.name("value_b64"), writer)?;
        object.end();
        out.push(b'\n');
        flush(out, writer)
    }

    /// Ends the open file.
    pub(crate) fn finish(&mut self, writer: &mut DumpWriter) -> Result<()> {
        if self.family.take().is_some() { writer.end() } else { Ok(()) }
    }
}
