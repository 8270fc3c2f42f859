//! Pass 1 over everything that the user named: checked and indexed snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_adapters::{Family, Role};
use ekv_model::{Example, Finding, Findings, Result};
use ekv_node::datadir::{self, Candidates, GroupDir, Note};
use ekv_node::offload::{self, OffloadStore, Published, StoreSelection};
use ekv_snapshot::{
    CommitTs, Error, ErrorKind, FooterPolicy, Form, Input, OneFamily, Scan, ScanOptions, Watermarks, scan,
};
use ekv_spill::Scratch;

use crate::answerable;
use crate::index_cache::{IndexCache, Pass1, pass_1};
use crate::loaded::{Loaded, LoadedSnapshot, NEWER_SNAPSHOT, OLDER_SNAPSHOT, ReadOptions};
use crate::losses::LossFile;
use crate::offload::{OffloadReport, StoreListing};
use crate::open::{FSM_FOLDER, too_many_bytes};
use crate::progress::{Phase, Progress};
use crate::{CommandError, Opened, ReadTime, open};

/// What pass 1 found besides, which counts once it is known that the snapshot is used.
struct Found {
    losses: Arc<LossFile>,
    unknown_prefixes: Vec<(Vec<u8>, u64)>,
}

/// An older snapshot was read.
const OLDER_FOR_TIME: Finding = Finding::warning(
    "groups_older_snapshot_for_time",
    "groups of which an older snapshot was read, because the newest one no longer answers the time that was asked for; --allow-older wants it so",
);

/// Opens and checks what `argument` names. Nothing is written but nameless scratch files.
pub(crate) fn load(
    argument: &Path,
    options: &ReadOptions,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Loaded> {
    let mut loader = Loader::new(options, scratch, progress);
    progress.begin(Phase::Check, None);
    let mut notes = Vec::new();
    let opened = open(argument, &options.resources, scratch, progress)?;
    if !options.offload.is_empty() && !matches!(opened, Opened::OffloadStore(_)) {
        let what = "--group, --snapshot and --published-before choose in an offload store, and this is none".to_owned();
        return Err(Error::new(ErrorKind::Ambiguous { what }).in_file(&argument.display().to_string()).into());
    }
    let mut listing = None;
    let snapshots = match opened {
        Opened::Snapshot(opened) => {
            let group_id = group_of_file(argument);
            let sha256 = offload::payload_sha256(argument).filter(|_| !opened.was_compressed);
            let mut snapshot = match sha256 {
                Some(sha256) => loader.payload(opened.input, &sha256, None, None, None, None)?,
                None => loader.snapshot(opened.input, group_id, opened.snapshot_index, &[], None)?,
            };
            if let (Some(path), Some(index)) = (directory_of_group(argument), opened.snapshot_index) {
                let mut candidates = GroupDir { path: path.to_path_buf(), group_id }.candidates();
                let older = loader.older_answer(&mut candidates, &snapshot, index, false)?;
                snapshot.older_answer = older.map(|(path, ..)| path);
            }
            vec![snapshot]
        }
        Opened::DataDirectory(groups) => loader.groups(argument, &groups, &mut notes)?,
        Opened::OffloadStore(place) => {
            let store = OffloadStore::open(&place)?;
            let (unnamed, unfinished) = (store.unnamed_payloads, store.unfinished);
            if unnamed.saturating_add(unfinished) > 0 {
                notes.push(format!(
                    "passed over in the store: {unnamed} payloads that no manifest names, {unfinished} unfinished files"
                ));
            }
            listing = Some(StoreListing::from(&store));
            loader.offload_store(&store, &place).map_err(|e| in_store(e, &place))?
        }
    };
    Ok(Loaded { listing, ..loader.loaded(snapshots, notes) })
}

/// Names the store in an error that names no file.
fn in_store(error: ekv_model::Error, place: &StoreSelection) -> ekv_model::Error {
    match error.downcast::<Error>() {
        Ok(error) => error.in_file(&place.root.display().to_string()).into(),
        Err(error) => error,
    }
}

/// The directory of the group of a snapshot file that lies in one, `group-2/fsm-snap/….fsm`.
fn directory_of_group(path: &Path) -> Option<&Path> {
    let folder = path.parent()?;
    folder.file_name().is_some_and(|name| name == FSM_FOLDER).then(|| folder.parent()).flatten()
}

fn group_of_file(path: &Path) -> Option<u64> {
    datadir::group_id(directory_of_group(path)?)
}

/// Checks one snapshot that is open already.
pub(crate) fn load_input(
    input: Input,
    options: &ReadOptions,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Loaded> {
    let mut loader = Loader::new(options, scratch, progress);
    let snapshots = vec![loader.snapshot(input, None, None, &[], None)?];
    Ok(loader.loaded(snapshots, Vec::new()))
}

struct Loader<'a> {
    options: &'a ReadOptions,
    scratch: &'a Arc<dyn Scratch>,
    progress: &'a dyn Progress,
    /// Of the snapshots that are used; bounded, since each gives a bounded number.
    unknown_prefixes: BTreeMap<Vec<u8>, u64>,
    losses: Arc<LossFile>,
}

impl<'a> Loader<'a> {
    fn new(options: &'a ReadOptions, scratch: &'a Arc<dyn Scratch>, progress: &'a dyn Progress) -> Self {
        let losses = LossFile::new(scratch);
        Loader { options, scratch, progress, unknown_prefixes: BTreeMap::new(), losses }
    }

    /// The moment at which pass 1 counts. What is kept beyond this run is the newest state.
    fn counted_at(&self) -> Option<CommitTs> {
        self.options.at.filter(|_| self.index().is_none()).and_then(ReadTime::absolute)
    }

    fn index(&self) -> Option<&IndexCache> {
        // What an index leads to is not decrypted.
        let index = self.options.index.as_ref().filter(|_| self.options.keys.is_none());
        index.filter(|_| self.options.at.is_none() || self.options.estimates)
    }

    fn loaded(self, mut snapshots: Vec<LoadedSnapshot>, notes: Vec<String>) -> Loaded {
        if snapshots.len() > 1 {
            for (number, snapshot) in (0..).zip(&mut snapshots) {
                snapshot.file = snapshot.file.clone().numbered(number);
            }
            self.losses.name_snapshots(snapshots.iter().map(|snapshot| snapshot.place.clone()).collect());
        }
        Loaded {
            snapshots,
            notes,
            counted_at: self.counted_at(),
            unknown_prefixes: self.unknown_prefixes.into_iter().collect(),
            losses: self.losses,
            listing: None,
        }
    }
}

impl Loader<'_> {
    /// Checks a snapshot that is used; `place` names it where it is one of several.
    fn snapshot(
        &mut self,
        input: Input,
        group_id: Option<u64>,
        snapshot_index: Option<u64>,
        notes: &[Note],
        place: Option<String>,
    ) -> Result<LoadedSnapshot> {
        let (snapshot, found) = self.check(input, group_id, snapshot_index, notes, place)?;
        self.count(found)?;
        Ok(snapshot)
    }

    /// Lets count what was found in a snapshot.
    fn count(&mut self, found: Found) -> Result<()> {
        self.losses.append(&found.losses)?;
        for (prefix, records) in found.unknown_prefixes {
            let sum = self.unknown_prefixes.entry(prefix).or_default();
            *sum = sum.saturating_add(records);
        }
        Ok(())
    }

    /// Checks a snapshot. What was found in one that is not used counts for nothing.
    fn check(
        &self,
        mut input: Input,
        group_id: Option<u64>,
        snapshot_index: Option<u64>,
        notes: &[Note],
        place: Option<String>,
    ) -> Result<(LoadedSnapshot, Found)> {
        // The checksum of a `.snap` file covers what lies in it.
        let is_in_snap = notes.iter().any(|note| matches!(note, Note::Inline | Note::NoState))
            || input.footer == FooterPolicy::Elsewhere;
        if self.options.require_checksum && !is_in_snap {
            input.footer = FooterPolicy::Required;
        }
        let resources = &self.options.resources;
        if let Some(max) = resources.bytes_max.filter(|max| input.len > *max) {
            return Err(Error::new(too_many_bytes(max)).in_file(&input.name).into());
        }
        self.progress.begin(Phase::Check, Some(input.len));
        let losses = self.losses.another(place);
        let scan_options = ScanOptions {
            read_ts: self.counted_at(),
            entries_max: resources.entries_max.unwrap_or(u64::MAX),
            losses: Some(losses.clone()),
            keys: self.options.keys.clone(),
            looks_for_rebadged: self.options.looks_for_rebadged,
            ..ScanOptions::default()
        };
        let Pass1 { scan, file, unknown_prefixes, index } = match self.index() {
            Some(cache) => cache.pass_1(&input, &scan_options, self.scratch, self.progress)?,
            None => pass_1(&input, &scan_options, self.scratch, self.progress)?,
        };
        let is_proven = is_in_snap
            || scan.envelope.footer_crc32c.is_some()
            || matches!(scan.envelope.form, Form::MemoryStore | Form::SstIngest);
        if !is_proven {
            check_is_whole(&input, &scan, self.options.allow_empty)?;
        }
        let snapshot = LoadedSnapshot {
            scan,
            file,
            bytes: input.len,
            input_name: input.name,
            is_proven,
            findings: Findings::with_log(Some(self.losses.clone())),
            place: None,
            group_id,
            snapshot_index,
            notes: notes.iter().map(Note::to_string).collect(),
            offload: None,
            index,
            older_answer: None,
        };
        Ok((snapshot, Found { losses, unknown_prefixes }))
    }

    /// Checks a payload of an offload store, whose SHA-256 is known.
    fn payload(
        &mut self,
        input: Input,
        sha256: &[u8; 32],
        source_crc32c: Option<u32>,
        group_id: Option<u64>,
        snapshot_index: Option<u64>,
        place: Option<String>,
    ) -> Result<LoadedSnapshot> {
        let stamp = || input.source.stamp().map_err(|e| Error::io("examine the file", e).in_file(&input.name));
        let before = stamp()?;
        self.progress.begin(Phase::Check, Some(input.len));
        let crc32c = offload::verify_payload(&input, sha256, source_crc32c, &|len| Ok(self.progress.advance(len)?))?;
        let proven = Input { footer: FooterPolicy::Elsewhere, ..input.clone() };
        let mut loaded = self.snapshot(proven, group_id, snapshot_index, &[], place)?;
        if stamp()? != before {
            return Err(Error::new(ErrorKind::Changed).in_file(&input.name).into());
        }
        // The footer that the file had on its node.
        loaded.scan.envelope.footer_crc32c.get_or_insert(crc32c);
        Ok(loaded)
    }

    /// The snapshots of an offload store that are meant.
    fn offload_store(&mut self, store: &OffloadStore, place: &StoreSelection) -> Result<Vec<LoadedSnapshot>> {
        let groups = self.options.offload.groups(store, place)?;
        let is_one_of_several = groups.len() > 1;
        groups.into_iter().map(|id| self.offload_group(store, place, id, is_one_of_several)).collect()
    }

    /// The best snapshot of a group in an offload store that passes all checks.
    fn offload_group(
        &mut self,
        store: &OffloadStore,
        place: &StoreSelection,
        group_id: u64,
        is_one_of_several: bool,
    ) -> Result<LoadedSnapshot> {
        let is_exact = self.options.offload.is_exact(place);
        let mut rejected: Vec<(String, String)> = Vec::new();
        for listed in self.options.offload.candidates(store, group_id, place)? {
            let name = listed.path.strip_prefix(&place.root).unwrap_or(&listed.path).display().to_string();
            let manifest = match &listed.manifest {
                Ok(manifest) => manifest,
                Err(error) => {
                    rejected.push((name, error.kind().to_string()));
                    continue;
                }
            };
            match self.published(store, manifest, is_one_of_several.then(|| name.clone())) {
                Ok(mut loaded) => {
                    loaded.notes.iter_mut().for_each(|note| *note = format!("{name}: {note}"));
                    for (file, why) in rejected {
                        loaded.findings.record(OLDER_SNAPSHOT.accepted_if(self.options.allow_older), || {
                            Example::new(None, None, format!("passed over {file}: {why}; took {name}"))
                        });
                    }
                    loaded.place = Some(name);
                    return Ok(loaded);
                }
                Err(error) if is_exact || is_limit(&error) || !is_about_payload(&error) => return Err(error),
                Err(error) => rejected.push((name, error.to_string())),
            }
        }
        let tried = rejected.len();
        let reason = match rejected.into_iter().next() {
            Some((file, why)) => format!("no usable snapshot of group {group_id} ({tried} tried); {file}: {why}"),
            None => format!("no snapshot of group {group_id} was published before that time"),
        };
        let kind = if tried > 0 {
            ErrorKind::Invalid { structure: "offload store", reason }
        } else {
            ErrorKind::NotFound { reason }
        };
        Err(Error::new(kind).into())
    }

    fn published(
        &mut self,
        store: &OffloadStore,
        manifest: &offload::Manifest,
        place: Option<String>,
    ) -> Result<LoadedSnapshot> {
        let Published { input, notes } = store.payload(manifest)?;
        let (group_id, index) = (Some(manifest.group_id), Some(manifest.index));
        let (sha256, crc32c) = (&manifest.payload_sha256, manifest.source_crc32c);
        let loaded = self.payload(input, sha256, crc32c, group_id, index, place)?;
        Ok(LoadedSnapshot { notes, offload: Some(OffloadReport::from(manifest)), ..loaded })
    }

    /// The newest snapshot of every group. A group of a node that never had one is passed over: the routing catalog says whether it matters.
    fn groups(&mut self, argument: &Path, groups: &[GroupDir], notes: &mut Vec<String>) -> Result<Vec<LoadedSnapshot>> {
        let mut loaded = Vec::new();
        let mut first_without = None;
        for group in groups {
            match self.group(argument, group, groups.len() > 1) {
                Ok(snapshot) => loaded.push(snapshot),
                Err(error) if group.group_id.is_some() && has_no_snapshot(&error) => {
                    notes.push(error.to_string());
                    first_without.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match first_without {
            Some(error) if !loaded.iter().any(LoadedSnapshot::is_data_group) => Err(error),
            _ => Ok(loaded),
        }
    }

    /// The newest snapshot of a group of the data directory `argument` that passes all checks.
    fn group(&mut self, argument: &Path, group: &GroupDir, is_one_of_several: bool) -> Result<LoadedSnapshot> {
        let below = |path: &Path| path.strip_prefix(argument).unwrap_or(path).display().to_string();
        let mut candidates = group.candidates();
        while let Some(found) = candidates.next()? {
            let place = below(&found.path);
            let one_of_several = is_one_of_several.then(|| place.clone());
            match self.check(found.input.clone(), found.group_id, found.file_index, &found.notes, one_of_several) {
                Ok((mut loaded, mut counted)) => {
                    for note in &mut loaded.notes {
                        *note = format!("{place}: {note}");
                    }
                    loaded.place = Some(place);
                    self.look_for_newer(&mut candidates, &mut loaded, below)?;
                    // A state counts once, whether its `.snap` file, its `.fsm` file or both are damaged.
                    let mut states = BTreeSet::new();
                    for rejected in candidates.rejected() {
                        // What is a finding is no note.
                        if !rejected.is_newer(&found) || !states.insert(rejected.index()) {
                            loaded.notes.push(format!("passed over {rejected}"));
                            continue;
                        }
                        loaded.findings.record(OLDER_SNAPSHOT.accepted_if(self.options.allow_older), || {
                            let (file, why) = (below(&rejected.path), rejected.error.kind());
                            let detail = format!("passed over {file}: {why}; took {}", below(&found.path));
                            Example::new(None, None, detail)
                        });
                    }
                    loaded.notes.extend(compressed(group, found.file_index)?);
                    let index = found.file_index.unwrap_or(0);
                    match self.older_answer(&mut candidates, &loaded, index, is_one_of_several)? {
                        Some((path, mut older, of_older)) if self.options.allow_older => {
                            let newest = answerable::span(&[loaded.answerable()]);
                            let newest = format!("{} answers times {newest}", loaded.place.unwrap_or_default());
                            older.notes.extend(loaded.notes);
                            older.findings = loaded.findings;
                            older.findings.record(OLDER_FOR_TIME, || {
                                Example::new(None, None, format!("took {}; {newest}", below(&path)))
                            });
                            older.place = Some(below(&path));
                            (loaded, counted) = (older, of_older);
                        }
                        older => loaded.older_answer = older.map(|(path, ..)| path),
                    }
                    self.count(counted)?;
                    return Ok(loaded);
                }
                Err(error) if error.class() == ekv_model::Class::Data && !is_limit(&error) => {
                    match into_snapshot_error(error) {
                        Ok(error) => candidates.reject(&found, error),
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(candidates.into_error().into())
    }

    /// The newest snapshot of the group of `taken`, older than Raft index `index`, that answers the time that is asked for, where `taken` no
    /// longer does.
    fn older_answer(
        &self,
        candidates: &mut Candidates,
        taken: &LoadedSnapshot,
        index: u64,
        is_one_of_several: bool,
    ) -> Result<Option<(PathBuf, LoadedSnapshot, Found)>> {
        let at = self.options.at.map(|at| at.commit_ts(taken.answerable().newest));
        let Some(at) = at.filter(|at| taken.is_data_group() && answerable::is_compacted(&taken.scan, *at)) else {
            return Ok(None);
        };
        while let Some(found) = candidates.next()? {
            if found.file_index.is_none_or(|found| found >= index) {
                continue;
            }
            let place = is_one_of_several.then(|| found.path.display().to_string());
            match self.check(found.input.clone(), found.group_id, found.file_index, &found.notes, place) {
                Ok((older, of_older)) if answerable::answers(&older.scan, at) => {
                    return Ok(Some((found.path, older, of_older)));
                }
                Err(error) if error.class() != ekv_model::Class::Data => return Err(error),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Tells of a newer snapshot of the same group that no `.snap` file names, if it is intact; notes why if it is not.
    fn look_for_newer(
        &self,
        candidates: &mut Candidates,
        taken: &mut LoadedSnapshot,
        below: impl Fn(&Path) -> String,
    ) -> Result<()> {
        let Some(index) = taken.snapshot_index else { return Ok(()) };
        while let Some(newer) = candidates.next_unnamed_above(index)? {
            self.progress.begin(Phase::Check, Some(newer.input.len));
            match scan(&newer.input, &ScanOptions::default(), &mut OneFamily, self.scratch, self.progress) {
                Ok(_) => {
                    let file = newer.path.display();
                    taken.notes.push(format!(
                        "{file} is newer and intact, but no .snap file names it: to use it, name the file"
                    ));
                    taken.findings.record(NEWER_SNAPSHOT.accepted_if(self.options.allow_older), || {
                        Example::new(None, None, format!("{} was passed over", below(&newer.path)))
                    });
                    return Ok(());
                }
                Err(error) if error.class() == ekv_model::Class::Data => candidates.reject(&newer, error),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Tells of snapshots that somebody compressed, beside the one with Raft index `taken`: no server reads them, nor does who reads the directory.
fn compressed(group: &GroupDir, taken: Option<u64>) -> Result<Option<String>> {
    Ok(group.newest_compressed()?.map(|(path, index)| {
        let is_newer = taken.is_none_or(|taken| index > taken);
        let newer = if is_newer { ", is newer than what was taken," } else { "" };
        format!("{} is compressed{newer} and was not looked at: to use it, name the file", path.display())
    }))
}

/// Refuses what a failed program, a cut copy or a full disk leaves behind, where no checksum says that it is what was written.
fn check_is_whole(input: &Input, scan: &Scan, is_empty_allowed: bool) -> Result<()> {
    let file = || input.name.clone();
    // A program that failed before the pipe looks like this, too.
    if input.len == 0 && !is_empty_allowed {
        let reason = "it is empty (--allow-empty takes it all the same)".to_owned();
        return Err(Error::new(ErrorKind::NotFound { reason }).in_file(&input.name).into());
    }
    match scan.envelope.form {
        Form::TimestampOracle { .. } => Ok(()),
        _ if !has_data(scan) && is_empty_allowed => Ok(()),
        _ if !has_data(scan) => Err(CommandError::NoDataUnproven { file: file(), records: scan.totals.entries }.into()),
        _ if !scan.envelope.header.is_empty() && scan.watermarks == Watermarks::default() => {
            Err(CommandError::Cut { file: file() }.into())
        }
        _ => Ok(()),
    }
}

/// Whether there is a record of users' data, visible or not: the store's own rows, catalog and bookkeeping are none.
fn has_data(scan: &Scan) -> bool {
    let records = |family: &Family| scan.families.get(family.number()).is_some_and(|totals| totals.records > 0);
    Family::ALL.iter().filter(|family| family.role() == Role::Data).any(records)
}

/// Whether a payload is damaged or is not there.
fn is_about_payload(error: &ekv_model::Error) -> bool {
    let missing = error.get_ref().downcast_ref::<Error>().is_some_and(|error| match error.kind() {
        ErrorKind::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        ErrorKind::NotRegular { .. } => true,
        _ => false,
    });
    missing || error.class() == ekv_model::Class::Data
}

/// Whether a group has not taken a snapshot yet.
fn has_no_snapshot(error: &ekv_model::Error) -> bool {
    let error = error.get_ref().downcast_ref::<Error>();
    error.is_some_and(|error| matches!(error.kind(), ErrorKind::NotFound { .. }))
}

/// Whether a snapshot is not damaged but larger than was asked for: an older one is no answer to that.
fn is_limit(error: &ekv_model::Error) -> bool {
    let snapshot_error = error.get_ref().downcast_ref::<Error>();
    snapshot_error.is_some_and(|error| matches!(error.kind(), ErrorKind::LimitExceeded { .. }))
}

/// The snapshot error inside an error, to be listed with its file.
fn into_snapshot_error(error: ekv_model::Error) -> std::result::Result<Error, ekv_model::Error> {
    error.downcast::<Error>()
}
