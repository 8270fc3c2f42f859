//! The metadata service of a machine, version 2.

use super::ask::ask;
use super::environment::Environment;
use super::keys::{Credentials, missing};
use super::printed::Printed;
use crate::{Method, Result, Wire};

const ORIGIN: &str = "http://169.254.169.254";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Keys of the machine's role; `None` where no such service answers.
pub(super) fn find(environment: &dyn Environment, wire: &dyn Wire) -> Result<Option<Credentials>> {
    if environment.var("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let ttl = vec![("x-aws-ec2-metadata-token-ttl-seconds".to_owned(), "300".to_owned())];
    let Some(token) = ask(wire, Method::Put, ORIGIN, "/latest/api/token", String::new(), ttl)? else { return Ok(None) };
    let token = String::from_utf8(token).map_err(|_| missing("the metadata service gives no token"))?;
    let get = |path: &str| {
        let headers = vec![("x-aws-ec2-metadata-token".to_owned(), token.clone())];
        let body = ask(wire, Method::Get, ORIGIN, path, String::new(), headers)?;
        body.ok_or_else(|| missing("the metadata service stopped to answer"))
    };
    let roles = String::from_utf8(get(ROLES)?).map_err(|_| missing("the metadata service names no role"))?;
    let role = roles.lines().next().unwrap_or_default().trim();
    if role.is_empty() {
        return Err(missing("the machine has no role"));
    }
    Printed::read(&get(&format!("{ROLES}{role}"))?, "the metadata service").map(Some)
}
