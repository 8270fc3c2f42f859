//! The files of a dump by protocol: events to text (`write`) and text to events (`read`).
//!
//! One folder per protocol knows the names and the text of its files; none knows a key layout, and none knows another. What several
//! need is beside them.

pub(crate) mod dynamodb;
pub(crate) mod fs;
pub(crate) mod in_scope;
pub(crate) mod inside;
pub(crate) mod options;
pub(crate) mod raw;
pub(crate) mod redis;
mod row;
pub(crate) mod s3;
pub(crate) mod scopes;
pub(crate) mod sqs;
pub(crate) mod value;
pub(crate) mod write_files;

use ekv_model::{Protocol, for_each_protocol};

use row::Layout;

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
