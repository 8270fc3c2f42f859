//! Files of servers, read as events.

mod cursor;
mod fault;
pub mod findings;
mod gather;
mod lzf;
mod packed;
mod reader;
mod records;
mod skip;
mod stream;
mod string;
mod value;

pub use fault::{Fault, FaultAt, Magic};
pub use reader::{Checked, Taker, check, read};
pub use records::Form;
pub use value::FieldExpiry;

#[cfg(test)]
mod tests;
