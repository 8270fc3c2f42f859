//! What all services of AWS have in common for those who leave for them.
//!
//! | file | question |
//! |---|---|
//! | `access.rs`, `options.rs` | who is asked, and how is it written? |
//! | `report.rs` | what is told? |
//! | `connection.rs`, `machine.rs` | how is the service reached, as whom? |
//! | `window.rs` | how are several requests under way at once, and no more than fit? |
//! | `run.rs` | what does every load do before the first thing, and after the last? |
//! | `failure.rs` | what does an error mean to the user? |
//!
//! Source: `docs/format/leave.md`, section 2.

pub(crate) mod access;
pub(crate) mod connection;
pub(crate) mod failure;
mod machine;
mod options;
mod report;
mod run;
mod window;

pub use access::AwsAccess;
pub use options::{AwsCompareOptions, AwsLoadOptions, AwsOnExists, Capacity, InDoubt, Verify};
pub use report::{AwsCompared, AwsLoadReport, AwsSurvey, AwsTarget, LoadedScope};

pub(super) use {
    connection::Connection,
    failure::{failed, stopped_by_service},
    report::Scopes,
    run::{Run, Settling, check_renames, rename},
    window::{Window, with_window},
};
