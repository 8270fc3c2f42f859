//! Where a backup leaves to, as the command line names it.

use std::fmt;
use std::str::FromStr;

use ekv_live::{AddressError, ServerAddress};
use ekv_model::Protocol;

/// Where a backup leaves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A server or cluster of Redis or Valkey.
    Redis(ServerAddress),
    /// A service of AWS, or one that speaks like it.
    Aws(AwsService),
}

/// The services of AWS that things leave to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum AwsService {
    DynamoDb,
    S3,
    Sqs,
}

/// Why a text names no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It names a server that is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Something follows the name of a service.
    #[error(
        "{text}: a service stands alone, as {service}: names are selected by --{option}, and changed by --rename OLD=NEW"
    )]
    NotAlone {
        /// What was given.
        text: String,
        /// The service.
        service: AwsService,
        /// The option that selects tables, buckets or queues.
        option: &'static str,
    },
    /// Nothing that is known.
    #[error(
        "{0}: expected redis://HOST[:PORT][/DATABASE], rediss:// for TLS, unix:PATH, or a service of AWS: dynamodb:, s3: or sqs:"
    )]
    Unknown(String),
}

impl AwsService {
    const ALL: [AwsService; 3] = [AwsService::DynamoDb, AwsService::S3, AwsService::Sqs];

    /// Whose things it takes.
    pub fn protocol(self) -> Protocol {
        match self {
            AwsService::DynamoDb => Protocol::DynamoDb,
            AwsService::S3 => Protocol::S3,
            AwsService::Sqs => Protocol::Sqs,
        }
    }

    /// What its things are called: one, several.
    pub fn things(self) -> (&'static str, &'static str) {
        match self {
            AwsService::DynamoDb => ("item", "items"),
            AwsService::S3 => ("object", "objects"),
            AwsService::Sqs => ("message", "messages"),
        }
    }
}

impl fmt::Display for AwsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AwsService::DynamoDb => "dynamodb:",
            AwsService::S3 => "s3:",
            AwsService::Sqs => "sqs:",
        })
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        for service in AwsService::ALL {
            if let Some(rest) = text.strip_prefix(&service.to_string()) {
                let option = service.protocol().scope_word();
                return match rest.trim_matches('/') {
                    "" => Ok(Destination::Aws(service)),
                    _ => Err(DestinationError::NotAlone { text: text.to_owned(), service, option }),
                };
            }
        }
        match text.parse() {
            Ok(address) => Ok(Destination::Redis(address)),
            Err(AddressError::Scheme(text)) => Err(DestinationError::Unknown(text)),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_stand_alone_and_servers_have_addresses() {
        for (text, service) in
            [("dynamodb:", AwsService::DynamoDb), ("s3://", AwsService::S3), ("sqs:", AwsService::Sqs)]
        {
            assert_eq!(text.parse(), Ok(Destination::Aws(service)), "{text}");
        }
        assert!(matches!("redis://h".parse(), Ok(Destination::Redis(_))));
        for (text, told) in [("s3://photos", "--bucket"), ("dynamodb:users", "--table"), ("ftp://x", "dynamodb:, s3:")]
        {
            let error = text.parse::<Destination>().unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
