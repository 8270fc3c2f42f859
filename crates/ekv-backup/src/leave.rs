//! Leaving: what a backup holds, as files of another store, or written into a running server of somebody else, and compared with it.
//!
//! | file | question |
//! |---|---|
//! | `export.rs` | how do files of another store come about? |
//! | `dynamodb/` | what are tables and items for DynamoDB, and what does it not take? |
//! | `rdb.rs` | how does an RDB file come about, and what can none hold? |
//! | `target.rs` | which server is it, and may anything be written there? |
//! | `destination.rs` | where to? |
//! | `aws/`, `services.rs` | what have DynamoDB, S3 and SQS in common, and which of them is it? |
//! | `renames.rs` | what are keys called there? |
//! | `served.rs` | how does a server show a key that came from here? |
//! | `preflight.rs` | what is selected, and what of it cannot go? |
//! | `keys.rs`, `compare.rs` | which keys has it, and what do they differ in? |
//! | `checkpoint.rs`, `marks.rs` | how far has a load come, and may another run go on with it? |
//! | `ledger.rs`, `counts.rs`, `sample.rs` | what became of every thing, and which are read back? |
//! | `load.rs` | how does it get there, and what became of every key? |
//!
//! Source: `docs/format/redis-live.md`, `docs/format/leave.md`.

mod aws;
mod checkpoint;
mod compare;
mod counts;
mod destination;
mod dynamodb;
mod export;
mod keys;
mod ledger;
mod load;
mod marks;
mod preflight;
mod rdb;
mod renames;
mod sample;
mod served;
mod services;
mod target;

pub use aws::{
    AwsAccess, AwsCompared, AwsLoadOptions, AwsLoadReport, AwsOnExists, AwsSurvey, AwsTarget, Capacity, LoadedScope,
    Verify,
};
pub use compare::{ComparedServer, compare};
pub use counts::{KindCount, Reason};
pub use destination::{AwsService, Destination, DestinationError};
pub use dynamodb::{ImportCompression, ImportOptions, ImportReport, ImportedTable};
pub use ekv_live::{AddressError, Method, OnExists, ServerAddress};
pub use ekv_rdb::BackLengths;
pub use export::{ExportOptions, ExportReport, export_to_dynamodb, export_to_rdb};
pub use ledger::{LoadCounts, LoadStopped, Verified};
pub use load::{LoadOptions, LoadReport, load};
pub use preflight::Survey;
pub use rdb::{RdbFileReport, RdbOptions, RdbTarget};
pub use renames::{Renames, RenamesError};
pub use services::{compare_with_service, load_into_service};
pub use target::{Password, ServerTarget, TargetReport};
