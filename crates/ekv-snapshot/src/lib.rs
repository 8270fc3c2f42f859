//! Reads and writes elastickv snapshot files (`.fsm`).
//!
//! Source: `docs/format/snapshot.md`. This crate knows bytes, versions and timestamps; it knows no adapter and writes no dump.
//!
//! 1. [`scan()`] reads an [`Input`] once, checks it and returns what it learned with a [`RecordFile`].
//! 2. A [`View`] of one or more record files at a read timestamp answers ranges ([`View::scan_range`]) and keys ([`View::lookup`]).
//!    [`kept`] spares a later run that read.
//! 3. A [`Writer`] takes records in any order ([`RecordSink`]) and writes them as a new snapshot.

mod checksum;
mod encryption;
mod entry;
mod envelope;
mod error;
mod file;
pub mod findings;
mod footer;
pub mod format;
mod hlc;
mod input;
mod input_reader;
pub mod kept;
mod key_heap;
mod merge;
mod mvcc2;
mod read_ahead;
mod record;
mod record_sink;
mod record_writer;
mod regular_file;
mod resolver;
mod restorable;
mod scan;
mod sequential;
pub mod server_file;
mod shared_key;
mod sst;
mod stream;
pub mod txn;
mod view;
mod writer;

pub use encryption::{DataKeys, KEY_LEN, KeyFault, SecretKey};
pub use envelope::{Envelope, Form, Header, check_beginning};
pub use error::{Error, ErrorKind, Location, Result, escape};
pub use file::RecordFile;
pub use hlc::CommitTs;
pub use input::{FileIdentity, FooterPolicy, Input, MemoryInput, ReadAt, Stamp, SubRange};
pub use input_reader::InputReader;
pub use record::{StoredValue, UnversionedRow, ValueHeader, split_raw_key};
pub use record_sink::RecordSink;
pub use regular_file::{is_own, open_own, open_regular, open_regular_itself};
pub use restorable::{RestorablePayload, RestorableTotals};
pub use scan::{Classify, FamilyTotals, FileTotals, OneFamily, Scan, ScanOptions, Watermarks, scan};
pub use stream::{for_each_piece, len_u64};
pub use view::{
    Counts, Group, IsWanted, Lasting, Lookup, Mark, Owner, Owners, Owns, Range, RangeScan, Version, VersionKind,
    VersionScan, View, Visible, VisibleTotals, check_read_ts,
};
pub use writer::{Writer, Written, WrittenForm};
