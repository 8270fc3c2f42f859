//! What is read back when a load into a server is done. Source: `docs/format/redis-live.md`, section 9.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_live::{Compare as _, Feed, Fingerprint, KeyReader, Servers, is_same_time};
use ekv_model::redis::Event;
use ekv_model::{Consumer, Error, Event as AnyEvent, Result};
use ekv_spill::{Scratch, Sorter};

use super::aws::Verify;
use super::ledger::Verified;
use super::preflight::address;
use super::renames::Renames;
use super::sample::Sample;
use super::served::{AsServed, Served};
use crate::digest::Aspects;
use crate::losses::scratch_error;
use crate::progress::Progress;
use crate::server::{Names, Wanted, pour_keys};

/// Longest name of a key that is chosen to be read back, in bytes.
const SAMPLED_NAME_LEN_MAX: usize = 64 << 10;
/// Memory for putting keys in order, in bytes.
const SORT_BUDGET: usize = 8 << 20;
/// Keys that are asked for at a time.
const ASKED: usize = 500;
/// Stands for an expiry that there is none.
const NEVER: u64 = u64::MAX;

/// What is known of the keys that are to be read back.
pub(crate) struct ReadBack {
    how: How,
    scratch: Arc<dyn Scratch>,
    /// The first failure to note a key.
    failed: Option<Error>,
}

enum How {
    Nothing,
    Sample(Sample<(Vec<u8>, Fingerprint)>),
    All(Box<All>),
}

/// What is known of all keys.
struct All {
    /// Of those that are under way, by their numbers.
    pending: BTreeMap<u64, Vec<u8>>,
    names: Sorter,
    rows: Sorter,
    has_values: bool,
}

/// Where and when it is read.
pub(crate) struct Reading<'r> {
    pub(crate) servers: &'r mut Servers,
    /// Version of Redis that the target is compatible with.
    pub(crate) version: (u64, u64),
    /// The clock of the target, in Unix milliseconds.
    pub(crate) now_ms: u64,
    pub(crate) progress: &'r dyn Progress,
}

impl ReadBack {
    pub(crate) fn new(verify: Verify, seed: u64, scratch: &Arc<dyn Scratch>) -> Self {
        let sorter = || Sorter::new(Arc::clone(scratch), SORT_BUDGET);
        let all = |has_values| {
            How::All(Box::new(All { pending: BTreeMap::new(), names: sorter(), rows: sorter(), has_values }))
        };
        let how = match verify {
            Verify::None => How::Nothing,
            Verify::Sample(most) => How::Sample(Sample::new(most, seed)),
            Verify::Count | Verify::List => all(false),
            Verify::Full => all(true),
        };
        ReadBack { how, scratch: Arc::clone(scratch), failed: None }
    }

    /// A key is about to be sent. Memory: 40 bytes for each key that is under way.
    ///
    /// # Errors
    /// Of what is fed.
    pub(crate) fn sending(
        &mut self,
        number: u64,
        name: &[u8],
        expire_at_ms: Option<u64>,
        feed: Feed<'_>,
    ) -> Result<()> {
        match &mut self.how {
            How::Nothing => {}
            How::Sample(sample) => {
                let place = sample.choose().filter(|_| name.len() <= SAMPLED_NAME_LEN_MAX);
                if let Some(place) = place
                    && let Some(fingerprint) = AsServed.fingerprint(feed)?
                {
                    sample.put(place, number, (name.to_vec(), fingerprint));
                }
            }
            How::All(all) => {
                let value = match all.has_values {
                    true => AsServed.fingerprint(feed)?.map(|fingerprint| fingerprint.value).unwrap_or_default(),
                    false => Vec::new(),
                };
                all.pending.insert(number, row(expire_at_ms, &value));
            }
        }
        Ok(())
    }

    /// A key is done.
    pub(crate) fn settled(&mut self, number: u64, name: &[u8], is_loaded: bool) {
        match &mut self.how {
            How::Nothing => {}
            How::Sample(sample) if !is_loaded => sample.forget(number),
            How::Sample(_) => {}
            How::All(all) => {
                let All { pending, names, rows, .. } = all.as_mut();
                let Some(row) = pending.remove(&number).filter(|_| is_loaded) else { return };
                let noted = rows.push(name, &row).and_then(|()| names.push(name, b"")).map_err(scratch_error);
                if let Err(error) = noted {
                    self.failed.get_or_insert(error);
                }
            }
        }
    }

    /// Reads back; `None` if nothing is to be.
    ///
    /// # Errors
    /// Of the connections and of scratch files.
    pub(crate) fn check(self, reading: &mut Reading<'_>) -> Result<Option<Verified>> {
        let ReadBack { how, scratch, failed } = self;
        if let Some(error) = failed {
            return Err(error);
        }
        let mut verified = Verified::default();
        match how {
            How::Nothing => return Ok(None),
            How::Sample(sample) => {
                for (name, fingerprint) in sample.into_rows() {
                    let theirs = reading.fingerprint(&name, &scratch)?;
                    let theirs = theirs.as_ref().map(|theirs| (theirs.expire_at_ms, theirs.value.as_slice()));
                    reading.judge(&name, (fingerprint.expire_at_ms, &fingerprint.value), theirs, &mut verified)?;
                }
            }
            How::All(all) => match *all {
                All { rows, has_values: false, .. } => reading.look_for(rows, &mut verified)?,
                All { rows, names, has_values: true, .. } => reading.compare(rows, names, &scratch, &mut verified)?,
            },
        }
        Ok(Some(verified))
    }
}

/// What is kept of a key: its expiry, and what its value boils down to.
fn row(expire_at_ms: Option<u64>, value: &[u8]) -> Vec<u8> {
    [&expire_at_ms.unwrap_or(NEVER).to_le_bytes(), value].concat()
}

fn parts(row: &[u8]) -> (Option<u64>, &[u8]) {
    let (expiry, value) = row.split_first_chunk::<8>().unwrap_or((&[0xff; 8], &[]));
    (Some(u64::from_le_bytes(*expiry)).filter(|at_ms| *at_ms != NEVER), value)
}

impl Reading<'_> {
    fn fingerprint(&mut self, name: &[u8], scratch: &Arc<dyn Scratch>) -> Result<Option<Fingerprint>> {
        let place = self.servers.place_of(name).clone();
        let (mut ahead, mut after) = (self.servers.connect(&place)?, self.servers.connect(&place)?);
        let mut reader = KeyReader::new(&mut ahead, &mut after, scratch, 0, self.version);
        AsServed.fingerprint(&mut |consumer| Ok(reader.read(&[name], consumer)?))
    }

    /// Counts a key that was read back.
    fn judge(
        &self,
        name: &[u8],
        (expire_at_ms, value): (Option<u64>, &[u8]),
        theirs: Option<(Option<u64>, &[u8])>,
        verified: &mut Verified,
    ) -> Result<()> {
        verified.count = verified.count.saturating_add(1);
        let is_same =
            theirs.is_some_and(|(expiry, other)| other == value && is_same_time(expiry, expire_at_ms, self.version));
        if theirs.is_none() && expire_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
            verified.expired = verified.expired.saturating_add(1);
        } else if !is_same {
            verified.differs(|| address(name));
        }
        Ok(self.progress.advance(1)?)
    }

    /// Whether the keys are there.
    fn look_for(&mut self, rows: Sorter, verified: &mut Verified) -> Result<()> {
        let mut sorted = rows.finish().map_err(scratch_error)?;
        loop {
            let mut batch: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            while batch.len() < ASKED
                && let Some((name, row)) = sorted.next().map_err(scratch_error)?
            {
                batch.push((name.to_vec(), row.to_vec()));
            }
            if batch.is_empty() {
                return Ok(());
            }
            let names: Vec<&[u8]> = batch.iter().map(|(name, _)| name.as_slice()).collect();
            let there = self.servers.are_there(&names)?;
            for ((name, row), is_there) in batch.iter().zip(there) {
                let ours = parts(row);
                self.judge(name, ours, is_there.then_some(ours), verified)?;
            }
        }
    }

    /// Whether the keys are what they were.
    fn compare(
        &mut self,
        rows: Sorter,
        names: Sorter,
        scratch: &Arc<dyn Scratch>,
        verified: &mut Verified,
    ) -> Result<()> {
        let mut theirs = Sorter::new(Arc::clone(scratch), SORT_BUDGET);
        let mut prints =
            Prints { aspects: Aspects::new(false), rows: &mut theirs, key: Vec::new(), expire_at_ms: None };
        let as_they_are = Renames::default();
        let mut served = Served::new(&mut prints, &as_they_are);
        let database = self.servers.database();
        let names = Names { database, wanted: Wanted::These(names), version: self.version, field_expiry: None };
        pour_keys(self.servers, names, &mut served, &mut |_, _| Ok(()), scratch)?;
        let (mut ours, mut theirs) = (rows.finish().map_err(scratch_error)?, theirs.finish().map_err(scratch_error)?);
        let mut their: Option<(Vec<u8>, Vec<u8>)> = None;
        while let Some((name, row)) = ours.next().map_err(scratch_error)? {
            while their.as_ref().is_none_or(|(other, _)| other.as_slice() < name)
                && let Some((other, row)) = theirs.next().map_err(scratch_error)?
            {
                their = Some((other.to_vec(), row.to_vec()));
            }
            let found = their.as_ref().filter(|(other, _)| other == name).map(|(_, row)| parts(row));
            self.judge(name, parts(row), found, verified)?;
        }
        Ok(())
    }
}

/// Takes what keys boil down to.
struct Prints<'p> {
    aspects: Aspects,
    rows: &'p mut Sorter,
    key: Vec<u8>,
    expire_at_ms: Option<u64>,
}

impl Consumer for Prints<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        let begun = match &event {
            AnyEvent::Redis { event: Event::Scalar { key, expiry, .. }, .. } => {
                Some((*key, expiry.map(|expiry| expiry.at_ms)))
            }
            AnyEvent::Redis { event: Event::Begin { key, expire_at_ms, .. }, .. } => Some((*key, *expire_at_ms)),
            _ => None,
        };
        if let Some((key, expire_at_ms)) = begun {
            self.key.clear();
            self.key.extend_from_slice(key);
            self.expire_at_ms = expire_at_ms;
        }
        if let Some(fingerprint) = self.aspects.event(&event)? {
            let row = row(self.expire_at_ms, fingerprint.value.as_slice());
            self.rows.push(&self.key, &row).map_err(scratch_error)?;
        }
        Ok(())
    }
}
