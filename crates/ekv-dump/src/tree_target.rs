//! Events to files: the layout of a dump.
//!
//! [`TreeTarget`] takes the events of any adapter and writes the files that `docs/format/tree.md`, section 1, names. One folder per
//! protocol in `layout/` knows the names and the text of its files; none of them knows a key layout.

use ekv_files::Result;
use ekv_model::{Consumer, Event, Findings, Map, Protocol};

use crate::DumpWriter;
use crate::layout::layout;
use crate::layout::options::TreeOptions;
use crate::layout::raw::RawRecords;
use crate::layout::scopes::{self, ScopeNames, Scopes};
use crate::layout::write_files::{WriteFiles, Written};

/// Writes events into a dump.
pub struct TreeTarget {
    writer: DumpWriter,
    files: Map<Box<dyn WriteFiles>>,
    raw: RawRecords,
}

impl TreeTarget {
    /// A target that writes with `writer`, to which nothing has been written yet.
    pub fn new(writer: DumpWriter) -> Self {
        TreeTarget::with_options(writer, TreeOptions::default())
    }

    /// As [`TreeTarget::new`], with options.
    pub fn with_options(writer: DumpWriter, options: TreeOptions) -> Self {
        let files = Map::of(|protocol| (layout(protocol).write)(&options));
        TreeTarget { writer, files, raw: RawRecords::default() }
    }

    /// The writer, for progress and scratch space.
    pub fn writer(&self) -> &DumpWriter {
        &self.writer
    }

    /// Writes the files that could only be written at the end, and gives the writer back for the manifest.
    ///
    /// # Errors
    /// As [`DumpWriter::end`]; [`DumpWriter::abort`] has then been called.
    pub fn finish(mut self) -> Result<(DumpWriter, Scopes)> {
        match self.finish_files() {
            Ok(scopes) => Ok((self.writer, scopes)),
            Err(error) => Err(match self.writer.abort() {
                Ok(()) => error,
                Err(later) => error.followed_by(later),
            }),
        }
    }

    fn finish_files(&mut self) -> Result<Scopes> {
        self.raw.finish(&mut self.writer)?;
        let mut names = Map::<ScopeNames>::default();
        let mut is_renamed = false;
        for protocol in Protocol::IN_DUMPS {
            let Written { names: own, has_s3_meta_suffix_rename } =
                self.files.get_mut(protocol).finish(&mut self.writer)?;
            *names.get_mut(protocol) = own;
            is_renamed |= has_s3_meta_suffix_rename;
        }
        let scopes = scopes::finish(names, &mut self.writer)?;
        Ok(Scopes { has_s3_meta_suffix_rename: is_renamed, ..scopes })
    }

    /// Gives up and removes everything.
    ///
    /// # Errors
    /// As [`DumpWriter::abort`].
    pub fn abort(self) -> Result<()> {
        self.writer.abort()
    }
}

impl Consumer for TreeTarget {
    fn event(&mut self, event: Event<'_>) -> ekv_model::Result<()> {
        match (event, event.protocol()) {
            (Event::Raw(record), _) => self.raw.record(&mut self.writer, &record)?,
            (event, Some(protocol)) => self.files.get_mut(protocol).event(&mut self.writer, event)?,
            (_, None) => {}
        }
        Ok(())
    }

    fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        Protocol::ALL.into_iter().for_each(|protocol| findings.merge(self.files.get(protocol).findings()));
        findings
    }
}
