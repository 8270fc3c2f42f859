//! Route keys: those of all queues are one.

use std::borrow::Cow;

use crate::adapter::Routes;

/// All records are routed together, but for those of partitions, which a server flag assigns.
pub(super) const ROUTES: Routes = Routes {
    exempt: &[
        b"!sqs|msg|data|p|",
        b"!sqs|msg|vis|p|",
        b"!sqs|msg|byage|p|",
        b"!sqs|msg|dedup|p|",
        b"!sqs|msg|group|p|",
    ],
    of_key: |user_key| user_key.starts_with(b"!sqs|").then_some(Cow::Borrowed(b"!sqs|route|global")),
    ..Routes::NONE
};
