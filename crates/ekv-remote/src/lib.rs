//! Object stores: an archive goes there in parts and appears as a whole, and is read by ranges of the very object that was found.
//!
//! A [`Remote`] is one container of objects. [`Upload`] is written to like a file; until [`Upload::finish`] nothing is to be seen. [`Download`]
//! reads an object from front to back, ahead of whoever reads it, [`RemoteFile`] at any position; both are bound to the tag of the object, so that
//! one that is replaced meanwhile is an error.
//!
//! | file | answers |
//! |---|---|
//! | `url.rs` | which container and object does an address name? |
//! | `upload.rs` | how does a stream become an object? |
//! | `download.rs`, `file.rs` | how is an object read, although answers break off? |
//! | `s3.rs` | how does S3 do it? |
//! | `shelf/` | which dumps are under a prefix, and which of them stay? |
//! | `probe.rs` | does the store keep to "only if it is new"? |

mod download;
mod error;
mod file;
mod probe;
mod s3;
pub mod shelf;
mod upload;
mod url;

use std::io::Read;
use std::ops::Range;

use jiff::Timestamp;

pub use download::Download;
pub use error::{Error, Result};
pub use file::RemoteFile;
pub use probe::check_create_only;
pub use s3::S3Remote;
pub use upload::{Upload, Uploaded};
pub use url::{RemoteUrl, UrlError};

/// Longest object that is written in one request, in bytes.
pub const WHOLE_LEN_MAX: usize = 16 << 20;

/// Whether an object may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It must not be.
    Create,
    /// It is replaced.
    Replace,
}

/// An object as the store describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Length in bytes.
    pub len: u64,
    /// What another object under the same key would not have.
    pub tag: String,
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// What the store says of it.
    pub meta: Meta,
    /// When it was written, where the store says so.
    pub modified: Option<Timestamp>,
}

/// A part of an object to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartTag {
    /// Number, from 1.
    pub number: u32,
    /// Length in bytes.
    pub len: u64,
    /// The store's tag of it.
    pub tag: String,
    /// SHA-256 of it in base64.
    pub sha256: Option<String>,
}

/// A container of objects. All calls block, are tried again where that can help, and may come from several threads.
pub trait Remote: Send + Sync {
    /// How messages name an object.
    fn place(&self, key: &str) -> String;

    /// What the store says of an object; `None` if it is not there.
    ///
    /// # Errors
    /// Of the service.
    fn head(&self, key: &str) -> Result<Option<Meta>>;

    /// Begins to read a range of the object that has `tag`. The answer may break off.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Changed`]; of the service.
    fn get(&self, key: &str, range: Range<u64>, tag: &str) -> Result<Box<dyn Read + Send>>;

    /// Writes an object of at most [`WHOLE_LEN_MAX`] bytes.
    ///
    /// # Errors
    /// [`Error::Exists`] in [`Mode::Create`]; of the service.
    fn put(&self, key: &str, bytes: &[u8], mode: Mode) -> Result<Meta>;

    /// Begins an object in parts; nothing is to be seen of it before it is complete.
    ///
    /// # Errors
    /// Of the service.
    fn begin(&self, key: &str, mode: Mode) -> Result<Box<dyn Parts>>;

    /// Calls `take` with the objects whose keys begin with `prefix`, in the order of their keys' bytes, until it says false.
    ///
    /// # Errors
    /// Of the service, and of `take`.
    fn list(&self, prefix: &str, take: &mut dyn FnMut(Listed) -> Result<bool>) -> Result<()>;

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// # Errors
    /// Of the service.
    fn delete(&self, key: &str) -> Result<()>;
}

/// The parts of an object that is not to be seen yet.
pub trait Parts: Send + Sync {
    /// Writes a part; each but the last is at least 5 MiB long.
    ///
    /// # Errors
    /// Of the service.
    fn put(&self, number: u32, bytes: &[u8]) -> Result<PartTag>;

    /// Makes the object of its parts in ascending order.
    ///
    /// # Errors
    /// [`Error::Exists`] in [`Mode::Create`]; of the service.
    fn complete(&self, parts: &[PartTag]) -> Result<Meta>;

    /// Forgets the parts.
    ///
    /// # Errors
    /// Of the service.
    fn abort(&self) -> Result<()>;
}
