//! Leaving: what a backup holds, as files of another store, or written into a running server of somebody else, and compared with it.
//!
//! | file | question |
//! |---|---|
//! | `export.rs` | how do files of another store come about? |
//! | `dynamodb/` | what are tables and items for DynamoDB, and what does it not take? |
//! | `keys_file.rs`, `resp.rs` | how do an RDB file and commands for a server come about, and what can none hold? |
//! | `destination.rs` | where to? |
//! | `aws/`, `services.rs` | what have DynamoDB, S3 and SQS in common, and which of them is it? |
//! | `s3/` | how do objects get to S3, and what does it not take? |
//! | `sqs/` | how do messages get to SQS in their order, and what does it not take? |
//! | `renames.rs`, `one_database.rs` | what are keys called there, and in which database? |
//! | `served.rs` | how does a server show a key that came from here? |
//! | `preflight.rs` | what is selected, and what of it cannot go? |
//! | `compare.rs` | what do a backup and a server differ in? |
//! | `checkpoint.rs`, `marks.rs` | how far has a load come, and may another run go on with it? |
//! | `ledger.rs`, `counts.rs`, `sample.rs`, `read_back.rs` | what became of every thing, and which are read back? |
//! | `load.rs` | how does it get there, and what became of every key? |
//!
//! Source: `docs/format/redis-live.md`, `docs/format/leave.md`.

pub(crate) mod aws;
mod checkpoint;
mod compare;
mod counts;
pub(crate) mod destination;
mod dynamodb;
mod export;
mod keys_file;
mod ledger;
mod load;
mod marks;
mod one_database;
mod preflight;
mod read_back;
mod renames;
mod resp;
mod s3;
mod sample;
mod served;
mod services;
mod sqs;

pub use aws::{
    AwsAccess, AwsCompareOptions, AwsCompared, AwsLoadOptions, AwsLoadReport, AwsOnExists, AwsSurvey, AwsTarget,
    Capacity, InDoubt, LoadedScope, Verify,
};
pub use compare::{ComparedServer, compare};
pub use counts::{KindCount, Reason};
pub use destination::{AwsService, Destination, DestinationError};
pub use dynamodb::{ImportCompression, ImportOptions, ImportReport, ImportedTable};
pub use ekv_live::{Method, OnExists};
pub use ekv_rdb::BackLengths;
pub use export::{ExportOptions, ExportReport, export_keys, export_to_dynamodb};
pub use keys_file::{FileReport, FileTarget, KeysForm, KeysOptions};
pub use ledger::{LoadCounts, LoadStopped, Verified};
pub use load::{LoadOptions, LoadReport, load};
pub use preflight::Survey;
pub use renames::{Renames, RenamesError};
pub use services::{compare_with_service, load_into_service};
