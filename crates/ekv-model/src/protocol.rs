//! The protocols whose data is decoded.

/// A protocol that elastickv speaks and this tool decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Redis.
    Redis,
    /// DynamoDB.
    DynamoDb,
    /// S3.
    S3,
    /// SQS.
    Sqs,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 4] = [Protocol::Redis, Protocol::DynamoDb, Protocol::S3, Protocol::Sqs];

    /// Lower-case name, as in options, addresses and reports.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Redis => "redis",
            Protocol::DynamoDb => "dynamodb",
            Protocol::S3 => "s3",
            Protocol::Sqs => "sqs",
        }
    }
}
