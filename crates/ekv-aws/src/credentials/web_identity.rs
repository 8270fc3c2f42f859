//! A token of another identity (Kubernetes), exchanged for keys.

use jiff::Timestamp;

use super::ask::ask;
use super::environment::Environment;
use super::keys::{Credentials, missing};
use crate::encoding::canonical_query;
use crate::{Endpoint, Method, Result, Secret, Service, Wire, xml};

const VERSION: &str = "2011-06-15";

/// Keys for the token that the environment names; `None` if it names none.
pub(super) fn find(environment: &dyn Environment, wire: &dyn Wire, region: &str) -> Result<Option<Credentials>> {
    let (Some(path), Some(role)) = (environment.var("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.var("AWS_ROLE_ARN"))
    else {
        return Ok(None);
    };
    let session = environment.var("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "ekv-backup".to_owned());
    let token = environment.file(&path).map_err(|error| missing(format!("{path} cannot be read: {error}")))?;
    let token = token.ok_or_else(|| missing(format!("{path} is not there")))?;
    let endpoint = match environment.var("AWS_ENDPOINT_URL_STS") {
        Some(address) => Endpoint::parse(&address)?,
        None => Endpoint::of_region(Service::Sts, region),
    };
    let query = canonical_query(
        &[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", VERSION),
            ("RoleArn", &role),
            ("RoleSessionName", &session),
            ("WebIdentityToken", token.trim()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let origin = endpoint.to_string();
    let answer = ask(wire, Method::Get, &origin, "/", query, Vec::new())?;
    let answer = answer.ok_or_else(|| missing(format!("{origin} does not answer")))?;
    of_answer(&answer).ok_or_else(|| missing(format!("{origin} gives no credentials"))).map(Some)
}

fn of_answer(answer: &[u8]) -> Option<Credentials> {
    let leaves = xml::leaves(answer)?;
    let of = |name: &str| {
        let path = format!("AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/{name}");
        leaves.iter().find(|leaf| leaf.path == path).map(|leaf| leaf.text.clone())
    };
    Some(Credentials {
        access_key_id: of("AccessKeyId")?,
        secret_access_key: Secret::new(of("SecretAccessKey")?),
        session_token: Some(Secret::new(of("SessionToken")?)),
        expires_at: Some(of("Expiration")?.parse::<Timestamp>().ok()?),
    })
}
