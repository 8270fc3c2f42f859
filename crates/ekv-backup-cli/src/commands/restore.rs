//! `restore`.

use std::fmt::Write as _;

use ekv_backup::Error;
use ekv_backup::restore::{PrepareOptions, restore};

use crate::args::RestoreArguments;
use crate::commands::encode::{read_options, show_differences, show_payload};
use crate::commands::prepare_restore::{cluster_options, show_content, show_next_steps};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &RestoreArguments, output: &mut Output) -> Result<Exit, Error> {
    let encode = read_options(&arguments.read);
    let prepare = PrepareOptions {
        allow_future_timestamps: arguments.read.allow_future_timestamps,
        ..cluster_options(&arguments.cluster)
    };
    let report = restore(&arguments.dump, &arguments.data_dir, &encode, &prepare, output.screen())
        .inspect_err(|error| show_differences(output, error))?;
    for warning in &report.prepared.warnings {
        output.note(warning);
    }
    let dump = output.bold(&format!("Dump {}", arguments.dump.display()));
    let data_dir = output.bold(&format!("Data directory {}", report.prepared.data_dir.display()));
    let next = output.bold("Next steps");
    output.result(&report, |out| {
        let _ = writeln!(out, "{dump}");
        show_payload(&report.encoded, out);
        let _ = writeln!(out, "{data_dir}");
        show_content(&report.prepared, out);
        let _ = writeln!(out, "{next}");
        show_next_steps(&report.prepared, out);
    });
    Ok(Exit::Done)
}
