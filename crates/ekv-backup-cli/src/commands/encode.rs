//! `encode`.

use std::path::Path;

use ekv_backup::{
    DirOptions, EncodeOptions, EncodeRefusal, Error, ExistingTarget, FsTarOptions, LISTED_LOSSES_MAX, Losses,
    PayloadReport, Protocol, WrittenForm, encode,
};

use crate::args::{DumpReadArguments, EncodeArguments, FormRule};
use crate::commands::{fsync, of_dump, some_adapters, target, text, warn_of_privacy};
use crate::exit::Exit;
use crate::output::{Output, Page, first_of};

pub(crate) fn run(arguments: &EncodeArguments, output: &mut Output) -> Result<Exit, Error> {
    let (dump, snapshot) = arguments.source_and_target()?;
    target::check_payload_name(snapshot)?;
    let options = EncodeOptions {
        form: match arguments.form {
            FormRule::Payload => WrittenForm::Payload,
            FormRule::File => WrittenForm::File,
        },
        dry_run: arguments.dry_run,
        parents: arguments.parents,
        self_test: !arguments.no_self_test && arguments.self_test.unwrap_or(true),
        sink: DirOptions {
            existing: if arguments.force { ExistingTarget::Replace } else { ExistingTarget::Refuse },
            fsync: fsync(arguments.fsync),
        },
        ..read_options(&arguments.read, dump)?
    };
    let report = encode(dump, snapshot, &options, output.screen()).inspect_err(|error| show_refusal(output, error))?;
    warn_of_privacy(output, report.privacy, &report.snapshot);
    for warning in &report.warnings {
        output.warning(warning);
    }
    text::tell_of_limit(output, &report.payload.contents);
    tell_what_is_left_out(output, &report.lost)?;
    let exit = exit(&report.payload);
    output.result(exit, &report, |out| {
        text::title("Payload", snapshot.display(), report.dry_run, out);
        show_payload(&report.payload, out);
        if report.dry_run {
            return text::contents("Selected", &report.payload.contents, out);
        }
        let _ = writeln!(out, "  info     {} (fsync {}, {})", report.encode_info, report.fsync, report.published_by);
        out.command(
            "  make a node of it: ",
            "ekv-backup prepare-restore",
            snapshot,
            " DATA_DIR --peers ID=HOST:PORT --fresh-cluster",
        );
    });
    Ok(exit)
}

/// How a command ends that wrote a payload.
pub(crate) fn exit(report: &PayloadReport) -> Exit {
    if report.not_restorable > 0 { Exit::Losses } else { Exit::Done }
}

/// What the options say about the dump.
pub(crate) fn read_options(arguments: &DumpReadArguments, dump: &Path) -> Result<EncodeOptions, Error> {
    let adapters = some_adapters(arguments.adapter.as_ref());
    let sort_memory = u64::from(arguments.sort_memory) << 20;
    let scope =
        arguments.scope.scope(adapters.as_deref().unwrap_or(&Protocol::IN_DUMPS), dump, arguments.allow_empty)?;
    let scope = of_dump(arguments.first.of(scope))?;
    Ok(EncodeOptions {
        adapters,
        scope,
        last_commit_ts: arguments.last_commit_ts,
        allow_future_timestamps: arguments.allow_future_timestamps,
        strict: arguments.strict,
        reference_bytes: arguments.reference_bytes,
        keeps_unknown_types: arguments.fs_keep_unknown_types,
        fs_tar: arguments
            .fs_from_tar
            .as_ref()
            .map(|_| FsTarOptions { skips_unsupported: arguments.fs_skip_unsupported, ..FsTarOptions::default() }),
        accept_losses: arguments.accept_losses,
        allow_empty: arguments.allow_empty,
        resources: target::resources(&arguments.limits),
        sort_memory: usize::try_from(sort_memory).unwrap_or(usize::MAX),
        ..EncodeOptions::default()
    })
}

/// What a refusal is about, as messages: differences that a self test found, or what is missing in the dump.
pub(crate) fn show_refusal(output: &Output, error: &Error) {
    match error.get_ref().downcast_ref() {
        Some(EncodeRefusal::SelfTest { first, .. }) => first.iter().for_each(|line| output.problem(line)),
        Some(EncodeRefusal::Losses { account, first }) => {
            super::verify::show_first(output, first, if first.is_empty() { 0 } else { account.count });
        }
        Some(EncodeRefusal::NotRestorable { lost }) => output.refused_losses(lost, ", all in --json"),
        _ => {}
    }
}

/// Names what no server restores: all of it is in the report for machines.
pub(crate) fn tell_what_is_left_out(output: &Output, lost: &Losses) -> Result<(), Error> {
    let first = lost.first(LISTED_LOSSES_MAX)?;
    first_of(&first, lost.count(), ", all in --json", |line| output.warning(line));
    Ok(())
}

/// What was read and written.
pub(crate) fn show_payload(report: &PayloadReport, out: &mut Page) {
    let files = text::count(report.dump_files, "file", "files");
    let adapters = if report.adapters.is_empty() { "nothing".to_owned() } else { report.adapters.join(", ") };
    let _ = writeln!(out, "  encoded  {adapters}: {files}, {} as CHECKSUMS says", text::bytes(report.dump_bytes));
    if report.dump_files_left_out > 0 {
        let left_out = text::count(report.dump_files_left_out, "file was", "files were");
        let _ = writeln!(out, "           {left_out} left out");
    }
    if report.losses > 0 {
        let losses = text::count(report.losses, "loss", "losses");
        let _ = writeln!(out, "           INCOMPLETE: the dump was written with {losses}, as accepted");
    }
    text::selection("           ", report.dump_selection.as_deref(), out);
    if let Some(selection) = &report.selection {
        let _ = writeln!(out, "           selected by {selection}");
    }
    text::choices("           ", &report.by_choice, out);
    if report.expired_keys > 0 {
        let keys = text::count(report.expired_keys, "Redis key has", "Redis keys have");
        let _ = writeln!(out, "           {keys} an expiry that has passed: a server drops what is expired");
    }
    let records = text::count(report.records, "record", "records");
    let _ = writeln!(
        out,
        "  into     {records}, {}, all committed at {} (hlc:{})",
        text::bytes(report.bytes),
        report.last_commit.time,
        report.last_commit.hlc
    );
    if report.not_restorable > 0 {
        let not_restorable = text::count(report.not_restorable, "thing", "things");
        let _ = writeln!(
            out,
            "  not in it  {not_restorable} that no server can restore, named in the warnings and in --json"
        );
    }
    let _ = writeln!(out, "  payload  SHA-256 {}", report.payload_sha256);
    let verdict = match report.self_test.ran {
        false => "not decoded again: nobody knows whether it is right",
        true => "decoded again: every key, item, object and message is what the dump says",
    };
    let _ = writeln!(out, "  tested   {verdict}");
}
