//! `load` into a Redis server.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use ekv_backup::leave::{LoadOptions, LoadReport, Method, Reason, Renames, Verify, load};
use ekv_backup::see::Source;
use ekv_backup::server::{ServerAddress, ServerTarget};
use ekv_backup::{Class, Error, EventOptions, Protocol};

use crate::args::{LoadArguments, NanRule};
use crate::commands::decode::read_options;
use crate::commands::text;
use crate::exit::Exit;
use crate::output::{Output, Page, first_of};

/// Keys that are read back unless the user says otherwise.
const VERIFIED: u64 = 1000;

fn usage(text: String) -> Error {
    Error::new(Class::Environment, text)
}

/// Into a server or cluster.
pub(crate) fn run(arguments: &LoadArguments, address: &ServerAddress, output: &mut Output) -> Result<Exit, Error> {
    let adapters = [Protocol::Redis];
    let read = read_options(&arguments.read)?;
    let scope = arguments.scope.scope(&adapters, &arguments.source, read.allow_empty)?;
    let on_exists = arguments.on_exists.of_keys();
    let renames = Renames::parse(arguments.rename_prefix.iter().map(|rule| rule.as_encoded_bytes()));
    let options = LoadOptions {
        events: EventOptions { scope: arguments.first.of(scope), ..EventOptions::of(adapters) },
        on_exists: on_exists.ok_or_else(|| {
            usage("--on-exists append is for queues: nothing is merged with a key that is there".to_owned())
        })?,
        method: arguments.method.map_or(Method::Auto, Method::from),
        rate: arguments.rate.map(NonZeroU64::from),
        renames: renames.map_err(|error| Error::new(Class::Environment, error))?,
        requires_empty: arguments.require_empty,
        allows_eviction: arguments.allow_eviction,
        shifts_expiry: arguments.shift_expiry,
        has_preflight: !arguments.no_preflight,
        is_dry_run: arguments.dry_run,
        is_strict: arguments.strict,
        bandwidth: arguments.max_bandwidth,
        latency_max: arguments.max_latency.map(Duration::from_millis),
        connections: arguments.aws.connections.unwrap_or(NonZeroUsize::MIN),
        replaces_first: arguments.replace_first,
        drops_nan: arguments.nan == NanRule::DropMember,
        into_database: arguments.into_db,
        replicas: arguments.wait_replicas,
        verify: arguments.verify.unwrap_or(Verify::Sample(VERIFIED)),
        allow_empty: read.allow_empty,
        resources: read.resources.clone(),
        resume: arguments.resume.clone(),
        seed: seed(),
    };
    let target = ServerTarget { address: address.clone(), access: read.server.clone() };
    let mut source = Source::open(&arguments.source, &read, output.screen())?;
    if options.shifts_expiry {
        output.note("--shift-expiry: keys expire later on the target than they would have where they come from");
    }
    let report = load(&mut source, &target, &options, output.screen())?;
    tell(&report, output);
    let exit = if report.is_whole() { Exit::Done } else { Exit::Losses };
    output.result(exit, &report, |out| show(&report, out));
    Ok(exit)
}

/// A number that is another one in each run.
pub(crate) fn seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// What must not be overlooked.
fn tell(report: &LoadReport, output: &Output) {
    for filter in &report.unmatched {
        output.warning(format_args!("nothing matches {filter}"));
    }
    if let Some(ahead_ms) = report.target.clock_ahead_ms {
        let seconds = ahead_ms.unsigned_abs() / 1000;
        let word = if ahead_ms < 0 { "behind" } else { "ahead of" };
        output.warning(format_args!(
            "the clock of the target is {seconds} s {word} that of this machine: its own decides what has expired"
        ));
    }
    if report.by_commands && !report.dry_run {
        output.note("collections are written by commands: the target does not take RESTORE, or that was asked for");
    }
    if report.source_losses > 0 {
        let what = text::count(report.source_losses, "thing", "things");
        output.loss_of_report(format_args!("{what} cannot be read, or were lost before; they are not on the target"));
        first_of(&report.source_lost, report.source_losses, "ls and verify tell more", |line| output.warning(line));
    }
    if let Some(keys) = report.resumed_after {
        output.note(format_args!("went on behind {}", text::count(keys, "key that was done", "keys that were done")));
    }
    if report.dropped_members > 0 {
        let what = text::count(report.dropped_members, "member", "members");
        output.warning(format_args!("{what} of sorted sets were left out: their score is not a number"));
    }
    if report.lacks_replicas {
        let have = text::count(report.replicas.unwrap_or(0), "replica has", "replicas have");
        output.problem(format_args!("{have} everything after a minute, which is fewer than --wait-replicas wants"));
    }
    if let Some(why) = &report.not_swapped {
        output.problem(why);
    }
    if let Some(verified) = report.verified.as_ref().filter(|verified| verified.different > 0) {
        let what = text::count(verified.different, "key", "keys");
        output
            .problem(format_args!("{what} of those that were read back are different: {}", verified.first.join(", ")));
    }
}

fn show(report: &LoadReport, out: &mut Page) {
    let LoadReport { target, counts, survey, .. } = report;
    let keys = |count| text::count(count, "key", "keys");
    let place = format!("{} {} at {}", target.software, target.version, target.address);
    let nodes = if target.nodes > 1 { format!(", {} nodes", target.nodes) } else { String::new() };
    let before =
        if target.keys_before == 0 { "empty".to_owned() } else { format!("holds {}", keys(target.keys_before)) };
    if let Some(survey) = survey.as_ref().filter(|_| report.dry_run) {
        let (count, bytes) = survey.kinds.iter().fold((0_u64, 0_u64), |(keys, bytes), kind| {
            (keys.saturating_add(kind.count), bytes.saturating_add(kind.bytes))
        });
        let _ = writeln!(
            out,
            "Would load {}, {}, into {place} ({before}{nodes}, {})",
            keys(count),
            text::bytes(bytes),
            target.eviction
        );
        kinds(&survey.kinds, out);
        let there = report.already_there.unwrap_or(0);
        let _ = writeln!(
            out,
            "  refused by any server {}  already there {there}  expired, not sent {}  empty, not sent {}",
            survey.refused_keys(),
            survey.expired,
            survey.empty
        );
        let _ = writeln!(out, "  memory on the target   about {}", text::bytes(survey.memory_estimate));
        reasons(&survey.refused, ("key", "keys"), out);
        return;
    }
    let bytes = counts.kinds.iter().fold(0_u64, |sum, kind| sum.saturating_add(kind.bytes));
    let _ =
        writeln!(out, "Loaded {}, {}, into {place} ({before} before{nodes})", keys(counts.loaded), text::bytes(bytes));
    kinds(&counts.kinds, out);
    let _ = writeln!(
        out,
        "  of {}: {} existed and stay as they were, {} expired, {} empty, {} lost",
        keys(counts.sent),
        counts.existed,
        counts.expired,
        counts.empty,
        counts.failed
    );
    if let Some(verified) = &report.verified {
        let same = verified.count.saturating_sub(verified.different);
        let _ = writeln!(out, "  read back {}: {same} equal, {} different", keys(verified.count), verified.different);
    }
    if let Some(replicas) = report.replicas {
        let _ = writeln!(out, "  {} everything", text::count(replicas, "replica has", "replicas have"));
    }
    if let Some(database) = report.swapped_with {
        let _ = writeln!(out, "  databases changed places: what was there before is in database {database}");
    }
    reasons(&counts.reasons, ("key", "keys"), out);
}

fn kinds(kinds: &[ekv_backup::leave::KindCount], out: &mut Page) {
    let words: Vec<String> = kinds.iter().map(|kind| format!("{} {}", kind.kind, kind.count)).collect();
    if !words.is_empty() {
        let _ = writeln!(out, "  {}", words.join("  "));
    }
}

/// Why things are not there.
pub(crate) fn reasons(reasons: &[Reason], (one, several): (&str, &str), out: &mut Page) {
    for Reason { why, count, first } in reasons {
        let _ = writeln!(out, "  lost: {}: {why}", text::count(*count, one, several));
        for name in first {
            let _ = writeln!(out, "    {name}");
        }
    }
}
