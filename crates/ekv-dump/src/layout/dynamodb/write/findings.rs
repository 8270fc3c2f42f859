//! What naming items can meet.

use ekv_model::Finding;

/// Two items of one table have the same file name.
pub const NAME_COLLISION: Finding = Finding::warning(
    "ddb_name_collision",
    "items whose file name another item of their table has, such as the string 1 and the number 1; written under a name made from a \
     hash of their key",
);
