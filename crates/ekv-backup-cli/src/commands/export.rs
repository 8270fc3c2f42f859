//! `export`.

use std::collections::{BTreeMap, BTreeSet};

use ekv_backup::leave::{
    ExportOptions, ExportReport, FileReport, FileTarget, ImportCompression, ImportOptions, ImportReport, KeysForm,
    KeysOptions, export_keys, export_to_dynamodb,
};
use ekv_backup::{Class, DumpTarget, Error, EventOptions, Expired, Protocol, RedisOptions};

use crate::args::{CompressionRule, ExportArguments, ExportFormatRule};
use crate::commands::decode::read_options;
use crate::commands::{now_ms, target, text, warn_of_privacy};
use crate::exit::Exit;
use crate::output::{Output, Page, first_of};

pub(crate) fn run(arguments: &ExportArguments, output: &mut Output) -> Result<Exit, Error> {
    match format(arguments)? {
        ExportFormatRule::DynamodbImport => import(arguments, output),
        ExportFormatRule::Rdb => keys(arguments, KeysForm::Rdb, output),
        ExportFormatRule::Resp => keys(arguments, KeysForm::Commands { replaces: arguments.replace }, output),
    }
}

/// What the ending of a name says.
const ENDINGS: [(&str, ExportFormatRule); 2] = [(".rdb", ExportFormatRule::Rdb), (".resp", ExportFormatRule::Resp)];

/// What is to be made: as asked, else as the name says.
fn format(arguments: &ExportArguments) -> Result<ExportFormatRule, Error> {
    let name = arguments.target.as_os_str().as_encoded_bytes().to_ascii_lowercase();
    let by_name = || ENDINGS.iter().find(|(ending, _)| name.ends_with(ending.as_bytes())).map(|(_, format)| *format);
    arguments.format.or_else(by_name).ok_or_else(|| {
        let target = arguments.target.display();
        let text = format!(
            "{target} does not say what is to be made: --format rdb, resp or dynamodb-import, or a name that ends in .rdb or .resp"
        );
        Error::new(Class::Environment, text)
    })
}

fn keys(arguments: &ExportArguments, form: KeysForm, output: &mut Output) -> Result<Exit, Error> {
    let mut options = options(arguments, Protocol::Redis)?;
    let keeps_expired = arguments.keep_expired || options.events.scope.is_about_expired();
    let expired = if keeps_expired { Expired::Keep } else { Expired::Drop };
    options.events.redis = RedisOptions { expired, ..RedisOptions::default() };
    let file = KeysOptions {
        form,
        shift_expiry_to_ms: arguments.shift_expiry.then(now_ms),
        databases: databases(&arguments.to_db)?,
        back_lengths: arguments.server.into(),
    };
    let target = if arguments.dry_run {
        FileTarget::DryRun(&arguments.target)
    } else if target::is_standard_output(&arguments.target) {
        output.leave_standard_output_alone();
        FileTarget::Stream(Box::new(
            crate::output::standard_output().map_err(|error| Error::new(Class::WriteIo, error))?,
        ))
    } else {
        target::check_page_name(&arguments.target)?;
        let name = target::new_name(&arguments.target, arguments.force, arguments.fsync, false);
        FileTarget::File(&arguments.target, name.publication)
    };
    let report = export_keys(&arguments.source, target, &file, &options, output.screen())?;
    if let Some(privacy) = report.made.privacy {
        warn_of_privacy(output, privacy, &report.made.file);
    }
    report.made.warnings.iter().for_each(|warning| output.note(warning));
    for finding in report.findings.iter().filter(|finding| finding.severity == "warning") {
        output.warning_of_report(format_args!(
            "{}: {} ({})",
            finding.name,
            finding.meaning,
            text::digits(finding.count)
        ));
    }
    Ok(told(&report, output, |out| show_keys(&report.made, form, out)))
}

fn databases(given: &[(u32, u32)]) -> Result<BTreeMap<u32, u32>, Error> {
    let databases: BTreeMap<u32, u32> = given.iter().copied().collect();
    let targets: BTreeSet<u32> = databases.values().copied().collect();
    let refused = |text: &str| Err(Error::new(Class::Environment, text));
    if databases.len() < given.len() {
        return refused("--to-db names a database twice");
    }
    if targets.len() < databases.len() {
        return refused(
            "--to-db would put two databases into one, where a key of both could not be told apart: write two files",
        );
    }
    Ok(databases)
}

fn show_keys(report: &FileReport, form: KeysForm, out: &mut Page) {
    text::contents("Selected", &report.contents, out);
    let what = if form == KeysForm::Rdb { "RDB file" } else { "Commands" };
    text::title(what, &report.file, report.dry_run, out);
    let _ = writeln!(out, "  {}, {}", text::count(report.written, "key", "keys"), text::bytes(report.bytes));
    if form != KeysForm::Rdb && !report.dry_run {
        let _ = writeln!(out, "  next: redis-cli -h HOST --pipe < {}", ekv_backup::shell::path(report.file.as_ref()));
    }
}

fn import(arguments: &ExportArguments, output: &mut Output) -> Result<Exit, Error> {
    target::check_directory_name(&arguments.target)?;
    let options = options(arguments, Protocol::DynamoDb)?;
    let (bucket, prefix) = arguments.s3.clone().unzip();
    let import = ImportOptions {
        rename: renames(&arguments.rename)?,
        compression: match arguments.compression {
            CompressionRule::Zstd => ImportCompression::Zstd,
            CompressionRule::None => ImportCompression::None,
        },
        bucket,
        prefix: prefix.unwrap_or_default(),
    };
    let name = target::new_name(&arguments.target, arguments.force, arguments.fsync, arguments.parents);
    let target = target::unless_dry(DumpTarget::Directory(name), arguments.dry_run);
    let report = export_to_dynamodb(&arguments.source, target, &import, &options, output.screen())?;
    warn_of_privacy(output, report.made.published.privacy, &report.made.published.dump);
    report.made.published.warnings.iter().for_each(|warning| output.note(warning));
    for table in import.rename.keys().filter(|old| report.made.tables.iter().all(|table| table.table != **old)) {
        output.warning(format_args!("--rename {table}=…: no table {table} leaves"));
    }
    Ok(told(&report, output, |out| show(&report.made, arguments.s3.is_some(), out)))
}

/// Says what stays behind, and ends with the exit code for that.
fn told<T: serde::Serialize>(report: &ExportReport<T>, output: &mut Output, show: impl FnOnce(&mut Page)) -> Exit {
    let exit = if report.is_complete() { Exit::Done } else { Exit::Losses };
    report.note.iter().for_each(|note| output.note(note));
    report.warnings.iter().for_each(|warning| output.warning(warning));
    if report.expired > 0 {
        let keys = text::count(report.expired, "Redis key", "Redis keys");
        let verb = if report.expired == 1 { "stays" } else { "stay" };
        output.note(format_args!("{keys} had expired and {verb} behind"));
    }
    let rest = ", which `decode` lists in LOSSES.jsonl";
    first_of(&report.lost, report.lost_count, rest, |line| output.warning(format_args!("missing: {line}")));
    for finding in report.findings.iter().filter(|finding| finding.severity == "loss") {
        output.loss_of_report(format_args!("{}: {} ({})", finding.name, finding.meaning, text::digits(finding.count)));
    }
    output.result(exit, report, |out| {
        let _ = writeln!(out, "State at {}", report.read_at.as_deref().unwrap_or("a time that the file does not say"));
        text::findings(&report.findings, out);
        show(out);
    });
    exit
}

fn show(report: &ImportReport, has_place: bool, out: &mut Page) {
    text::title("Tables", &report.published.dump, report.published.dry_run, out);
    let tables = text::count(report.table_count, "table", "tables");
    let _ = writeln!(out, "  {tables}, {}", text::count(report.items, "item", "items"));
    for table in &report.tables {
        let name = if table.name == table.table {
            table.name.clone()
        } else {
            format!("{} (was {})", table.name, table.table)
        };
        let behind = match table.left_behind {
            0 => String::new(),
            n => format!(", {} left behind", text::digits(n)),
        };
        let (items, bytes) = (text::count(table.items, "item", "items"), text::bytes(table.bytes));
        let _ = writeln!(out, "    {name}: {items}, {bytes}{behind}");
    }
    if !report.published.dry_run && report.table_count > 0 {
        let place = if has_place {
            "where import-table.json says"
        } else {
            "a bucket, and name that in import-table.json (--s3 does it)"
        };
        let _ = writeln!(out, "  next: upload the data files to {place}; then, for each table,");
        let _ = writeln!(out, "        aws dynamodb import-table --cli-input-json file://…/import-table.json");
    }
}

/// What of the source leaves, for a format that has one protocol.
fn options(arguments: &ExportArguments, protocol: Protocol) -> Result<ExportOptions, Error> {
    let adapters = vec![protocol];
    if arguments.adapter.as_ref().is_some_and(|list| list.0 != adapters) {
        let text = format!("this format has data of {} only", protocol.name());
        return Err(Error::new(Class::Environment, text));
    }
    let read = read_options(&arguments.read)?;
    let scope = arguments.first.of(arguments.scope.scope(&adapters, &arguments.source, read.allow_empty)?);
    Ok(ExportOptions {
        allow_empty: read.allow_empty,
        events: EventOptions { scope, ..EventOptions::of(adapters) },
        read,
        strict: arguments.strict,
    })
}

fn renames(pairs: &[(String, String)]) -> Result<BTreeMap<String, String>, Error> {
    let mut renames = BTreeMap::new();
    for (old, new) in pairs {
        let is_twice = renames.values().any(|known| known == new) || renames.contains_key(old);
        if is_twice {
            return Err(Error::new(
                Class::Environment,
                format!("--rename {old}={new}: one of both names is given before"),
            ));
        }
        renames.insert(old.clone(), new.clone());
    }
    Ok(renames)
}
