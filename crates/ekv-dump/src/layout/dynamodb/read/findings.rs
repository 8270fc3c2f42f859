//! What the files of a table can be odd in. The names are those of the decode that told.

use ekv_model::Finding;

/// A key of type N that is no number.
pub(super) const KEY_NO_NUMBER: Finding =
    Finding::warning("ddb_key_no_number", "items with a key of type N that is no number");
