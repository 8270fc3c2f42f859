//! What the files of a dump mean: names, KEYMAP, MANIFEST, the layout of each protocol, writing, reading and verifying a dump.
//!
//! This crate knows no record of the store. How files are written and read safely is in `ekv-files`.

mod content;
mod copy;
mod entry;
mod error;
pub mod expiry;
pub mod json;
pub mod keymap;
mod layout;
pub mod losses;
pub mod manifest;
pub mod portable;
pub mod replay;
pub mod s3_name;
pub mod scope_list;
pub mod segment;
mod taken;
mod tree_target;
pub mod verify;
mod writer;

pub use content::{Role, role_of};
pub use copy::{Copied, copy};
pub use error::DumpFault;
pub use layout::dynamodb::write::findings::NAME_COLLISION as DYNAMODB_NAME_COLLISION;
pub use layout::dynamodb::write::item::{ItemText, TextSink};
pub use layout::fs::tar::fault::TarFault;
pub use layout::fs::tar::read::{FsTar, FsTarOptions};
pub use layout::options::{FsFormat, SqsVisibility, TreeOptions};
pub use layout::scopes::Scopes;
pub use tree_target::TreeTarget;
pub use writer::{DumpTotals, DumpWriter};
