//! DynamoDB tables as files. Source: `docs/format/dynamodb.md`.

pub(crate) mod read;
pub(crate) mod write;
