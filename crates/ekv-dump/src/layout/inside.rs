//! What lies in a scope, whosever it is.

use ekv_model::{Protocol, for_each_protocol};

use super::in_scope::{InScope, Misplaced, ScopeRow};

macro_rules! inside {
    ($($variant:ident $field:ident $facts:tt)*) => {
        /// Something in a database, table, bucket or queue; see the file `entry.rs` of each protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Inside<'p> {
            $($variant(super::$field::entry::Entry<'p>),)*
        }

        impl<'p> Inside<'p> {
            pub(crate) fn of_file(protocol: Protocol, path: &'p [u8]) -> Result<Self, Misplaced> {
                match protocol {
                    $(Protocol::$variant => super::$field::entry::Entry::of_file(path).map(Inside::$variant),)*
                }
            }

            pub(crate) fn of_directory(protocol: Protocol, path: &'p [u8]) -> Result<Self, Misplaced> {
                match protocol {
                    $(Protocol::$variant => super::$field::entry::Entry::of_directory(path).map(Inside::$variant),)*
                }
            }

            /// What it says about itself.
            pub(crate) fn entry(&self) -> &dyn InScope<'p> {
                match self {
                    $(Inside::$variant(entry) => entry,)*
                }
            }
        }

        /// The directories of the scopes of a protocol.
        pub(crate) fn scopes_of(protocol: Protocol) -> &'static ScopeRow {
            match protocol {
                $(Protocol::$variant => &super::$field::entry::SCOPES,)*
            }
        }
    };
}

for_each_protocol!(inside);
