//! Events to files: the layout of a dump.
//!
//! [`TreeTarget`] takes the events of any adapter and writes the files that `docs/format/tree.md`, section 1, names. One folder per
//! protocol in `layout/` knows the names and the text of its files; none of them knows a key layout.

use ekv_files::Result;
use ekv_model::{Consumer, Event, Findings};

use crate::DumpWriter;
use crate::manifest::DynamodbLayout;

use crate::layout::dynamodb::write::Tables;
use crate::layout::raw::RawRecords;
use crate::layout::redis::write::Databases;
use crate::layout::s3::write::{BucketTotals, Buckets};
use crate::layout::scopes::AllNames;
use crate::layout::sqs::write::{QueueOptions, Queues};

pub use crate::layout::dynamodb::write::findings::NAME_COLLISION as DYNAMODB_NAME_COLLISION;
pub use crate::layout::scopes::Scopes;
pub use crate::layout::sqs::write::SqsVisibility;

/// Writes events into a dump.
pub struct TreeTarget {
    writer: DumpWriter,
    options: TreeOptions,
    dynamodb: Tables,
    redis: Databases,
    s3: Buckets,
    sqs: Queues,
    raw: RawRecords,
}

/// What the files of a dump hold beyond the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeOptions {
    /// How DynamoDB items lie in files.
    pub dynamodb_layout: DynamodbLayout,
    /// Whether documents have the fields that the reference decoder never writes.
    pub extended: bool,
    /// What is said about SQS messages in flight.
    pub sqs_visibility: SqsVisibility,
}

impl TreeTarget {
    /// A target that writes with `writer`, to which nothing has been written yet.
    pub fn new(writer: DumpWriter) -> Self {
        TreeTarget::with_options(writer, TreeOptions::default())
    }

    /// As [`TreeTarget::new`], with options.
    pub fn with_options(writer: DumpWriter, options: TreeOptions) -> Self {
        TreeTarget {
            writer,
            options,
            dynamodb: Tables::new(options.dynamodb_layout),
            redis: Databases::default(),
            s3: Buckets::default(),
            sqs: Queues::default(),
            raw: RawRecords::default(),
        }
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
        let databases = self.redis.finish(&mut self.writer)?;
        let BucketTotals { names, has_meta_suffix_rename } = self.s3.finish();
        let all = AllNames { tables: self.dynamodb.finish(), buckets: names, queues: self.sqs.finish() };
        let scopes = all.finish(&mut self.writer)?;
        Ok(Scopes { databases, has_s3_meta_suffix_rename: has_meta_suffix_rename, ..scopes })
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
        match event {
            Event::Redis { database, event } => self.redis.event(&mut self.writer, database, event)?,
            Event::DynamoDb(event) => self.dynamodb.event(&mut self.writer, event)?,
            Event::S3(event) => self.s3.event(&mut self.writer, self.options.extended, event)?,
            Event::Sqs(event) => {
                let options = QueueOptions { extended: self.options.extended, visibility: self.options.sqs_visibility };
                self.sqs.event(&mut self.writer, options, event)?;
            }
            Event::Raw(record) => self.raw.record(&mut self.writer, &record)?,
            // Events of protocols that this layout has no files for cannot reach it.
            _ => {}
        }
        Ok(())
    }
    fn findings(&self) -> Findings {
        self.dynamodb.findings().clone()
    }
}
