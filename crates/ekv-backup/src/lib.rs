//! Decode, verify and inspect elastickv backups.
//!
//! | module | question |
//! |---|---|
//! | `open.rs`, `input_place.rs` | what did the user name? |
//! | `resources.rs` | how much may reading it take? |
//! | `load.rs` | is it sound, and what does pass 1 say? |
//! | `index_cache.rs` | what did an earlier run learn of it? |
//! | `store.rs` | all of that, opened once and asked many times |
//! | `pipe.rs`, `dump_output.rs` | how do events become something that is there as a whole, or not at all? |
//! | `events.rs`, `dump_events.rs`, `rdb.rs` | what are the events of a store, of a dump, of an RDB file? |
//! | `digest.rs` | do two sources hold the same? |
//! | `losses.rs` | what was left out, one by one? |
//! | `answerable.rs` | which times can it answer? |
//! | `available.rs` | which snapshots does a node have? |
//! | `state.rs`, `ownership.rs` | what does a reader see of it: transactions, groups? |
//! | `groups.rs` | are all groups here? |
//! | `contents.rs` | how many things were that? |
//! | `completeness.rs` | is everything there that was asked for? |
//! | `object_store.rs` | an archive or a snapshot on an object store |
//! | `dump_target.rs`, `dump_source.rs` | a dump as a directory, an archive or a stream: where to, where from? |
//! | `decode.rs`, `index.rs`, `inspect.rs`, `verify.rs`, `checksums.rs`, `pack.rs` | the commands |
//! | `part.rs` | how does a part of a dump become a dump? |
//! | `encode.rs`, `restore.rs` | the way back into a cluster |
//! | `see.rs`, `see/` | what is in a snapshot, a node, a dump, an archive? |
//! | `leave.rs`, `leave/` | how does it get into other stores, their files and their servers? |
//! | `selection.rs` | what is said about what was selected of a dump? |
//! | `report.rs` | what is told, for people and machines |
//! | `progress.rs` | how far is it, and shall it stop? |
//! | `shell.rs` | how is a command printed that people copy? |
//!
//! Commands take options and a [`Progress`], and return a report that serializes to JSON. They never print and never exit.

mod advice;
mod answerable;
mod available;
mod books;
mod checksums;
mod clean;
mod completeness;
mod contents;
mod culprit;
mod decode;
mod digest;
mod documents;
mod dump_events;
mod dump_output;
mod dump_source;
mod dump_target;
mod encode;
mod error;
mod events;
mod groups;
mod imports;
mod index;
mod index_cache;
mod input_place;
mod inspect;
mod keys;
pub mod leave;
mod load;
mod loaded;
mod losses;
mod new_parents;
mod object_store;
mod offload;
mod open;
mod overlap;
mod ownership;
mod pack;
mod part;
pub mod pipe;
mod progress;
mod rdb;
mod rdb_error;
mod remedy;
mod report;
mod resources;
pub mod restore;
pub mod see;
mod selection;
pub mod server;
pub mod shell;
mod snapshot_times;
mod state;
mod store;
mod time;
mod verify;

pub use advice::{Wanted, advice, damage_advice, name_advice};
pub use available::{AvailableSnapshot, AvailableState};
pub use books::BooksReport;
pub use checksums::{ChecksumsOptions, ChecksumsReport, checksums};
pub use clean::{CleanReport, LeftoverReport, clean};
pub use completeness::{Choice, Completeness, Grounds, Missing, Proof, Status};
pub use contents::{Contents, KindContents, ScopeContents};
pub use decode::{DecodeOptions, DecodeReport, available_jobs, decode};
pub use documents::write_documents;
pub use dump_events::DumpEvents;
pub use dump_source::open_dump;
pub use dump_target::{DumpTarget, NewName};
pub use ekv_adapters::fs::Options as FsOptions;
pub use ekv_adapters::redis::{BareKeys, Expired, Options as RedisOptions};
pub use ekv_adapters::s3::Options as S3Options;
pub use ekv_adapters::sqs::Options as SqsOptions;
pub use ekv_dump::manifest::DynamodbLayout;
pub use ekv_dump::portable::PortableNames;
pub use ekv_dump::replay::Checking;
pub use ekv_dump::{FsFormat, FsTarOptions, SqsVisibility, TreeOptions};
pub use ekv_files::archive::{ArchiveLimits, Compression, ZSTD_LEVEL_MAX, ZstdLevel};
pub use ekv_files::compressed::DEFAULT_EXPANSION_MAX;
pub use ekv_files::sink::{DirOptions, ExistingTarget, Fsync, Privacy};
pub use ekv_model::NoMonitor as NoProgress;
pub use ekv_model::{Class, Error, Kind, Protocol, Result, Scope, TextError};
pub use ekv_rdb::FieldExpiry;
pub use ekv_snapshot::DataKeys;
pub use ekv_snapshot::txn::TxnView;
pub use ekv_spill::is_out_of_space;
pub use encode::{EncodeOptions, EncodeRefusal, EncodeReport, PayloadReport, SelfTestReport, WrittenForm, encode};
pub use error::CommandError;
pub use events::{EventOptions, StoreEvents};
pub use index::{IndexReport, IndexRow, keep_indexes};
pub use index_cache::{IndexCache, IndexUse};
pub use inspect::{Inspection, SelectedReport, inspect, inspect_part};
pub use keys::KeyFiles;
pub use loaded::{ReadOptions, Unowned};
pub use losses::{LISTED_LOSSES_MAX, LossAccount, LossKindReport, Losses};
pub use object_store::ObjectName;
pub use offload::{OffloadChoice, OffloadReport, SnapshotName, StoreListing, StoreRow};
pub use open::{Opened, OpenedSnapshot, open};
pub use pack::{CopyReport, PublishedReport, pack, unpack};
pub use part::{CopyOptions, PartReport};
pub use progress::{Phase, Progress};
pub use rdb::{RdbEvents, RdbFile};
pub use rdb_error::RdbError;
pub use remedy::Attempt;
pub use report::{
    Accounts, DataKeyReport, ExampleReport, FamilyReport, FindingReport, Moment, NamesReport, OutcomeReport,
    PrefixReport, RdbReport, ServerReport, SnapshotReport, Text, TransactionsReport,
};
pub use resources::Resources;
pub use store::Store;
pub use time::{AbsoluteTime, ReadTime, format_commit_ts, format_unix_ms, parse_age, parse_source_date_epoch};
pub use verify::{VerifyReport, verify, verify_within};
