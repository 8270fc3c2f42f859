//! The protocols that can be asked for.

use ekv_adapters::Owner;
use ekv_dump::Included;

/// A protocol whose data can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Adapter {
    /// DynamoDB tables.
    DynamoDb,
    /// S3 buckets.
    S3,
    /// Redis keys.
    Redis,
    /// SQS queues.
    Sqs,
}

impl Adapter {
    /// All of them, in the order in which the manifest lists them.
    pub const ALL: [Adapter; 4] = [Adapter::DynamoDb, Adapter::S3, Adapter::Redis, Adapter::Sqs];

    /// Name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Adapter::DynamoDb => Owner::DynamoDb.name(),
            Adapter::S3 => Owner::S3.name(),
            Adapter::Redis => Owner::Redis.name(),
            Adapter::Sqs => Owner::Sqs.name(),
        }
    }

    /// These adapters as the tree names them.
    pub(crate) fn included(adapters: &[Adapter]) -> Included {
        let has = |adapter| adapters.contains(&adapter);
        Included {
            dynamodb: has(Adapter::DynamoDb),
            s3: has(Adapter::S3),
            redis: has(Adapter::Redis),
            sqs: has(Adapter::Sqs),
        }
    }

    /// The adapter that owns a family's keys, if it is one that can be asked for.
    pub fn of(owner: Owner) -> Option<Adapter> {
        match owner {
            Owner::Redis => Some(Adapter::Redis),
            Owner::DynamoDb => Some(Adapter::DynamoDb),
            Owner::S3 => Some(Adapter::S3),
            Owner::Sqs => Some(Adapter::Sqs),
            Owner::FileSystem | Owner::Store | Owner::Unknown => None,
        }
    }
}
