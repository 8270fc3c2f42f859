//! Values, records and files as a server loads them.

mod file;
mod refusal;
mod sorted;
mod stream;
mod value;

pub use file::{Database, FileWriter, WrittenFile};
pub use refusal::Refusal;
pub use sorted::{RepeatedKey, SortedFile};
pub use value::{Encoded, Encoder, Value};
