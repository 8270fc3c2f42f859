//! The endpoint that a container is given.

use super::ask::ask;
use super::environment::Environment;
use super::keys::{Credentials, missing};
use super::printed::Printed;
use crate::{Endpoint, Method, Result, Wire};

/// Where relative addresses lead.
const ORIGIN: &str = "http://169.254.170.2";
/// Addresses beside loopback that may be asked in clear text.
const PLAIN: [&str; 3] = [ORIGIN, "http://169.254.170.23", "http://[fd00:ec2::23]"];

/// Keys from the container's endpoint; `None` if there is none.
pub(super) fn find(environment: &dyn Environment, wire: &dyn Wire) -> Result<Option<Credentials>> {
    let (origin, path) = match environment.var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        Some(path) => (ORIGIN.to_owned(), path),
        None => match environment.var("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            Some(address) => split(&address)?,
            None => return Ok(None),
        },
    };
    let mut headers = Vec::new();
    if let Some(token) = token(environment)? {
        headers.push(("authorization".to_owned(), token));
    }
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let printed = ask(wire, Method::Get, &origin, path, query.to_owned(), headers)?;
    let printed = printed.ok_or_else(|| missing(format!("{origin}, which the container is given, does not answer")))?;
    Printed::read(&printed, &origin).map(Some)
}

fn token(environment: &dyn Environment) -> Result<Option<String>> {
    let Some(path) = environment.var("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") else {
        return Ok(environment.var("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    };
    let text = environment.file(&path).map_err(|error| missing(format!("{path} cannot be read: {error}")))?;
    let token = text.ok_or_else(|| missing(format!("{path} is not there")))?;
    Ok(Some(token.trim().to_owned()))
}

/// Origin and path of an address to which a token may be sent.
fn split(address: &str) -> Result<(String, String)> {
    let after_scheme = address.find("://").map_or(0, |at| at.saturating_add(3));
    let host_len = address.get(after_scheme..).and_then(|rest| rest.find('/'));
    let (origin, path) = match host_len.and_then(|len| address.split_at_checked(after_scheme.saturating_add(len))) {
        Some((origin, path)) => (origin, path),
        None => (address, "/"),
    };
    let is_safe =
        PLAIN.contains(&origin) || Endpoint::parse(origin).is_ok_and(|endpoint| !endpoint.is_plain_over_network());
    if is_safe {
        Ok((origin.to_owned(), path.to_owned()))
    } else {
        Err(missing("AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on this machine"))
    }
}
