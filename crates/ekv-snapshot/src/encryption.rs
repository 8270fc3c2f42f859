//! Encrypted values: data keys, and the same records without encryption. Source: `docs/format/encryption.md`.
//!
//! | file | question |
//! |---|---|
//! | `keys.rs` | which data keys are there, and how do they come out of a sidecar? |
//! | `gcm.rs` | does a ciphertext of any length open, in bounded memory? |
//! | `clear.rs` | what do the records of a snapshot say without it? |
//!
//! Every value is opened once, before anything is counted or published, and what is read later is clear. So a value whose tag is wrong is
//! known as lost in the books of pass 1, and a tombstone counts only once it is authentic.

mod clear;
mod gcm;
mod keys;

pub(crate) use clear::rewrite;
pub use gcm::{KEY_LEN, SecretKey};
pub use keys::{DataKeys, KeyFault};
