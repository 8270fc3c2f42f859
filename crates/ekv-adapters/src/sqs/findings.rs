//! What can be odd or damaged about SQS records. Source: `docs/format/sqs.md`, sections 3 and 5.

#![expect(missing_docs, reason = "each finding carries its meaning")]

use ekv_model::{Finding, findings};

findings! {
    // Losses: the queue, the message or the record is left out.
    pub const INVALID_QUEUE_META: Finding = Finding::loss(
        "sqs_invalid_queue_meta",
        "queues whose settings do not parse; their messages can be had as those of a lost queue",
    );
    pub const INVALID_MESSAGE: Finding = Finding::loss("sqs_invalid_message", "messages that do not parse");
    pub const MALFORMED_KEY: Finding = Finding::loss("sqs_malformed_key", "records of queues whose key does not parse");

    // Warnings: nothing that the live server would deliver is missing.
    pub const STALE_GENERATION: Finding = Finding::warning(
        "sqs_stale_generation_messages_dropped",
        "queues with messages from before a purge or a new creation, hidden from clients and not written",
    );
    pub const UNREACHABLE: Finding = Finding::warning(
        "sqs_unreachable_messages",
        "queues with messages under keys that the server does not read, hidden from clients and not written",
    );
    pub const GENERATION_MISMATCH: Finding = Finding::warning(
        "sqs_generation_mismatch",
        "queues whose generation counter differs from their settings or does not parse; the settings count",
    );
    pub const ORPHAN_MESSAGES: Finding =
        Finding::warning("sqs_orphan_messages", "queues that are gone while messages of theirs are left");
    pub const INVALID_SEQUENCE: Finding =
        Finding::warning("sqs_invalid_sequence", "queues whose last sequence number does not parse");
    pub const NAME_MISMATCH: Finding =
        Finding::warning("sqs_queue_name_mismatch", "queues whose settings carry another name than their key");
    pub const MESSAGE_ID_MISMATCH: Finding = Finding::warning(
        "sqs_message_id_mismatch",
        "messages whose value carries another id than their key, or none; written with the id of the key, by which the server finds them",
    );
    pub const ODD_SETTINGS: Finding = Finding::warning(
        "sqs_settings_not_accepted",
        "queues with settings that no server accepts from a client; they are kept as they were stored",
    );
    pub const OTHER_PARTITION: Finding = Finding::warning(
        "sqs_partition_of_another_group",
        "messages in another partition than their message group belongs to; they are kept where they were",
    );
}

// On the way back, of what is no oddity of a snapshot.
pub const SIDE_ROW_LEFT_OUT: Finding = Finding::warning(
    "sqs_side_row_left_out",
    "deduplication records and locks that no server restores, since their key or value is too long; the messages themselves are restored",
);
