//! Options about running servers of Redis and Valkey.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ekv_backup::FieldExpiry;

/// How running servers are reached, and what of them a backup cannot hold.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArguments {
    /// File with the password of the Redis or Valkey server, which may end with a line feed; else EKV_REDIS_PASSWORD counts
    #[arg(long, value_name = "FILE", help_heading = "Redis and Valkey")]
    pub(crate) password_file: Option<PathBuf>,
    /// ACL user of a server whose address names none
    #[arg(long, value_name = "NAME", help_heading = "Redis and Valkey")]
    pub(crate) user: Option<String>,
    /// What happens to hashes whose fields expire one by one (Redis from 7.4, Valkey from 9 on), which no backup holds
    ///
    /// lose: such a hash is left out and told (exit code 5). drop: its fields are kept, and do not expire any more.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = FieldExpiryRule::Lose, help_heading = "Redis and Valkey")]
    pub(crate) field_ttl: FieldExpiryRule,
}

/// See [`FieldExpiry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FieldExpiryRule {
    Lose,
    Drop,
}

impl From<FieldExpiryRule> for FieldExpiry {
    fn from(rule: FieldExpiryRule) -> Self {
        match rule {
            FieldExpiryRule::Lose => FieldExpiry::Lose,
            FieldExpiryRule::Drop => FieldExpiry::Drop,
        }
    }
}
