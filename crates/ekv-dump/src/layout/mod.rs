//! The files of a dump by protocol: events to text (`write`) and text to events (`read`).
//!
//! One folder per protocol knows the names and the text of its files; none knows a key layout, and none knows another. What several
//! need is beside them.

pub(crate) mod dynamodb;
pub(crate) mod in_scope;
pub(crate) mod inside;
pub(crate) mod options;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod s3;
pub(crate) mod scopes;
pub(crate) mod sqs;
pub(crate) mod value;
pub(crate) mod write_files;

use std::sync::Arc;

use ekv_files::Result;
use ekv_model::{Consumer, Protocol, for_each_protocol};
use ekv_spill::Scratch;

use options::TreeOptions;
use write_files::WriteFiles;

use crate::replay::reading::Reading;
use crate::verify::joins::Joins;

/// What the files of a protocol mean. What lies where is in [`inside`].
pub(crate) struct Layout {
    /// Makes files of its events.
    pub(crate) write: fn(&TreeOptions) -> Box<dyn WriteFiles>,
    /// Replays what its directory holds.
    pub(crate) read: fn(&mut Reading<'_>, &mut dyn Consumer) -> Result<()>,
    /// Checks what must go together, with memory for sorting in bytes.
    pub(crate) joins: fn(&Arc<dyn Scratch>, usize) -> Box<dyn Joins>,
}

macro_rules! layouts {
    ($($variant:ident $field:ident $facts:tt)*) => {
        /// That of a protocol.
        pub(crate) fn layout(protocol: Protocol) -> &'static Layout {
            match protocol {
                $(Protocol::$variant => &$field::LAYOUT,)*
            }
        }
    };
}

for_each_protocol!(layouts);
