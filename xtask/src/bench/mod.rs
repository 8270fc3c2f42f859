//! The benchmark: makes its inputs, runs ekv-backup and something to compare with in turn, and prints the ratios.
//!
//! Every run is a whole process. Both sides of a row run alternately, and the shortest time of each counts: what disturbs a run only
//! makes it longer.

mod baseline;
mod case;
mod growth;
mod input;
mod measure;
mod memory;
mod options;
mod places;
mod redis;
mod report;

use std::fs;
use std::path::Path;

use crate::command::quoted;
use crate::error::Error;
use crate::workspace::Workspace;

use case::Case;
use input::Mix;
use memory::{MemoryRow, Peak};
use options::Options;
use places::{Folder, Places, remove, text};
use redis::Server;
use report::Report;

/// Runs the benchmark.
pub(crate) fn run(args: &[String]) -> Result<(), Error> {
    let options = Options::parse(args)?;
    let workspace = Workspace::load()?;
    workspace.command("cargo").args(["build", "--release", "--locked", "--package", "ekv-backup-cli"]).run()?;
    let program = workspace.target_directory.join("release/ekv-backup");
    let disk = options.disk.clone().unwrap_or_else(|| workspace.target_directory.join("bench"));
    let places = Places { tmpfs: Folder::create(&options.tmpfs)?, disk: Folder::create(&disk)? };
    let mut report = Report::default();
    for (mix, keys) in [(Mix::Strings, options.keys), (Mix::Mixed, options.mixed_keys)] {
        if keys > 0 {
            let bench = Bench { program: &program, places: &places, options: &options, mix, keys };
            bench.run(&mut report)?;
        }
    }
    report.memory = measure_memory(&program, &places, &options)?;
    report.growth = growth::measure_growth(&program, &places, &options)?;
    print!("\n{report}");
    let json = workspace.target_directory.join("bench.json");
    fs::write(&json, report.to_json()).map_err(Error::io(&json))?;
    println!("\nThe same as JSON: {}", workspace.shown(&json));
    Ok(())
}

/// Runs what the benchmark calls itself for, if `task` is such a thing.
pub(crate) fn hidden_task(task: &str, args: &[String]) -> Option<Result<(), Error>> {
    match (task, args) {
        (measure::TASK, [line]) => Some(measure::measure_child(line)),
        (baseline::TASK, [listing, target]) => Some(baseline::create_files(Path::new(listing), Path::new(target))),
        _ => None,
    }
}

/// Runs the commands whose memory must not follow the number of keys. Nothing is stored: what is written goes into a pipe.
fn measure_memory(program: &Path, places: &Places, options: &Options) -> Result<Vec<MemoryRow>, Error> {
    let snapshot = places.tmpfs.path("memory.fsm");
    let input = quoted(&snapshot.display().to_string()).into_owned();
    let ours = quoted(&text(program)).into_owned();
    let decode = |rest: &str| format!("{ours} decode {input} - --quiet {rest} > /dev/null");
    let rdb = places.tmpfs.path("memory.rdb");
    let rdb_file = quoted(&text(&rdb)).into_owned();
    let mut commands = vec![
        ("inspect", format!("{ours} inspect {input} > /dev/null")),
        ("tar to a pipe", decode("--compression none")),
        ("tar.zst to a pipe", decode("--compression zstd")),
        ("tar to a pipe, one job", decode("--compression none --jobs 1")),
        ("to an RDB file", format!("{ours} export {input} {rdb_file} --force --fsync none --quiet")),
        // What the row before has left.
        ("RDB to a tar", format!("{ours} decode {rdb_file} - --at {MOMENT} --compression none --quiet > /dev/null")),
    ];
    commands.retain(|(name, _)| options.wants(name));
    if commands.is_empty() || options.memory_keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: Vec<MemoryRow> = commands.iter().map(|&(name, _)| MemoryRow { name, peaks: Vec::new() }).collect();
    for &keys in &options.memory_keys {
        input::write(&snapshot, Mix::Strings, keys)?;
        for (row, (_, command)) in rows.iter_mut().zip(&commands) {
            row.peaks.push(Peak { keys, cost: measure::run(command)? });
            println!("  {row}");
        }
    }
    remove(&snapshot)?;
    remove(&rdb)?;
    Ok(rows)
}

/// The rows that need a server.
const REDIS_ROWS: [&str; 3] = ["load into Redis", "RDB to a tar", "RDB listed as JSON"];

/// The moment of files that do not say theirs.
const MOMENT: &str = "2026-11-22T00:00:00Z";

/// All rows for one kind of input.
struct Bench<'a> {
    program: &'a Path,
    places: &'a Places,
    options: &'a Options,
    mix: Mix,
    keys: u64,
}

impl Bench<'_> {
    fn run(&self, report: &mut Report) -> Result<(), Error> {
        let (snapshot, listing) = (self.places.tmpfs.path("input.fsm"), self.places.disk.path("listing"));
        let mut cases = self.cases(&snapshot, &listing);
        cases.retain(|case| self.options.wants(case.name));
        let wants_server = REDIS_ROWS.iter().any(|row| self.options.wants(row));
        if cases.is_empty() && !wants_server {
            return Ok(());
        }
        input::write(&snapshot, self.mix, self.keys)?;
        println!("\n{} keys, {}: {}", self.keys, self.mix.name(), quoted(&snapshot.display().to_string()));
        if !cases.is_empty() {
            self.prepare(&snapshot, &listing)?;
        }
        let mut measure = |case: Case| -> Result<(), Error> {
            let row = case.measure(self.options.runs, self.keys, self.mix)?;
            println!("  {row}");
            report.rows.push(row);
            Ok(())
        };
        cases.into_iter().try_for_each(&mut measure)?;
        if wants_server && let Some(server) = Server::start(&self.places.tmpfs)? {
            let cases = self.redis_cases(&snapshot, &server)?.into_iter();
            cases.filter(|case| self.options.wants(case.name)).try_for_each(&mut measure)?;
        }
        for name in ["dump", "dump.tar", "dump.tar.zst", "commands", "saved.rdb"] {
            remove(&self.places.tmpfs.path(name))?;
        }
        Ok(())
    }

    /// Makes what the comparisons read: a dump, its archives, and the list of its files.
    fn prepare(&self, snapshot: &Path, listing: &Path) -> Result<(), Error> {
        let dump = self.places.tmpfs.path("dump");
        for name in ["dump", "dump.tar", "dump.tar.zst"] {
            let target = self.places.tmpfs.path(name);
            remove(&target)?;
            measure::run(&self.ours(&["decode", &text(snapshot), &text(&target), "--fsync", "none", "--quiet"]))?;
        }
        baseline::write_listing(&dump, listing)
    }

    /// The rows that need a server, of a file that it has saved.
    fn redis_cases(&self, snapshot: &Path, server: &Server) -> Result<Vec<Case>, Error> {
        let [commands, rdb] = ["commands", "saved.rdb"].map(|name| self.places.tmpfs.path(name));
        input::write_commands(&commands, self.mix, self.keys)?;
        let pipe = server.emptied(&server.cli(&format!("--pipe < {}", quoted(&text(&commands)))));
        let file = quoted(&text(&rdb)).into_owned();
        measure::run(&format!("{pipe} && {}", server.cli(&format!("--rdb {file} 2> /dev/null"))))?;
        let [load, to_a_tar, to_json] = REDIS_ROWS;
        let ours = ["load", &text(snapshot), &server.url(), "--shift-expiry", "--verify", "none", "--quiet"];
        let check = || format!("redis-check-rdb {file} > /dev/null");
        let decode =
            format!("{} > /dev/null", self.ours(&["decode", &text(&rdb), "-", "--compression", "none", "--quiet"]));
        let list = format!("{} > /dev/null", self.ours(&["ls", &text(&rdb), "--json"]));
        Ok(vec![
            Case::new(load, server.emptied(&self.ours(&ours)), "redis-cli --pipe of the same", pipe)
                .at_least_speed(0.9),
            Case::new(to_a_tar, decode, "redis-check-rdb", check()).at_least_speed(1.0 / 3.0),
            Case::new(to_json, list, "redis-check-rdb", check()).at_least_speed(1.0 / 3.0),
        ])
    }

    fn ours(&self, args: &[&str]) -> String {
        std::iter::once(text(self.program))
            .chain(args.iter().map(|arg| quoted(arg).into_owned()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn cases(&self, snapshot: &Path, listing: &Path) -> Vec<Case> {
        let Places { tmpfs, disk } = self.places;
        let input = text(snapshot);
        let decode =
            |target: &Path, fsync: &str| self.ours(&["decode", &input, &text(target), "--fsync", fsync, "--quiet"]);
        let (dump, tar, packed) = (tmpfs.path("dump"), tmpfs.path("dump.tar"), tmpfs.path("dump.tar.zst"));
        let out = |folder: &Folder| (folder.path("out"), folder.path("out2"));
        let (tmpfs_out, tmpfs_out2) = out(tmpfs);
        let (disk_out, disk_out2) = out(disk);
        let (tar_out, tar_out2) = (tmpfs.path("out.tar"), tmpfs.path("out2.tar"));
        let (packed_out, packed_out2) = (tmpfs.path("out.tar.zst"), tmpfs.path("out2.tar.zst"));
        let loop_to = |target: &Path| baseline::command(listing, target);
        let cat = format!("cat {} > /dev/null", quoted(&input));
        let look = |args: &[&str]| format!("{} > /dev/null", self.ours(args));
        let inspect = look(&["inspect", &input]);
        let mut cases = vec![
            Case::new("directory, tmpfs", decode(&tmpfs_out, "none"), "create/write/close loop", loop_to(&tmpfs_out2))
                .at_most(1.25)
                .removing([&tmpfs_out, &tmpfs_out2]),
            Case::new("directory, disk", decode(&disk_out, "none"), "create/write/close loop", loop_to(&disk_out2))
                .at_most(1.15)
                .removing([&disk_out, &disk_out2]),
            Case::new(
                "directory, disk, synced",
                decode(&disk_out, "full"),
                "the loop, then sync -f",
                format!("{} && sync -f {}", loop_to(&disk_out2), quoted(&text(&disk_out2))),
            )
            .removing([&disk_out, &disk_out2]),
            Case::new(
                "tar, tmpfs",
                decode(&tar_out, "none"),
                "sha256sum of the snapshot, cp of the tar",
                format!(
                    "sha256sum {} > /dev/null && cp {} {}",
                    quoted(&input),
                    quoted(&text(&tar)),
                    quoted(&text(&tar_out2))
                ),
            )
            .at_most(1.5)
            .removing([&tar_out, &tar_out2]),
            Case::new(
                "tar.zst, tmpfs",
                decode(&packed_out, "none"),
                "zstd -3 -T2 of the tar",
                format!("zstd -q -3 -T2 {} -o {}", quoted(&text(&tar)), quoted(&text(&packed_out2))),
            )
            .at_most(1.3)
            .removing([&packed_out, &packed_out2]),
            Case::new(
                "tar to a pipe",
                format!("{} | cat > /dev/null", self.ours(&["decode", &input, "-", "--quiet"])),
                "tar of ready files to a pipe",
                format!("tar cf - -C {} . | cat > /dev/null", quoted(&text(&dump))),
            ),
            Case::new(
                "verify a directory",
                self.ours(&["verify", &text(&dump), "--quiet"]),
                "sha256sum -c",
                format!("cd {} && sha256sum -c --quiet CHECKSUMS", quoted(&text(&dump))),
            )
            .at_least_speed(0.7),
            Case::new(
                "verify a tar",
                self.ours(&["verify", &text(&tar), "--quiet"]),
                "sha256sum of it",
                format!("sha256sum {} > /dev/null", quoted(&text(&tar))),
            )
            .at_least_speed(0.7),
            Case::new(
                "verify a tar.zst",
                self.ours(&["verify", &text(&packed), "--quiet"]),
                "zstd -d, sha256sum",
                format!("zstd -q -d -c {} | sha256sum > /dev/null", quoted(&text(&packed))),
            ),
            Case::new(
                "get from a tar.zst",
                format!("{} > /dev/null", self.ours(&["get", &text(&packed), &input::address_of_a_string()])),
                "zstd -d of it",
                format!("zstd -q -d -c {} > /dev/null", quoted(&text(&packed))),
            ),
            Case::new("inspect", inspect.clone(), "cat", cat).at_least_speed(0.7),
            Case::new("ls", look(&["ls", &input]), "inspect", inspect.clone()).cpu_at_most(1.6),
            Case::new(
                "ls of one key",
                look(&["ls", &input, &input::address_of_a_string()]),
                "inspect",
                inspect.clone(),
            )
            .cpu_at_most(1.1),
            Case::new(
                "get of one key",
                look(&["get", &input, &input::address_of_a_string()]),
                "inspect",
                inspect.clone(),
            )
            .cpu_at_most(1.1),
            Case::new(
                "history of one key",
                look(&["history", &input, &input::address_of_a_string()]),
                "inspect",
                inspect.clone(),
            )
            .cpu_at_most(1.1),
            Case::new("report", look(&["report", &input]), "inspect", inspect.clone()).cpu_at_most(2.5),
            Case::new("diff", look(&["diff", &input, &input]), "inspect, twice", format!("{inspect}; {inspect}"))
                .cpu_at_most(2.6),
            Case::new(
                "encode",
                self.ours(&["encode", &text(&dump), &text(&tmpfs_out), "--fsync", "none", "--no-self-test", "--quiet"]),
                "tar of the dump to wc",
                format!("tar cf - -C {} . | wc -c > /dev/null", quoted(&text(&dump))),
            )
            .removing([&tmpfs_out, &tmpfs.path("out.encode_info.json")]),
        ];
        if let Some(peer) = &self.options.peer {
            let theirs = peer.replace("{input}", &quoted(&input)).replace("{output}", &quoted(&text(&tmpfs_out2)));
            let case = Case::new("directory, tmpfs, peer", decode(&tmpfs_out, "none"), "the peer", theirs);
            cases.push(case.removing([&tmpfs_out, &tmpfs_out2]));
        }
        cases
    }
}
