//! JSON as the files of a dump have it: escaping, layout, numbers; everything can be written and read piece by piece.
//!
//! Source: `docs/format/tree.md`, section 3 (escaping), section 6 (layout); `docs/format/redis.md`, section 6.3.
//!
//! All writers append to a buffer that the caller empties when it likes.

mod escape;
mod layout;
mod limited;
mod object;
mod object_text;
mod read;
mod score;
mod serialize;
mod shown;
mod utf8;

pub use crate::base64::Base64Stream;
pub use escape::{EscapeMode, EscapeStream, escape_into};
pub use layout::{Bracket, Layout};
pub use limited::{JsonError, LimitedStrings, StringTooLong};
pub use object::Object;
pub use object_text::ObjectText;
pub use read::{Found, JsonFault, JsonReader, JsonSource, Position, StoredReader, ValueKind, is_name};
pub use score::push_score;
pub use serialize::{Style, serialize_into, write_shown, write_shown_line, write_shown_object};
pub use shown::ShownStream;
pub use utf8::Utf8Check;
