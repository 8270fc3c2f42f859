//! What is told of the files of queues.

use ekv_model::Finding;

/// Messages that belong to no queue, and stay in the dump.
pub const NOT_ENCODED_ORPHANS: Finding = Finding::warning(
    "sqs_orphans_not_encoded",
    "directories with what is left of queues that are gone: no server could reach it, and it stays in the dump",
);

/// Settings that name another queue, as a decode has told. The name is that of the decode.
pub const SETTINGS_OF_ANOTHER_NAME: Finding = Finding::warning(
    "sqs_queue_name_mismatch",
    "queues whose settings carry another name than their key, as the server had stored them; both are restored as they are",
);

/// Messages that no queue can hold beside each other under one id.
pub const REPEATED_IDS: Finding = Finding::warning(
    "sqs_message_ids_repeated",
    "queues with messages of several generations that have one id: the later ones are restored with their generation added to it",
);
