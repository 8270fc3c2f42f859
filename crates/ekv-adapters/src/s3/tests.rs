//! S3 records to files: what the specification promises about whole buckets.

mod content;
mod generations;
mod golden;
mod hostile;
mod names;
mod offload;
mod options;
mod support;
