//! The tables, buckets, databases and queues of a dump. Source: `docs/format/tree.md`, sections 6 and 16.

use std::sync::Arc;

use ekv_files::Result;
use ekv_model::{Map, Protocol};
use ekv_spill::{Scratch, Sorter, Spool};

use crate::DumpWriter;
use crate::manifest::{Adapters, DynamodbScopes, RedisScopes, S3Scopes, SCOPES_LEN_MAX, SqsScopes, scope_len};
use crate::scope_list::{ListedScope, SCOPES_FILE};

/// Memory for sorting names that are too many for the manifest, in bytes.
const SORT_BUDGET_LEN: usize = 1 << 20;
/// Memory for their lines, in bytes.
const LINES_BUDGET_LEN: usize = 64 << 10;

/// The scopes that have a directory in the dump; adapters that were not asked for are left out by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// DynamoDB tables, in byte order; empty if SCOPES.jsonl lists them.
    pub tables: Vec<String>,
    /// Redis databases, ascending.
    pub databases: Vec<u32>,
    /// S3 buckets, in byte order; empty if SCOPES.jsonl lists them.
    pub buckets: Vec<String>,
    /// SQS queues, in byte order; empty if SCOPES.jsonl lists them.
    pub queues: Vec<String>,
    /// How many tables, buckets and queues SCOPES.jsonl lists; `None` = there is no such file.
    pub listed: Option<u64>,
    /// Whether an S3 object was renamed because its key ends like the name of a metadata file.
    pub has_s3_meta_suffix_rename: bool,
}

impl Scopes {
    /// The scopes as the manifest lists them, for the adapters that were asked for.
    pub fn to_adapters(&self, included: &Map<bool>) -> Adapters {
        Adapters {
            dynamodb: included.has(Protocol::DynamoDb).then(|| DynamodbScopes { tables: self.tables.clone() }),
            s3: included.has(Protocol::S3).then(|| S3Scopes { buckets: self.buckets.clone() }),
            redis: included.has(Protocol::Redis).then(|| RedisScopes { databases: self.databases.clone() }),
            sqs: included.has(Protocol::Sqs).then(|| SqsScopes { queues: self.queues.clone() }),
        }
    }
}

/// The names of one protocol, as they come. Memory: as much as a manifest holds, and a sorter if there are more.
#[derive(Default)]
pub(crate) struct ScopeNames {
    names: Vec<String>,
    len: usize,
    spilled: Option<Sorter>,
}

impl ScopeNames {
    pub(crate) fn push(&mut self, name: &str, scratch: &Arc<dyn Scratch>) -> Result<()> {
        self.len = self.len.saturating_add(scope_len(name));
        if let Some(sorter) = &mut self.spilled {
            return Ok(sorter.push(name.as_bytes(), b"")?);
        }
        self.names.push(name.to_owned());
        if self.len > SCOPES_LEN_MAX {
            self.spill(scratch)?;
        }
        Ok(())
    }

    fn spill(&mut self, scratch: &Arc<dyn Scratch>) -> Result<&mut Sorter> {
        let sorter = self.spilled.get_or_insert_with(|| Sorter::new(Arc::clone(scratch), SORT_BUDGET_LEN));
        for name in std::mem::take(&mut self.names) {
            sorter.push(name.as_bytes(), b"")?;
        }
        Ok(sorter)
    }

    /// Appends the lines of all names in byte order; tells how many there are.
    fn write_lines(mut self, adapter: &'static str, out: &mut Spool, scratch: &Arc<dyn Scratch>) -> Result<u64> {
        self.spill(scratch)?;
        let Some(sorter) = self.spilled else { return Ok(0) };
        let mut sorted = sorter.finish()?;
        let mut line = Vec::new();
        while let Some((name, _)) = sorted.next()? {
            line.clear();
            // Only text was pushed.
            ListedScope { adapter: adapter.into(), name: String::from_utf8_lossy(name) }.write_into(&mut line);
            out.write_all(&line)?;
        }
        Ok(sorted.len())
    }

    fn into_sorted(self) -> Vec<String> {
        let mut names = self.names;
        names.sort_unstable();
        names
    }
}

/// The names of all protocols that have them.
pub(crate) struct AllNames {
    pub(crate) tables: ScopeNames,
    pub(crate) buckets: ScopeNames,
    pub(crate) queues: ScopeNames,
}

impl AllNames {
    /// The lists for the manifest; where they are too long for it they become a file, and its number of lines.
    pub(crate) fn finish(self, writer: &mut DumpWriter) -> Result<Scopes> {
        let AllNames { tables, buckets, queues } = self;
        let len = [&tables, &buckets, &queues].iter().fold(0_usize, |sum, names| sum.saturating_add(names.len));
        if len <= SCOPES_LEN_MAX {
            return Ok(Scopes {
                tables: tables.into_sorted(),
                buckets: buckets.into_sorted(),
                queues: queues.into_sorted(),
                ..Scopes::default()
            });
        }
        let scratch = writer.scratch();
        let mut lines = Spool::new(Arc::clone(&scratch), LINES_BUDGET_LEN);
        let mut count = 0_u64;
        for (adapter, names) in [("dynamodb", tables), ("s3", buckets), ("sqs", queues)] {
            count = count.saturating_add(names.write_lines(adapter, &mut lines, &scratch)?);
        }
        writer.write_spooled_file(SCOPES_FILE, &lines.into_reader()?)?;
        Ok(Scopes { listed: Some(count), ..Scopes::default() })
    }
}
