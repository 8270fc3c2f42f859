//! What an error of a service means to the user.

use ekv_aws::FaultKind;
use ekv_model::{Class, Error};

/// An error of a service before or after things are written, with what to do about it.
pub(crate) fn failed(error: ekv_aws::Error) -> Error {
    let class = match &error {
        ekv_aws::Error::NoCredentials { .. } | ekv_aws::Error::BadEndpoint { .. } | ekv_aws::Error::Refused { .. } => {
            Class::Environment
        }
        _ => Class::WriteIo,
    };
    let advice = match &error {
        ekv_aws::Error::NoCredentials { .. } => {
            "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile"
        }
        ekv_aws::Error::Refused { fault, .. } if fault.kind() == FaultKind::Denied => {
            "; the credentials must be good, and allow this call"
        }
        _ => "",
    };
    Error::new(class, format!("{}{advice}", chain(&error)))
}

/// An error of a service while things are written: what is there stays, and another run can go on.
pub(crate) fn stopped_by_service(error: ekv_aws::Error) -> Error {
    Error::new(Class::WriteIo, chain(&error))
}

/// An error with its causes, for workers hand on text.
fn chain(error: &ekv_aws::Error) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
