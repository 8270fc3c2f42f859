//! The services of AWS, each by its own code.

use ekv_model::{Class, Error, Result};

use super::aws::{AwsAccess, AwsCompareOptions, AwsCompared, AwsLoadOptions, AwsLoadReport};
use super::destination::AwsService;
use super::{dynamodb, s3, sqs};
use crate::progress::Progress;
use crate::see::{Difference, Source};

/// Writes what is selected of `source` into a service.
///
/// The source is read twice, first without writing anything, unless the options say otherwise. Memory is bounded: what is under way has at most
/// 64 MiB.
///
/// # Errors
/// A build without the feature `aws`; a service that cannot be asked, or does not take what is needed; nothing selected; with `is_strict` what
/// cannot go. Once something is written: [`super::LoadStopped`].
pub fn load_into_service(
    source: &mut Source,
    service: AwsService,
    access: &AwsAccess,
    options: &AwsLoadOptions,
    progress: &dyn Progress,
) -> Result<AwsLoadReport> {
    match service {
        AwsService::DynamoDb => dynamodb::load(source, access, options, progress),
        AwsService::S3 => s3::load(source, access, options, progress),
        AwsService::Sqs => sqs::load(source, access, options, progress),
    }
}

/// Compares what `options` select of `source` with what a service has under the same names, or under those that its renames make of them, and calls
/// `take` with each difference in the order of the names there.
///
/// # Errors
/// As [`load_into_service`]; those of `take`, which may end with [`crate::see::Enough`].
pub fn compare_with_service(
    source: &mut Source,
    service: AwsService,
    access: &AwsAccess,
    options: &AwsCompareOptions,
    take: &mut dyn FnMut(&Difference) -> Result<()>,
    progress: &dyn Progress,
) -> Result<AwsCompared> {
    if options.diff.events.scope.has_limits() {
        let text = "filters by size, expiry, time and number select things of a backup only: compare takes names, patterns and types";
        return Err(Error::new(Class::Environment, text));
    }
    match service {
        AwsService::DynamoDb => {
            let connection = access.connect(service)?;
            let AwsCompareOptions { diff, renames, .. } = options;
            let compared = dynamodb::compare(source, &connection, renames, diff, &mut |_| true, take, progress)?;
            Ok(AwsCompared { compared, target: connection.report, notes: Vec::new() })
        }
        AwsService::S3 => s3::compare(source, access, options, take, progress),
        AwsService::Sqs => sqs::compare(source, access, options, take, progress),
    }
}
