//! DynamoDB, S3 and SQS for tests: emulators, a proxy that makes their answers fail, and an endpoint whose answers are scripted.
//!
//! All of them listen on loopback ports of their own and end with the test that started them.

mod emulators;
mod http;
mod script;

pub use emulators::{Microburst, MiniStack};
pub use http::Answered;
pub use script::{Asked, ScriptedAws, Told, batch_write, send_batch};
