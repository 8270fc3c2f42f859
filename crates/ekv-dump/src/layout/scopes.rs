//! The tables, buckets, databases and queues of a dump. Source: `docs/format/tree.md`, sections 6 and 16.

use std::sync::Arc;

use ekv_files::Result;
use ekv_model::{Map, Protocol};
use ekv_spill::{Scratch, Sorter, Spool};

use crate::DumpWriter;
use crate::manifest::{Adapters, SCOPES_LEN_MAX, scope_len};
use crate::scope_list::{ListedScope, SCOPES_FILE};

/// Memory for sorting names that are too many for the manifest, in bytes.
const SORT_BUDGET_LEN: usize = 1 << 20;
/// Memory for their lines, in bytes.
const LINES_BUDGET_LEN: usize = 64 << 10;

/// The scopes that have a directory in the dump; adapters that were not asked for are left out by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Names of tables, buckets and queues in byte order, empty if SCOPES.jsonl lists them; numbers of databases, ascending.
    pub names: Map<Vec<String>>,
    /// How many tables, buckets and queues SCOPES.jsonl lists; `None` = there is no such file.
    pub listed: Option<u64>,
    /// Whether an S3 object was renamed because its key ends like the name of a metadata file.
    pub has_s3_meta_suffix_rename: bool,
}

impl Scopes {
    /// The scopes of a protocol.
    pub fn of(&self, protocol: Protocol) -> &[String] {
        self.names.get(protocol)
    }

    /// The scopes as the manifest lists them, for the adapters that were asked for. A file system is listed if there is one: the manifest of
    /// a store without is what it was before there were any.
    pub fn to_adapters(&self, included: &Map<bool>) -> Adapters {
        let is_told = |protocol: &Protocol| Adapters::tells_of_nothing(*protocol) || !self.of(*protocol).is_empty();
        let included = Protocol::ALL.into_iter().filter(|protocol| included.has(*protocol) && is_told(protocol));
        included.fold(Adapters::default(), |adapters, protocol| adapters.with(protocol, self.of(protocol)))
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
    /// Numbers in ascending order, which are always in the manifest.
    pub(crate) fn of_numbers(numbers: impl Iterator<Item = u32>) -> Self {
        ScopeNames { names: numbers.map(|number| number.to_string()).collect(), len: 0, spilled: None }
    }

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

    fn into_sorted(self, protocol: Protocol) -> Vec<String> {
        let mut names = self.names;
        if !protocol.has_numbered_scopes() {
            names.sort_unstable();
        }
        names
    }
}

/// The lists for the manifest; where they are too long for it they become a file, and its number of lines.
pub(crate) fn finish(mut all: Map<ScopeNames>, writer: &mut DumpWriter) -> Result<Scopes> {
    let len = Protocol::ALL.into_iter().fold(0_usize, |sum, protocol| sum.saturating_add(all.get(protocol).len));
    let is_listed = len > SCOPES_LEN_MAX;
    let scratch = writer.scratch();
    let mut lines = Spool::new(Arc::clone(&scratch), LINES_BUDGET_LEN);
    let (mut scopes, mut count) = (Scopes::default(), 0_u64);
    for protocol in Protocol::IN_DUMPS {
        let own = std::mem::take(all.get_mut(protocol));
        match is_listed && own.len > 0 {
            true => count = count.saturating_add(own.write_lines(protocol.name(), &mut lines, &scratch)?),
            false => *scopes.names.get_mut(protocol) = own.into_sorted(protocol),
        }
    }
    if is_listed {
        writer.write_spooled_file(SCOPES_FILE, &lines.into_reader()?)?;
        scopes.listed = Some(count);
    }
    Ok(scopes)
}
