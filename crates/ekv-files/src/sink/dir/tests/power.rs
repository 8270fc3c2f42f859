//! The power fails in the middle.

use super::super::files::Files;
use super::faulty::EINVAL;
use super::journal::{Disk, Entry, Recording};
use super::*;

/// All below a directory, by path.
type Content = BTreeMap<String, Option<Vec<u8>>>;

/// The journal of a run, and where in it the run was done.
struct Run {
    entries: Vec<Entry>,
    old: Option<Content>,
    new: Content,
}

fn record(options: DirOptions, has_rename_flags: bool) -> Run {
    let parent = parent(options);
    let target = parent.path().join("dump");
    let old = target.exists().then(|| entries(&target));
    let system = Faulty::default();
    let system = if has_rename_flags { system } else { system.without_rename_flags(EINVAL) };
    let recording = Recording::new(system, parent.path());
    write_and_publish(&recording, &target, options).unwrap();
    Run { entries: recording.entries(), old, new: entries(&target) }
}

impl Run {
    /// Cuts the power after every entry; answers what may be found then that must not be, and the number of states looked at.
    fn losses(&self, may_be_empty: bool) -> (Vec<String>, usize) {
        let (mut losses, mut states) = (Vec::new(), 0);
        let mut disk = Disk::default();
        for (position, entry) in self.entries.iter().enumerate() {
            disk.apply(entry);
            if position < self.start() {
                continue;
            }
            for root in disk.roots() {
                states += 1;
                let Some(node) = root.get(&b"dump"[..]) else {
                    if self.old.is_some() && !may_be_empty {
                        losses.push(format!("after entry {position} nothing may be left"));
                    }
                    continue;
                };
                let content = disk.certain(*node);
                let is_empty = content.as_ref().is_some_and(Content::is_empty);
                let is_whole = content.is_some() && (content == self.old || content.as_ref() == Some(&self.new));
                if !(is_whole || is_empty && may_be_empty) {
                    losses.push(format!("after entry {position} part of the dump may be lost"));
                }
            }
        }
        if !disk
            .roots()
            .all(|root| root.get(&b"dump"[..]).and_then(|node| disk.certain(*node)).as_ref() == Some(&self.new))
        {
            losses.push("a dump that was reported as published may be lost".to_owned());
        }
        (losses, states)
    }

    /// Where the run begins, after what was there before.
    fn start(&self) -> usize {
        self.entries.iter().position(|entry| matches!(entry, Entry::SyncAll)).unwrap()
    }
}

#[test]
fn power_lost_at_any_moment_leaves_a_whole_dump_or_what_was_there() {
    let mut states = 0;
    for options in all_options().filter(|options| options.fsync != Fsync::None) {
        for has_rename_flags in [true, false] {
            let (losses, seen) = record(options, has_rename_flags).losses(!has_rename_flags);
            assert!(losses.is_empty(), "{options:?}, rename flags {has_rename_flags}: {losses:?}");
            states += seen;
        }
    }
    println!("power lost while a directory is written: {states} states");
}

#[test]
fn without_any_sync_a_loss_of_power_is_seen_to_cost_the_dump() {
    for options in all_options().filter(|options| options.fsync == Fsync::None) {
        let (losses, _) = record(options, true).losses(false);
        assert!(losses.iter().any(|loss| loss.contains("part of the dump")), "{options:?}: {losses:?}");
        assert!(losses.iter().any(|loss| loss.contains("reported as published")), "{options:?}: {losses:?}");
    }
}

#[test]
fn every_sync_of_a_file_is_needed() {
    let options = DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::File };
    let run = record(options, true);
    let files: Vec<usize> = run
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Write(node, bytes) if !bytes.is_empty() => Some(*node),
            _ => None,
        })
        .collect();
    let syncs =
        run.entries.iter().enumerate().filter(|(_, entry)| matches!(entry, Entry::Sync(node) if files.contains(node)));
    let syncs: Vec<usize> = syncs.map(|(position, _)| position).collect();
    assert!(syncs.len() >= 4, "{syncs:?}");
    for position in syncs {
        let mut entries = run.entries.clone();
        entries.remove(position);
        let (losses, _) = Run { entries, old: None, new: run.new.clone() }.losses(false);
        assert!(!losses.is_empty(), "without the sync at {position}");
    }
}

/// Names of the files of a set; an archive is a set of one.
const NAMES: [&str; 2] = ["payload", "payload.info"];

fn record_files(names: &[&str], options: DirOptions) -> Vec<Entry> {
    let parent = tempfile::tempdir().unwrap();
    let targets: Vec<_> = names.iter().map(|name| parent.path().join(name)).collect();
    if options.existing == ExistingTarget::Replace {
        targets.iter().for_each(|target| fs::write(target, "old").unwrap());
    }
    let recording = Recording::new(Faulty::default(), parent.path());
    let targets: Vec<&Path> = targets.iter().map(|target| target.as_path()).collect();
    let mut files = Files::create(recording.clone(), &targets, options).unwrap();
    for index in 0..names.len() {
        files.begin(index).unwrap();
        files.writer.step(|writer| writer.write(b"new")).unwrap();
        files.writer.step(DirWriter::end).unwrap();
    }
    files.publish().unwrap();
    recording.entries()
}

/// Every set that may be found after a loss of power, in the order of the journal; `?` is what may be damaged.
fn sets(names: &[&str], options: DirOptions) -> Vec<Vec<String>> {
    let entries = record_files(names, options);
    let start = entries.iter().position(|entry| matches!(entry, Entry::SyncAll)).unwrap();
    let mut disk = Disk::default();
    let mut sets = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        disk.apply(entry);
        if position < start {
            continue;
        }
        let state = |root: BTreeMap<Vec<u8>, usize>| {
            let state = names.iter().map(|name| match root.get(name.as_bytes()).map(|node| disk.certain(*node)) {
                None => "none".to_owned(),
                Some(Some(content)) => String::from_utf8(content[""].clone().unwrap()).unwrap(),
                Some(None) => "?".to_owned(),
            });
            state.collect()
        };
        sets.extend(disk.roots().map(state));
    }
    sets
}

#[test]
fn power_lost_while_files_are_published_leaves_no_pair_of_old_and_new() {
    let mut states = 0;
    for fsync in [Fsync::Full, Fsync::File] {
        for existing in [ExistingTarget::Refuse, ExistingTarget::Replace] {
            let pairs = sets(&NAMES, DirOptions { existing, fsync });
            let before = if existing == ExistingTarget::Replace { "old" } else { "none" };
            for pair in &pairs {
                let pair: Vec<&str> = pair.iter().map(String::as_str).collect();
                let allowed = pair == [before, before] || pair == ["new", "new"] || pair == ["new", "none"];
                assert!(allowed || pair == [before, "none"], "{existing:?}, {fsync:?}: {pair:?}");
            }
            assert_eq!(pairs.last().unwrap(), &["new", "new"]);
            states += pairs.len();
        }
    }
    println!("power lost while a pair of files is written: {states} states");
}

#[test]
fn power_lost_while_an_archive_is_published_leaves_it_whole_or_what_was_there() {
    let mut states = 0;
    for fsync in [Fsync::Full, Fsync::File] {
        for existing in [ExistingTarget::Refuse, ExistingTarget::Replace] {
            let archives = sets(&NAMES[..1], DirOptions { existing, fsync }).concat();
            let before = if existing == ExistingTarget::Replace { "old" } else { "none" };
            let wrong: Vec<_> = archives.iter().filter(|found| *found != before && *found != "new").collect();
            assert!(wrong.is_empty(), "{existing:?}, {fsync:?}: {wrong:?}");
            assert_eq!(archives.last().unwrap(), "new");
            states += archives.len();
        }
    }
    println!("power lost while an archive is written: {states} states");
}

#[test]
fn without_any_sync_a_loss_of_power_is_seen_to_cost_files() {
    let options = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };
    for names in [&NAMES[..], &NAMES[..1]] {
        assert!(sets(names, options).concat().contains(&"?".to_owned()), "{names:?}");
    }
}
