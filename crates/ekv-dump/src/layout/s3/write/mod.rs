//! S3 buckets as files. Source: `docs/format/s3.md`, section 4, and `docs/format/tree.md`, section 4.

mod documents;
mod orphans;
mod paths;

use ekv_files::sink::SinkError;
use ekv_files::{DumpPath, Error, Result};
use ekv_model::s3::{Bucket, BucketRecord, Event, Object, OrphanChunk, UploadRecord};
use ekv_model::{Body, Event as ModelEvent};
use ekv_spill::Sorter;

use crate::DumpWriter;
use crate::keymap::{self, KEYMAP_FILE, KeymapKind};
use crate::layout::scopes::ScopeNames;
use crate::layout::write_files::{WriteFiles, Written};
use crate::s3_name::{BUCKET_FILE, INCOMPLETE_UPLOADS_DIRECTORY, META_SUFFIX, UPLOAD_RECORDS_FILE, object_path};
use crate::segment::{component, has_fallback_shape};

use paths::{PathAssigner, Paths};

/// Memory for the KEYMAP of a bucket, in bytes; more goes to scratch files.
const KEYMAP_BUDGET_LEN: usize = 1 << 20;

/// What was written of all buckets.
#[derive(Default)]
pub(crate) struct Buckets {
    extended: bool,
    open: Option<BucketFiles>,
    /// Names of the buckets that have a directory.
    names: ScopeNames,
    has_meta_suffix_rename: bool,
}

impl Buckets {
    /// `extended`: whether documents have fields that the reference decoder never writes.
    pub(crate) fn new(extended: bool) -> Self {
        Buckets { extended, ..Buckets::default() }
    }

    fn end(&mut self, writer: &mut DumpWriter) -> Result<()> {
        if let Some(mut files) = self.open.take() {
            files.finish(writer)?;
            self.has_meta_suffix_rename |= files.has_meta_suffix_rename;
            if files.has_directory {
                self.names.push(&files.name, &writer.scratch())?;
            }
        }
        Ok(())
    }
}

impl WriteFiles for Buckets {
    fn event(&mut self, writer: &mut DumpWriter, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::S3(event) = event else { return Ok(()) };
        if let Event::Begin(bucket) = event {
            let mut files = BucketFiles::new(writer, bucket.name)?;
            files.bucket(writer, &bucket, self.extended)?;
            self.open = Some(files);
            return Ok(());
        }
        let Some(files) = &mut self.open else {
            return Err(Error::new(SinkError::Misuse { rule: "objects belong to a bucket" }));
        };
        match event {
            Event::Begin(_) => Ok(()),
            Event::Key(key) => files.key(key),
            Event::Object(object) => files.object(writer, &object),
            Event::OrphanChunk(chunk) => files.orphan_chunk(writer, &chunk),
            Event::UploadRecord(record) => files.upload_record(writer, &record),
            Event::End => self.end(writer),
        }
    }

    fn finish(&mut self, _: &mut DumpWriter) -> Result<Written> {
        let names = std::mem::take(&mut self.names);
        Ok(Written { names, has_s3_meta_suffix_rename: self.has_meta_suffix_rename })
    }
}

/// The files below `s3/<bucket>/`.
struct BucketFiles {
    name: String,
    /// Path of the file at hand; between files, of the bucket's directory.
    path: DumpPath,
    directory_len: usize,
    has_directory: bool,
    /// Whether there is no record of the bucket, and its directory does not tell its name.
    is_nameless: bool,
    naming: Naming,
    keymap: Option<Sorter>,
    has_meta_suffix_rename: bool,
    /// Whether the file of upload records is open.
    is_in_uploads: bool,
    buffer: Vec<u8>,
}

/// First all keys are learned, then objects get their paths.
enum Naming {
    Learning(Box<PathAssigner>),
    Known(Paths),
    /// Between the two, and after an error.
    Neither,
}

impl BucketFiles {
    fn new(writer: &DumpWriter, name: &str) -> Result<Self> {
        let mut path = DumpPath::new(b"s3")?;
        path.push(&component(name.as_bytes()))?;
        Ok(BucketFiles {
            name: name.to_owned(),
            directory_len: path.len(),
            path,
            has_directory: false,
            is_nameless: false,
            naming: Naming::Learning(Box::new(PathAssigner::new(writer.scratch()))),
            keymap: None,
            has_meta_suffix_rename: false,
            is_in_uploads: false,
            buffer: Vec::new(),
        })
    }

    fn bucket(&mut self, writer: &mut DumpWriter, bucket: &Bucket<'_>, extended: bool) -> Result<()> {
        let Some(record) = &bucket.record else {
            self.is_nameless = has_fallback_shape(&component(bucket.name.as_bytes()));
            return Ok(());
        };
        documents::push_bucket(bucket, record, extended, &mut self.buffer);
        self.path.push(BUCKET_FILE.as_bytes())?;
        self.write_buffer(writer)
    }

    fn key(&mut self, key: &[u8]) -> Result<()> {
        match &mut self.naming {
            Naming::Learning(assigner) => assigner.add(key),
            Naming::Known(_) | Naming::Neither => {
                Err(Error::new(SinkError::Misuse { rule: "all keys of a bucket come before its objects" }))
            }
        }
    }

    fn object(&mut self, writer: &mut DumpWriter, object: &Object<'_>) -> Result<()> {
        if std::mem::take(&mut self.is_nameless) {
            // A record of its name alone: without it nobody could tell whose objects these are.
            let name = self.name.clone();
            let bucket = Bucket { name: &name, record: Some(BucketRecord::default()) };
            self.bucket(writer, &bucket, false)?;
        }
        let kind = self.kind_of(object.key)?;
        let object_path = object_path(object.key, kind);
        self.path.extend(&object_path)?;
        self.write_body(writer, &object.body)?;
        self.path.extend(&[&object_path, META_SUFFIX].concat())?;
        documents::push_sidecar(object, &mut self.buffer);
        self.write_buffer(writer)?;
        if let Some(kind) = kind {
            self.has_meta_suffix_rename |= kind == KeymapKind::MetaSuffixRename;
            let encoded = String::from_utf8_lossy(&object_path);
            keymap::write_line(&encoded, object.key, kind, &mut self.buffer);
            let sorter = self.keymap.get_or_insert_with(|| Sorter::new(writer.scratch(), KEYMAP_BUDGET_LEN));
            sorter.push(&object_path, &self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn kind_of(&mut self, key: &[u8]) -> Result<Option<KeymapKind>> {
        if let Naming::Learning(_) = &self.naming
            && let Naming::Learning(assigner) = std::mem::replace(&mut self.naming, Naming::Neither)
        {
            self.naming = Naming::Known(assigner.finish()?);
        }
        match &mut self.naming {
            Naming::Known(paths) => paths.kind_of(key),
            Naming::Learning(_) | Naming::Neither => Ok(None),
        }
    }

    fn orphan_chunk(&mut self, writer: &mut DumpWriter, chunk: &OrphanChunk<'_>) -> Result<()> {
        orphans::extend_path(&mut self.path, chunk)?;
        self.write_body(writer, &chunk.body)
    }

    fn upload_record(&mut self, writer: &mut DumpWriter, record: &UploadRecord<'_>) -> Result<()> {
        if !std::mem::replace(&mut self.is_in_uploads, true) {
            self.path.push(INCOMPLETE_UPLOADS_DIRECTORY.as_bytes())?;
            self.path.push(UPLOAD_RECORDS_FILE.as_bytes())?;
            self.begin(writer)?;
        }
        documents::write_upload_record(writer, record, &mut self.buffer)
    }

    /// Writes what could only be written at the end.
    fn finish(&mut self, writer: &mut DumpWriter) -> Result<()> {
        if self.is_in_uploads {
            writer.end()?;
        }
        let Some(lines) = self.keymap.take() else { return Ok(()) };
        self.path.push(KEYMAP_FILE.as_bytes())?;
        self.begin(writer)?;
        let mut sorted = lines.finish()?;
        while let Some((_, line)) = sorted.next()? {
            writer.write(line)?;
        }
        writer.end()
    }

    /// Creates the file at hand, and goes back to the bucket's directory.
    fn begin(&mut self, writer: &mut DumpWriter) -> Result<()> {
        writer.begin(&self.path)?;
        self.path.truncate(self.directory_len);
        self.has_directory = true;
        Ok(())
    }

    fn write_body(&mut self, writer: &mut DumpWriter, body: &Body<'_>) -> Result<()> {
        self.begin(writer)?;
        writer.write_body(body)?;
        writer.end()
    }

    /// Writes the file at hand from the buffer, which is empty then.
    fn write_buffer(&mut self, writer: &mut DumpWriter) -> Result<()> {
        self.begin(writer)?;
        writer.write(&self.buffer)?;
        self.buffer.clear();
        writer.end()
    }
}
