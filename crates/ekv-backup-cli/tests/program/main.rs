//! The program as people and scripts run it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "helpers of tests")]

mod advice;
mod archives;
#[cfg(target_os = "linux")]
mod bounds;
#[cfg(target_os = "linux")]
mod chaos;
mod clean;
mod dry_run;
mod endings;
mod escaping;
mod exit_codes;
mod export;
mod files;
mod first_run;
mod guide;
mod help;
mod input;
mod kept_index;
mod keys;
mod load;
mod load_dynamodb;
mod load_s3;
mod load_sqs;
mod looking;
mod nothing_lost;
mod object_store;
mod output;
mod overlap;
mod prepare_restore;
mod reference;
mod report;
mod selections;
mod server;
mod servers;
mod shells;
mod signals;
mod streams;
mod support;
mod surroundings;
mod target;
mod way_back;
