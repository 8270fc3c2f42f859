//! `decode`.

use std::path::Path;
use std::time::Duration;

use ekv_backup::{
    BareKeys, Checking, Class, CommandError, DecodeOptions, DecodeReport, DynamodbLayout, Error, EventOptions, Expired,
    FsFormat, FsOptions, PortableNames, ReadOptions, RedisOptions, Resources, S3Options, SqsOptions, SqsVisibility,
    TreeOptions, TxnView, Unowned, available_jobs, decode, parse_source_date_epoch, verify_within,
};

use crate::args::{
    BareKeysRule, DecodeArguments, DynamodbLayoutRule, ExpiredRule, FsFormatRule, PortableRule, ReadArguments,
    SnapshotArguments, ViewRule, either,
};
use crate::commands::text::{self, Detail};
use crate::commands::{keys, now_ms, server, target, warn_of_privacy};
use crate::exit::Exit;
use crate::output::{Output, Page};

/// The environment variable by which builds that can be repeated state the time.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

pub(crate) fn run(arguments: &DecodeArguments, output: &mut Output) -> Result<Exit, Error> {
    let snapshot = either(&arguments.snapshot, &arguments.input);
    let dump = either(&arguments.dump, &arguments.output);
    let to_standard_output = target::is_standard_output(dump);
    if to_standard_output {
        output.leave_standard_output_alone();
    }
    if to_standard_output && arguments.verify {
        return Err(Error::new(Class::Environment, "--verify cannot read standard output again"));
    }
    let name = target::new_name(dump, arguments.force, arguments.fsync, arguments.parents);
    let target = target::dump(name, arguments.compression)?;
    let mut options = options(arguments, snapshot)?;
    let mut notes = target::compression_notes(arguments.compression, &target);
    if let Some(epoch) = std::env::var_os(SOURCE_DATE_EPOCH) {
        options.now = parse_source_date_epoch(&epoch.to_string_lossy())?;
        notes.push(format!("MANIFEST.json states the time of {SOURCE_DATE_EPOCH} instead of this machine's clock"));
    }
    let report = decode(snapshot, target::unless_dry(target, arguments.dry_run), &options, output.screen())
        .inspect_err(|error| show_refused_losses(output, error))?;
    warn_of_privacy(output, report.privacy, &report.dump);
    for note in notes.iter().chain(&report.notes).chain(&report.warnings) {
        output.note(note);
    }
    let mut exit = if report.books.completeness.is_complete() { Exit::Done } else { Exit::Losses };
    text::tell_of_limit(output, &report.contents);
    let mut is_compared = false;
    if arguments.verify {
        // However small the archive became: what is in it was in the snapshot.
        let scratch_dir = arguments.read.snapshot.limits.scratch_dir.clone();
        let resources = Resources { expansion_max: u64::MAX, scratch_dir, ..Resources::DEFAULT };
        let verified = verify_within(dump, &resources, output.screen())?;
        super::verify::show_problems(output, &verified);
        is_compared = verified.sound;
        if !verified.sound {
            exit = Exit::Data;
        }
    }
    text::tell_what_is_hidden(output, &report.books.completeness, &report.books.findings);
    output.result(exit, &report, |out| show(dump, &report, is_compared, arguments.families, out));
    Ok(exit)
}

/// Lists what strict mode does not accept as messages.
fn show_refused_losses(output: &Output, error: &Error) {
    let Some(CommandError::Strict { lost, .. }) = error.get_ref().downcast_ref() else { return };
    let rest = ", all in --json; without --strict the dump has a file LOSSES.jsonl that names all of them";
    output.refused_losses(lost, rest);
}

fn options(arguments: &DecodeArguments, snapshot: &Path) -> Result<DecodeOptions, Error> {
    let adapters = arguments.adapter.0.clone();
    let scope = arguments.scope.scope(&adapters, snapshot, arguments.read.snapshot.empty.allow_empty)?;
    let scope = arguments.first.of(scope);
    if scope.is_narrowed() && arguments.include_unknown {
        let text =
            "--include-unknown goes with everything only: records that no adapter understands have no names to select";
        return Err(Error::new(Class::Environment, text));
    }
    Ok(DecodeOptions {
        read: read_options(&arguments.read)?,
        events: EventOptions {
            adapters,
            scope,
            redis: RedisOptions {
                expired: match arguments.expired {
                    ExpiredRule::Keep => Expired::Keep,
                    ExpiredRule::Drop => Expired::Drop,
                },
                bare_keys: match arguments.bare_keys {
                    BareKeysRule::Strings => BareKeys::Strings,
                    BareKeysRule::Ignore => BareKeys::Ignore,
                },
                ..RedisOptions::default()
            },
            s3: S3Options {
                include_incomplete_uploads: arguments.include_incomplete_uploads,
                include_orphans: arguments.include_orphans,
            },
            blob_sources: arguments.blob_source.clone(),
            sqs: SqsOptions {
                include_orphans: arguments.include_orphans,
                include_side_records: arguments.include_sqs_side_records,
            },
            fs: FsOptions { include_orphans: arguments.include_orphans },
            include_unknown: arguments.include_unknown,
            checking: Checking::All,
            looks_ahead: false,
        },
        tree: TreeOptions {
            dynamodb_layout: match arguments.dynamodb_layout {
                DynamodbLayoutRule::PerItem => DynamodbLayout::PerItem,
                DynamodbLayoutRule::Jsonl => DynamodbLayout::Jsonl,
            },
            extended: arguments.extended,
            sqs_visibility: if arguments.preserve_sqs_visibility { SqsVisibility::Keep } else { SqsVisibility::Reset },
            holes_max: None,
            fs_format: match arguments.fs_format {
                FsFormatRule::Tree => FsFormat::Tree,
                FsFormatRule::Tar => FsFormat::Tar { has_special_bits: arguments.fs_special_bits },
            },
        },
        jobs: arguments.jobs.unwrap_or_else(available_jobs),
        portable_names: match arguments.portable_names {
            PortableRule::Off => PortableNames::Off,
            PortableRule::Require => PortableNames::Require,
        },
        strict: arguments.strict,
        cluster_id: arguments.cluster_id.clone(),
        source_name: arguments.source_name.clone(),
        ..DecodeOptions::default()
    })
}

pub(crate) fn read_options(arguments: &ReadArguments) -> Result<ReadOptions, Error> {
    Ok(ReadOptions { at: arguments.at, ..snapshot_options(&arguments.snapshot)? })
}

pub(crate) fn snapshot_options(arguments: &SnapshotArguments) -> Result<ReadOptions, Error> {
    Ok(ReadOptions {
        at: None,
        require_checksum: arguments.require_checksum,
        view: match arguments.view {
            ViewRule::Protocol => TxnView::Protocol,
            ViewRule::Live => TxnView::Live,
        },
        unowned: if arguments.keep_unowned { Unowned::Keep } else { Unowned::Drop },
        allow_empty: arguments.empty.allow_empty,
        allow_older: arguments.allow_older,
        allow_missing_groups: arguments.allow_missing_groups,
        not_before_ms: arguments.max_age.map(not_before_ms),
        keys: keys::open(&arguments.keys)?,
        looks_for_rebadged: false,
        offload: arguments.offload.choice(),
        server: server::access(&arguments.server)?,
        field_expiry: arguments.server.field_ttl.into(),
        resources: target::resources(&arguments.limits),
        index: None,
        estimates: false,
    })
}

/// The time before which a snapshot is older than `age`, in Unix milliseconds.
fn not_before_ms(age: Duration) -> u64 {
    now_ms().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

fn show(dump: &Path, report: &DecodeReport, is_compared: bool, with_families: bool, out: &mut Page) {
    text::snapshots(&report.books.snapshots, &report.books.completeness.rests_on, Detail::Short, out);
    text::rdb(report.books.rdb.as_ref(), out);
    text::server(report.books.server.as_ref(), out);
    text::contents("Holds", &report.contents, out);
    let unasked = text::unasked(&report.books);
    if with_families {
        text::accounts(&report.books.records, &unasked, out);
        text::families(&report.books.families, out);
    } else {
        for what in &unasked {
            let _ = writeln!(out, "  not in the dump: {what}");
        }
    }
    text::findings(&report.books.findings, out);
    text::names(&report.books.names_not_portable, out);
    let files = text::count(report.files, "file", "files");
    text::title("Dump", &report.dump, report.dry_run, out);
    let _ = match report.dry_run {
        true => writeln!(out, "  {files}, {}", text::dump_len(report.bytes, report.archive_bytes)),
        false => writeln!(
            out,
            "  {files}, {} (fsync {}, {})",
            text::dump_len(report.bytes, report.archive_bytes),
            report.fsync,
            report.published_by
        ),
    };
    if is_compared {
        let _ = writeln!(out, "  read once more, as asked: every file is what was written");
    }
    text::completeness(&report.books, out);
    if let Some(selection) = &report.books.selection {
        let _ = writeln!(out, "    selected by {selection}");
    }
    if report.losses > 0 {
        let _ = writeln!(out, "    LOSSES.jsonl in the dump names what is missing, one by one");
    }
    if !report.dry_run && !target::is_standard_output(dump) {
        out.command("  check it any time: ", "ekv-backup verify", dump, "");
    }
}
