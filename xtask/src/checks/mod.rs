//! Every check of the project that is no test, each of which can be run alone.

mod ci;
mod cross;
mod documents;
mod findings;
mod licences;
mod oldest;
mod packages;
mod rooms;
mod rustup;
mod toy;

use crate::error::{Error, takes_no_arguments};

/// Runs one check, or with `ci` all of them.
pub(crate) fn run(task: &str, rest: &[String]) -> Result<(), Error> {
    let check = match task {
        "licences" => licences::run,
        "documents" => documents::run,
        "findings" => findings::run,
        "rooms" => rooms::run,
        "cross" => cross::run,
        "oldest" => oldest::run,
        "toy" => toy::run,
        "ci" => ci::run,
        _ => return Err(Error::Usage { problem: format!("there is no task `{task}`") }),
    };
    if rest.is_empty() { check() } else { Err(takes_no_arguments(task)) }
}
