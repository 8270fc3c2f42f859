//! Bounded memory: what would grow with the input goes to scratch files.
//!
//! * [`Scratch`] gives fresh, private, nameless files; [`SystemScratch`] takes them from the system's temporary directory.
//! * [`Spool`] collects bytes, in memory up to a budget, then in a scratch file.
//! * [`Sorter`] orders records by key within a memory budget.
//! * [`SparseIndex`] finds records of a sorted file by key; [`Table`] is such a file.
//!
//! ```
//! use std::sync::Arc;
//! use ekv_spill::{Sorter, SystemScratch};
//!
//! let mut sorter = Sorter::new(Arc::new(SystemScratch::new()), 1 << 20);
//! sorter.push(b"pear", b"2")?;
//! sorter.push(b"apple", b"1")?;
//! let mut sorted = sorter.finish()?;
//! assert_eq!(sorted.next()?, Some((&b"apple"[..], &b"1"[..])));
//! assert_eq!(sorted.next()?, Some((&b"pear"[..], &b"2"[..])));
//! assert_eq!(sorted.next()?, None);
//! # Ok::<(), ekv_spill::Error>(())
//! ```

mod error;
mod file;
mod out_of_space;
mod positioned;
mod scratch;
mod sorter;
mod sparse_index;
mod spool;
mod table;

pub use error::{Error, Operation, RECORD_LEN_MAX, Result};
pub use out_of_space::is_out_of_space;
pub use positioned::{read_exact_at, write_all_at};
pub use scratch::{Scratch, SystemScratch};
pub use sorter::{Sorted, Sorter};
pub use sparse_index::{SparseIndex, SparseIndexBuilder};
pub use spool::{Spool, Spooled, SpooledReader};
pub use table::{Table, TableBuilder, TakeRow};

/// A length in memory as a length in a file.
fn file_len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
