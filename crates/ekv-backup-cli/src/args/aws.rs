//! How DynamoDB, S3 and SQS are reached: options as the AWS CLI names them.

use std::num::NonZeroUsize;

use clap::Args;
use ekv_backup::leave::{AwsAccess, Capacity};

const HEADING: &str = "The service (dynamodb:, s3:, sqs:)";

/// Most requests at once.
const CONNECTIONS_MAX: usize = 64;

/// How a service is reached.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AwsArguments {
    /// Address in place of AWS' own, as of an emulator: http://127.0.0.1:4566; else AWS_ENDPOINT_URL counts
    #[arg(long, value_name = "URL", help_heading = HEADING)]
    pub(crate) endpoint_url: Option<String>,
    /// Region; else AWS_REGION, or that of the profile
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    pub(crate) region: Option<String>,
    /// Profile with the credentials; else AWS_ACCESS_KEY_ID and what else the AWS CLI looks at
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    pub(crate) profile: Option<String>,
    /// Let everything go over the network in clear text, where --endpoint-url is http:// and another machine
    #[arg(long, help_heading = HEADING)]
    pub(crate) insecure: bool,
    /// Requests that are under way at once [default: 8]; for Redis, connections to each node [default: 1]
    #[arg(long, value_name = "N", value_parser = parse_connections, help_heading = HEADING)]
    pub(crate) connections: Option<NonZeroUsize>,
}

impl AwsArguments {
    /// The options that were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> {
        let AwsArguments { endpoint_url, region, profile, insecure, connections } = self;
        let given = [
            ("--endpoint-url", endpoint_url.is_some()),
            ("--region", region.is_some()),
            ("--profile", profile.is_some()),
            ("--insecure", *insecure),
            ("--connections", connections.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(option, _)| option)
    }

    /// As the library has them.
    pub(crate) fn access(&self) -> AwsAccess {
        let AwsArguments { endpoint_url, region, profile, insecure, connections } = self.clone();
        let usual = AwsAccess::default();
        let connections = connections.unwrap_or(usual.connections);
        AwsAccess { endpoint_url, region, profile, is_insecure: insecure, connections, ..usual }
    }
}

fn parse_connections(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= CONNECTIONS_MAX);
    number.ok_or_else(|| format!("expected a number from 1 to {CONNECTIONS_MAX}"))
}

/// `R:W`.
pub(super) fn parse_capacity(text: &str) -> Result<Capacity, String> {
    let units = |text: &str| text.parse().ok().filter(|units: &u64| *units > 0);
    let pair = text.split_once(':').and_then(|(read, write)| Some((units(read)?, units(write)?)));
    let (read, write) = pair.ok_or("expected R:W, units per second for reading and writing, such as 5:100")?;
    Ok(Capacity { read, write })
}
