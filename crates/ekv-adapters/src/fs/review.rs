//! What the walk did not reach, and what only counts. Source: `docs/format/fs.md`, sections 3.5, 5 and 6.4.

use ekv_model::Result;
use ekv_model::fs::{Event, Nothing};
use ekv_snapshot::{Range, RangeScan};
use ekv_spill::Sorted;

use super::content::{Chunks, Rows};
use super::findings;
use super::keys::{self, ChunkKey};
use super::options::Options;
use super::values::{Home, Inode, Lease, Usage};
use super::walk::{Walked, emit};
use crate::json::{JsonError, JsonResult};
use crate::run::scratch_error;
use crate::{Family, Outcome, Run};

/// Accounts for all that is left after everything was walked over. Says whether any of it may have been emitted.
pub(super) fn finish(run: &mut Run<'_>, options: Options, walked: Walked) -> Result<bool> {
    let Walked { met, mut chunk_bytes, mut inodes, mut chunks, .. } = walked;
    let mut met = Met { sorted: met.finish().map_err(scratch_error)?, next: None };
    met.advance()?;
    let mut homes = Homes::new(run)?;
    let mut scan = run.view().scan_range(Range::prefix(Family::FsInode.prefix()))?;
    let mut count = 0_u64;
    while let Some(found) = scan.next_visible()? {
        run.monitor().advance(0)?;
        count = count.saturating_add(1);
        let Some(id) = keys::parse_inode(Family::FsInode, found.user_key) else {
            run.record_finding(findings::MALFORMED_KEY, found.user_key, Some(found.byte_offset), String::new);
            run.account(Family::FsInode, Outcome::Lost, 1)?;
            continue;
        };
        let is_met = met.is_next(id)?;
        let inode = sound(Inode::parse(&found.body))?.filter(|inode| inode.id == id);
        if let Some(inode) = &inode {
            homes.check(run, inode)?;
        }
        match inode {
            _ if is_met => {}
            Some(inode) => {
                let len = unnamed(run, options, &inode, &mut chunks)?;
                chunk_bytes = chunk_bytes.saturating_add(len);
            }
            None => {
                let what = || "no name leads to it".to_owned();
                run.record_finding(findings::INVALID_INODE, &shown(id), Some(found.byte_offset), what);
                run.account(Family::FsInode, Outcome::Lost, 1)?;
            }
        }
    }
    homes.finish(run)?;
    leftover_chunks(run, options, &mut inodes)?;
    run.account(Family::FsDir, Outcome::Orphaned, run.unaccounted(Family::FsDir))?;
    usage(run, count, chunk_bytes)?;
    Ok(options.include_orphans && count > 0)
}

/// How findings name an inode without a path.
fn shown(inode: u64) -> Vec<u8> {
    [findings::INODE, format!("{inode:016x}").as_bytes()].concat()
}

/// The value, if it parses.
fn sound<T>(parsed: JsonResult<T>) -> Result<Option<T>> {
    match parsed {
        Ok(value) => Ok(Some(value)),
        Err(JsonError::Read(error)) => Err(error),
        Err(JsonError::Fault(_)) => Ok(None),
    }
}

/// The inodes that the walk has accounted for.
struct Met {
    sorted: Sorted,
    next: Option<u64>,
}

impl Met {
    fn advance(&mut self) -> Result<()> {
        let next = self.sorted.next().map_err(scratch_error)?;
        self.next = next.and_then(|(id, _)| id.try_into().ok()).map(u64::from_be_bytes);
        Ok(())
    }

    /// Whether an inode is one of them; asked in ascending order.
    fn is_next(&mut self, id: u64) -> Result<bool> {
        while self.next.is_some_and(|next| next < id) {
            self.advance()?;
        }
        Ok(self.next == Some(id))
    }
}

/// Where the store says that files are, beside what their inodes say.
struct Homes {
    scan: RangeScan,
    next: Option<(u64, Option<Home>)>,
}

impl Homes {
    fn new(run: &mut Run<'_>) -> Result<Self> {
        let scan = run.view().scan_range(Range::prefix(Family::FsHome.prefix()))?;
        let mut homes = Homes { scan, next: None };
        homes.advance(run)?;
        Ok(homes)
    }

    fn advance(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.next = None;
        while let Some(found) = self.scan.next_visible()? {
            let id = keys::parse_inode(Family::FsHome, found.user_key);
            run.account(Family::FsHome, if id.is_some() { Outcome::Joined } else { Outcome::Orphaned }, 1)?;
            match id {
                Some(id) => {
                    self.next = Some((id, sound(Home::parse(&found.body))?));
                    break;
                }
                None => {
                    run.record_finding(findings::MALFORMED_KEY, found.user_key, Some(found.byte_offset), String::new)
                }
            }
        }
        Ok(())
    }

    /// Compares; asked in ascending order.
    fn check(&mut self, run: &mut Run<'_>, inode: &Inode) -> Result<()> {
        while self.next.as_ref().is_some_and(|(id, _)| *id < inode.id) {
            self.advance(run)?;
        }
        let home = self.next.as_ref().filter(|(id, _)| *id == inode.id).map(|(_, home)| home);
        let what = match home {
            None => "there is none",
            Some(None) => "its record does not parse",
            Some(Some(Home { is_moving: true, .. })) => "it is moving",
            Some(Some(home)) if (home.slot, home.epoch) != (inode.home_slot, inode.epoch) => "it is another one",
            Some(Some(_)) => return Ok(()),
        };
        run.record_finding(findings::HOME_MISMATCH, &shown(inode.id), None, || what.to_owned());
        Ok(())
    }

    fn finish(mut self, run: &mut Run<'_>) -> Result<()> {
        while self.next.is_some() {
            self.advance(run)?;
        }
        Ok(())
    }
}

/// An inode that no name leads to. Returns the length of its chunks.
fn unnamed(run: &mut Run<'_>, options: Options, inode: &Inode, chunks: &mut Chunks) -> Result<u64> {
    let name = || format!("{} of {} bytes", inode.kind, inode.size);
    let key = shown(inode.id);
    if inode.is_orphaned {
        let leases = live_leases(run, inode.id)?;
        run.record_finding(findings::UNLINKED_OPEN, &key, None, || format!("{}, {leases} live leases", name()));
    } else {
        run.record_finding(findings::LOST_INODE, &key, None, name);
    }
    if inode.is_directory() {
        // What chunks it may have is told of with those of others.
        if options.include_orphans {
            emit(run, Event::Orphan(inode.event(), inode.parent, &Nothing))?;
        }
        run.account(Family::FsInode, fate_of_orphan(options), 1)?;
        return Ok(0);
    }
    let content = chunks.of(run, inode)?;
    let Rows { seen, unseen, len, has_damage, .. } = content.rows;
    let outcome = if has_damage { Outcome::Lost } else { fate_of_orphan(options) };
    if options.include_orphans && has_damage {
        run.record_finding(findings::DAMAGED_CHUNK, &key, None, name);
    } else if options.include_orphans {
        emit(run, Event::Orphan(inode.event(), inode.parent, &content))?;
    }
    run.account(Family::FsInode, outcome, 1)?;
    run.account(Family::FsChunk, outcome, seen)?;
    run.account(Family::FsChunk, Outcome::Orphaned, unseen)?;
    Ok(len)
}

fn fate_of_orphan(options: Options) -> Outcome {
    if options.include_orphans { Outcome::Emitted } else { Outcome::Orphaned }
}

/// How many leases hold an inode at the moment that is read.
fn live_leases(run: &Run<'_>, inode: u64) -> Result<u64> {
    let mut scan = run.view().scan_range(Range::prefix(&keys::of_inode(Family::FsRef, inode)))?;
    let mut live = 0_u64;
    while let Some(found) = scan.next_visible()? {
        let is_live = sound(Lease::parse(&found.body))?.is_some_and(|lease| lease.is_live_at(run.instant_ms()));
        live = live.saturating_add(u64::from(is_live));
    }
    Ok(live)
}

/// Chunks of one inode at one home.
#[derive(Default)]
struct Leftover {
    /// Home and inode.
    of: Option<(u64, u64)>,
    fate: ChunkState,
    rows: u64,
    len: u64,
}

/// What becomes of them.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ChunkState {
    /// They have been accounted for.
    #[default]
    Done,
    /// An inode has its chunks elsewhere, or none.
    Ignored,
    /// There is no such inode.
    Orphan,
    /// The inode is of no use.
    Lost,
}

/// Accounts for the chunks that belong to no file.
fn leftover_chunks(run: &mut Run<'_>, options: Options, inodes: &mut ekv_snapshot::Lookup) -> Result<()> {
    if run.unaccounted(Family::FsChunk) == 0 {
        return Ok(());
    }
    let mut at_hand = Leftover::default();
    let mut scan = run.view().scan_range(Range::prefix(Family::FsChunk.prefix()))?;
    while let Some(found) = scan.next_visible()? {
        run.monitor().advance(0)?;
        let Some(ChunkKey { home, inode, index }) = ChunkKey::parse(found.user_key) else {
            run.record_finding(findings::MALFORMED_KEY, found.user_key, Some(found.byte_offset), String::new);
            run.account(Family::FsChunk, Outcome::Lost, 1)?;
            continue;
        };
        if at_hand.of != Some((home, inode)) {
            tell(run, &std::mem::take(&mut at_hand));
            at_hand = Leftover { of: Some((home, inode)), fate: fate(inodes, home, inode)?, rows: 0, len: 0 };
        }
        at_hand.rows = at_hand.rows.saturating_add(1);
        at_hand.len = at_hand.len.saturating_add(found.body.len());
        let outcome = match at_hand.fate {
            ChunkState::Done => continue,
            ChunkState::Orphan if options.include_orphans => {
                let body = found.body.body();
                emit(run, Event::OrphanChunk { home, inode, index, body })?;
                Outcome::Emitted
            }
            ChunkState::Orphan | ChunkState::Ignored => Outcome::Orphaned,
            ChunkState::Lost => Outcome::Lost,
        };
        run.account(Family::FsChunk, outcome, 1)?;
    }
    tell(run, &at_hand);
    // Of a root that is a file.
    run.account(Family::FsChunk, Outcome::Lost, run.unaccounted(Family::FsChunk))
}

fn fate(inodes: &mut ekv_snapshot::Lookup, home: u64, id: u64) -> Result<ChunkState> {
    let Some(found) = inodes.get(&keys::of_inode(Family::FsInode, id))? else { return Ok(ChunkState::Orphan) };
    let inode = sound(Inode::parse(&found.body))?.filter(|inode| inode.id == id && !found.is_damaged);
    Ok(match inode {
        None => ChunkState::Lost,
        Some(inode) if inode.is_directory() || inode.home_slot != home => ChunkState::Ignored,
        Some(_) => ChunkState::Done,
    })
}

fn tell(run: &mut Run<'_>, leftover: &Leftover) {
    let Leftover { of: Some((home, inode)), fate, rows, len } = *leftover else { return };
    let finding = match fate {
        ChunkState::Done | ChunkState::Lost => return,
        ChunkState::Ignored => findings::IGNORED_CHUNKS,
        ChunkState::Orphan => findings::ORPHAN_CHUNKS,
    };
    run.record_finding(finding, &shown(inode), None, || format!("at home {home:016x}: {rows} parts, {len} bytes"));
}

/// Compares what the store counts with what there is.
fn usage(run: &mut Run<'_>, files: u64, bytes: u64) -> Result<()> {
    let mut scan = run.view().scan_range(Range::prefix(Family::FsUsage.prefix()))?;
    let (mut counted, mut rows, mut bad) = (Usage::default(), 0_u64, 0_u64);
    while let Some(found) = scan.next_visible()? {
        rows = rows.saturating_add(1);
        match sound(Usage::parse(&found.body))? {
            Some(Usage { files, bytes }) => {
                counted.files = counted.files.saturating_add(files);
                counted.bytes = counted.bytes.saturating_add(bytes);
            }
            None => bad = bad.saturating_add(1),
        }
    }
    let found = Usage { files: files.into(), bytes: bytes.into() };
    if rows > 0 && (bad > 0 || counted != found) {
        run.record_finding(findings::USAGE_MISMATCH, Family::FsUsage.prefix(), None, || {
            format!(
                "{} files and {} bytes counted, {files} and {bytes} stored; {bad} of {rows} counters do not parse",
                counted.files, counted.bytes
            )
        });
    }
    Ok(())
}
