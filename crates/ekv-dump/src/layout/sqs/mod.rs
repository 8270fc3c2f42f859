//! SQS queues as files. Source: `docs/format/sqs.md`.

pub(crate) mod read;
pub(crate) mod write;
