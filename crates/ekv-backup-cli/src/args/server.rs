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
    /// Ask for the password on the terminal, without showing what is typed
    #[arg(long, conflicts_with = "password_file", help_heading = "Redis and Valkey")]
    pub(crate) ask_password: bool,
    /// File with the certificates of the authorities that a server's is signed by (rediss://); else those of this system
    #[arg(long, value_name = "FILE", help_heading = "Redis and Valkey")]
    pub(crate) cacert: Option<PathBuf>,
    /// File with the certificate that a server wants to see of a client (rediss://), and with those that lead to its authority
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Redis and Valkey")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// File with the private key of --tls-cert
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Redis and Valkey")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Take any certificate of a server: whoever is between here and there can read and change everything
    #[arg(long, conflicts_with = "cacert", help_heading = "Redis and Valkey")]
    pub(crate) tls_insecure: bool,
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
