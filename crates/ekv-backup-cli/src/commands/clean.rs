//! `clean`.

use ekv_backup::{Error, clean};

use crate::args::CleanArguments;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &CleanArguments, output: &mut Output) -> Result<Exit, Error> {
    let report = clean(&arguments.parent, arguments.dry_run)?;
    output.result(Exit::Done, &report, |out| {
        for leftover in &report.leftovers {
            let _ = writeln!(out, "{}: {}", leftover.path, leftover.outcome);
        }
        if report.leftovers.is_empty() {
            let _ = writeln!(out, "nothing to clean in {}", arguments.parent.display());
        }
    });
    Ok(Exit::Done)
}
