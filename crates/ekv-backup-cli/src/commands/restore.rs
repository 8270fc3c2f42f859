//! `restore`.

use ekv_backup::Error;
use ekv_backup::restore::{PrepareOptions, restore};

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
