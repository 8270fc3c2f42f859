//! What can be odd or damaged about DynamoDB records. Source: `docs/format/dynamodb.md`, sections 3 to 5.

#![expect(missing_docs, reason = "each finding carries its meaning")]

use ekv_model::{Finding, findings};

findings! {
    // Losses: the one item or table is left out.
    pub const INVALID_SCHEMA: Finding =
        Finding::loss("ddb_invalid_schema", "tables whose schema record is damaged; their items are left out with them");
    pub const INVALID_ITEM: Finding =
        Finding::loss("ddb_invalid_item", "items whose record is damaged or lacks a usable key attribute");
    pub const ITEM_TOO_DEEP: Finding =
        Finding::loss("ddb_item_too_deep", "items with more than 64 levels of lists and maps");
    pub const ITEM_TOO_LARGE: Finding = Finding::loss(
        "ddb_item_too_large",
        "items of more than 16 MiB, or with so many attributes that sorting their names takes more than 32 MiB",
    );
    pub const MALFORMED_KEY: Finding =
        Finding::loss("ddb_malformed_key", "records of tables and items whose key does not parse");

    // Warnings: nothing that clients see is missing.
    pub const ORPHAN_ITEMS: Finding = Finding::warning(
        "ddb_orphan_items",
        "tables without a schema whose items are still there, hidden from clients and not written",
    );
    pub const STALE_GENERATION_ITEMS: Finding = Finding::warning(
        "ddb_stale_generation_items",
        "tables with items of an earlier life of the table, hidden from clients and not written",
    );
    pub const KEY_MISMATCH: Finding = Finding::warning(
        "ddb_key_mismatch",
        "items stored under another key than their key attributes have; written under the key of their attributes",
    );
    pub const SUPERSEDED_ITEMS: Finding = Finding::info(
        "ddb_superseded_items",
        "items with a key that another item has, as a move to ordered keys leaves them; hidden from clients and not written",
    );
    pub const KEY_NO_NUMBER: Finding = Finding::warning(
        "ddb_key_no_number",
        "items of tables with legacy keys with a key of type N that is no number; no table of today can hold them, and encode leaves them out",
    );
    pub const INDEX_WITHOUT_KEY: Finding = Finding::warning(
        "ddb_index_without_key",
        "tables with an index that has no hash key and so no rows; the index is not written",
    );
}

// On the way back, of what is no oddity of a snapshot.
pub const INDEX_ROW_LEFT_OUT: Finding = Finding::warning(
    "ddb_index_row_left_out",
    "items without a row in an index of their table, since an attribute of theirs cannot be a key there; the items themselves are restored",
);
