//! `restore`.

use std::path::Path;

use ekv_backup::restore::{PrepareOptions, restore, restore_published};
use ekv_backup::{Class, EncodeOptions, Error, ReadOptions};

use crate::args::RestoreArguments;
use crate::commands::encode::{exit, read_options, show_payload, show_refusal, tell_what_is_left_out};
use crate::commands::prepare_restore::{cluster_options, show_prepared};
use crate::commands::{target, text, warn_of_privacy};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &RestoreArguments, output: &mut Output) -> Result<Exit, Error> {
    let (dump, data_dir) = arguments.source_and_target()?;
    target::check_directory_name(data_dir)?;
    let encode = read_options(&arguments.read, dump)?;
    let prepare = PrepareOptions {
        allow_future_timestamps: arguments.read.allow_future_timestamps,
        ..cluster_options(&arguments.cluster)
    };
    if arguments.from_store.is_some() {
        return run_published((dump, data_dir), arguments, &encode, &prepare, output);
    }
    let report =
        restore(dump, data_dir, &encode, &prepare, output.screen()).inspect_err(|error| show_refusal(output, error))?;
    warn_of_privacy(output, report.prepared.privacy, &report.prepared.data_dir.display().to_string());
    for warning in &report.prepared.warnings {
        output.warning(warning);
    }
    text::tell_of_limit(output, &report.encoded.contents);
    tell_what_is_left_out(output, &report.lost)?;
    let exit = exit(&report.encoded);
    output.result(exit, &report, |out| {
        out.title(format_args!("Dump {}", dump.display()));
        let _ = writeln!(out);
        show_payload(&report.encoded, out);
        if report.prepared.dry_run {
            text::contents("Selected", &report.encoded.contents, out);
        }
        show_prepared(&report.prepared, "the dump", out);
    });
    Ok(exit)
}

/// Makes the data directory of what a server published.
fn run_published(
    (store, data_dir): (&Path, &Path),
    arguments: &RestoreArguments,
    encode: &EncodeOptions,
    prepare: &PrepareOptions,
    output: &mut Output,
) -> Result<Exit, Error> {
    if encode.scope.is_narrowed() {
        let text = "--from-store restores a whole group, unchanged: to restore a part, decode it and restore the dump";
        return Err(Error::new(Class::Environment, text));
    }
    let read = ReadOptions {
        offload: arguments.offload.choice(),
        resources: encode.resources.clone(),
        allow_empty: arguments.read.allow_empty,
        ..ReadOptions::default()
    };
    let report = restore_published(store, data_dir, &read, prepare, output.screen())?;
    warn_of_privacy(output, report.privacy, &report.data_dir.display().to_string());
    for warning in &report.warnings {
        output.warning(warning);
    }
    output.result(Exit::Done, &report, |out| {
        out.title(format_args!("Offload store {}", store.display()));
        let _ = writeln!(out);
        show_prepared(&report, "the store", out);
    });
    Ok(Exit::Done)
}
