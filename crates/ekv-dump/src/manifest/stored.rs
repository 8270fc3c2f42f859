//! A manifest whose text is kept, so that it can be read as often as needed.

use std::io::{self, Read};
use std::marker::PhantomData;
use std::sync::Arc;

use ekv_files::source::read_error;
use ekv_files::{Error, Result};
use ekv_model::Protocol;
use ekv_spill::{Scratch, Spool, Spooled};
use serde::Deserialize;

use super::account::WithReport;
use super::limited::{Reopen, read_value};
use super::names::{AllNames, Told};
use super::{Account, MANIFEST_LEN_MAX, Manifest, ManifestError};

/// Longest text that is kept in memory, in bytes.
const MEMORY_LEN_MAX: usize = 1 << 20;

/// A manifest, with its text.
///
/// Memory: what [`Manifest`] and [`Account`] keep, and at most 1 MiB of the text; the rest is in a scratch file.
pub struct StoredManifest {
    /// What it says.
    pub manifest: Manifest,
    /// What the report of this tool in it says.
    pub account: Account,
    text: Spooled,
}

impl StoredManifest {
    /// The moment of the dump (HLC): the one that was read, else the last commit.
    pub fn read_ts(&self) -> u64 {
        self.account.read_ts.unwrap_or(self.manifest.last_commit_ts)
    }

    /// Reads a manifest to its end and checks it.
    ///
    /// # Errors
    /// As [`Manifest::parse`], if it cannot be read, and if a scratch file fails.
    pub fn read(input: &mut dyn Read, scratch: &Arc<dyn Scratch>) -> Result<Self> {
        let mut spool = Spool::new(Arc::clone(scratch), MEMORY_LEN_MAX);
        let limit = u64::try_from(MANIFEST_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut buffer = [0; 16 << 10];
        let mut input = input.take(limit);
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => spool.write_all(buffer.get(..len).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(error)),
            }
        }
        if spool.len() >= limit {
            return Err(ManifestError::TooLong.into());
        }
        let text = spool.into_reader()?;
        let open: Reopen<'_> = &|| Box::new(text.reader());
        let manifest = Manifest::read(open).map_err(stored_error)?;
        let account = match read_value(open, PhantomData::<WithReport>) {
            Ok(report) => report.into(),
            // Another program may give the member another shape.
            Err(ManifestError::Json(_)) => Account::default(),
            Err(error) => return Err(stored_error(error)),
        };
        Ok(StoredManifest { manifest, account, text })
    }

    /// The report of this tool in it (member `ekv_backup`), whole; empty if there is none, or one of another shape.
    ///
    /// # Errors
    /// [`ManifestError::LongReport`] if the manifest is longer than 1 MiB: what it holds is not kept in memory then.
    pub fn report(&self) -> Result<serde_json::Map<String, serde_json::Value>> {
        #[derive(Deserialize)]
        struct WithReport {
            ekv_backup: Option<serde_json::Map<String, serde_json::Value>>,
        }
        if self.text.as_memory().is_none() {
            return Err(ManifestError::LongReport.into());
        }
        let open: Reopen<'_> = &|| Box::new(self.text.reader());
        match read_value(open, PhantomData::<WithReport>) {
            Ok(read) => Ok(read.ekv_backup.unwrap_or_default()),
            Err(ManifestError::Json(_)) => Ok(serde_json::Map::new()),
            Err(error) => Err(stored_error(error)),
        }
    }

    /// Hands every table, bucket, database and queue that the manifest lists to `take`, with its protocol. However many
    /// there are, one is in memory at a time.
    ///
    /// # Errors
    /// The first error of `take`, and if a scratch file fails.
    pub fn for_each_scope(&self, take: &mut dyn FnMut(Protocol, &str) -> Result<()>) -> Result<()> {
        let mut failed: Option<Error> = None;
        let mut take = |protocol: Protocol, told: Told<'_>| {
            let Told::Scope(name) = told else { return true };
            failed = take(protocol, name).err();
            failed.is_none()
        };
        let read = read_value(&|| Box::new(self.text.reader()), AllNames::new(&mut take));
        match failed {
            Some(error) => Err(error),
            None => read.map_err(stored_error),
        }
    }
}

/// A text that cannot be read from where it is kept is no fault of the manifest.
fn stored_error(error: ManifestError) -> Error {
    match error {
        ManifestError::Reread(error) => read_error(error),
        error => error.into(),
    }
}

impl std::fmt::Debug for StoredManifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredManifest")
            .field("manifest", &self.manifest)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
