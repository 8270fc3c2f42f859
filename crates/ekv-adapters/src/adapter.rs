//! What there is of the adapter of each protocol.

use std::borrow::Cow;
use std::sync::Arc;

use ekv_model::{Event, Finding, Findings, Name, Protocol, Result};
use ekv_snapshot::{Range, RecordSink, View};
use ekv_spill::Scratch;

use crate::encode_error::EncodeOptions;
use crate::fs::Options as FsOptions;
use crate::redis::Options as RedisOptions;
use crate::restores::Restores;
use crate::s3::Options as S3Options;
use crate::sqs::Options as SqsOptions;
use crate::{Family, Run};

/// What is decoded, and how.
#[derive(Clone, Copy, Default)]
pub struct AdapterOptions<'o> {
    /// Of the Redis adapter.
    pub redis: RedisOptions,
    /// Of the S3 adapter.
    pub s3: S3Options,
    /// Of the SQS adapter.
    pub sqs: SqsOptions,
    /// Of the file system adapter.
    pub fs: FsOptions,
    /// Snapshots of other nodes, for offloaded S3 content that this one lacks.
    pub blob_sources: &'o [View],
}

/// The adapter of a protocol.
pub(crate) struct Adapter {
    /// Records to events; accounts for every visible record of its families in the books of the run.
    pub(crate) decode: fn(&mut Run<'_>, &AdapterOptions<'_>) -> Result<()>,
    /// Events to records.
    pub(crate) encoder: fn(&Arc<dyn Scratch>, EncodeOptions) -> Box<dyn EncodeEvents>,
    /// What of the events no server restores.
    pub(crate) restores: fn(EncodeOptions) -> Box<dyn Restores>,
    /// Which group owns a key.
    pub(crate) routes: Routes,
    /// What a record belongs to: of its family, user key, and what follows the prefix in that.
    pub(crate) subject: for<'k> fn(Family, &'k [u8], &'k [u8]) -> Option<Subject<'k>>,
    /// What follows the prefix of a family in the user keys of all records that concern something; more may begin with it.
    pub(crate) beginnings: fn(Family, &Name) -> Vec<Vec<u8>>,
    /// The ranges in which all records lie that concern something, where only other records tell them; `None` if they do not either.
    pub(crate) ranges: Option<RangesIn>,
    /// Whether a stored key ([`Subject::stored_key`]) is that of the parts of a name; `None` if it does not tell.
    pub(crate) is_stored_key: fn(&[u8], &[Vec<u8>]) -> Option<bool>,
    /// What a finding is about whose key is no stored one: of its name and that key; `None` for findings of others.
    pub(crate) culprit: fn(&str, &[u8]) -> Option<Name>,
}

/// Finds the ranges of a thing with the records of a view, at whatever time.
pub(crate) type RangesIn = fn(&View, &Name) -> Result<Option<Vec<Range>>>;

/// Turns the events of a protocol into records.
pub(crate) trait EncodeEvents {
    /// Takes the next event of the protocol.
    ///
    /// # Errors
    /// [`EncodeError`](crate::EncodeError); those of the sink.
    fn event(&mut self, sink: &mut dyn RecordSink, event: Event<'_>) -> Result<()>;

    /// What was odd about the events so far and did not keep them from becoming records.
    fn take_findings(&mut self) -> Findings {
        Findings::default()
    }
}

/// How the user keys of a protocol are routed. Source: `docs/format/snapshot.md`, section 12.
#[derive(Clone, Copy)]
pub(crate) struct Routes {
    /// Beginnings of user keys that any group may hold.
    pub(crate) exempt: &'static [&'static [u8]],
    /// Beginnings of user keys that are their own route keys, whatever follows.
    pub(crate) of_themselves: &'static [&'static [u8]],
    /// The route key of a user key; `None` if it is its own.
    pub(crate) of_key: fn(&[u8]) -> Option<Cow<'_, [u8]>>,
    /// The one route key of all user keys that begin with some bytes; `None` if nothing is known.
    pub(crate) of_all_below: fn(&[u8]) -> Option<&[u8]>,
}

impl Routes {
    /// Every key is its own route key.
    pub(crate) const NONE: Routes =
        Routes { exempt: &[], of_themselves: &[], of_key: |_| None, of_all_below: |_| None };
}

/// Whether these are findings of which one has that name.
pub(crate) fn is_one_of(findings: &[Finding], name: &str) -> bool {
    findings.iter().any(|finding| finding.name == name)
}

/// What a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject<'k> {
    /// Its name; of a DynamoDB item that of its table, since only the table's schema says what the bytes of its key are.
    pub name: Name,
    /// Of a DynamoDB item the primary key as it is stored, which tells the items of a table apart.
    pub stored_key: Option<&'k [u8]>,
}

impl Subject<'_> {
    /// A scope, or what has a key in it.
    pub(crate) fn of(protocol: Protocol, scope: &[u8], key: Option<Vec<u8>>) -> Self {
        Subject { name: Name { protocol, scope: scope.to_vec(), key: key.into_iter().collect() }, stored_key: None }
    }
}
