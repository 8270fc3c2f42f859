//! S3 records to files and back: what the specification promises about whole buckets.

mod content;
mod encode;
mod generations;
mod golden;
mod hostile;
mod names;
mod offload;
mod options;
mod support;
