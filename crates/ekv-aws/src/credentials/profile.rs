//! Profiles: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::keys::{Credentials, missing};
use super::printed::Printed;
use crate::{Result, Secret};

/// Keys of the profile that was named, or else of the default one; `None` if neither says anything about keys.
pub(super) fn find(environment: &dyn Environment, named: Option<&str>) -> Result<Option<Credentials>> {
    let asked = named.map(str::to_owned).or_else(|| environment.var("AWS_PROFILE"));
    let name = asked.as_deref().unwrap_or("default");
    let settings = settings(environment, name)?;
    if settings.is_empty() {
        return if asked.is_some() { Err(missing(format!("there is no profile {name:?}"))) } else { Ok(None) };
    }
    if let (Some(id), Some(secret)) = (settings.get("aws_access_key_id"), settings.get("aws_secret_access_key")) {
        return Ok(Some(Credentials {
            access_key_id: id.clone(),
            secret_access_key: Secret::new(secret.clone()),
            session_token: settings.get("aws_session_token").map(|token| Secret::new(token.clone())),
            expires_at: None,
        }));
    }
    if let Some(command) = settings.get("credential_process") {
        let source = format!("the credential_process of profile {name:?}");
        let printed = environment.output(command).map_err(|error| missing(format!("{source} fails: {error}")))?;
        return Printed::read(&printed, &source).map(Some);
    }
    for key in ["role_arn", "sso_session", "sso_start_url"] {
        if settings.contains_key(key) {
            let reason = format!(
                "profile {name:?} needs {key}, which this program does not do; `aws configure export-credentials` does"
            );
            return Err(missing(reason));
        }
    }
    if asked.is_some() { Err(missing(format!("profile {name:?} has no keys"))) } else { Ok(None) }
}

/// The region that a profile names.
///
/// # Errors
/// A file is there and cannot be read.
pub fn region(environment: &dyn Environment, named: Option<&str>) -> Result<Option<String>> {
    let asked = named.map(str::to_owned).or_else(|| environment.var("AWS_PROFILE"));
    Ok(settings(environment, asked.as_deref().unwrap_or("default"))?.remove("region"))
}

/// All that both files say of a profile; keys of the credentials file come first.
fn settings(environment: &dyn Environment, name: &str) -> Result<BTreeMap<String, String>> {
    let home = environment.var("HOME").or_else(|| environment.var("USERPROFILE"));
    let in_home = |file: &str| home.as_ref().map(|home| format!("{home}/.aws/{file}"));
    let mut settings = BTreeMap::new();
    for (variable, file, is_config) in
        [("AWS_SHARED_CREDENTIALS_FILE", "credentials", false), ("AWS_CONFIG_FILE", "config", true)]
    {
        let Some(path) = environment.var(variable).or_else(|| in_home(file)) else { continue };
        let text = environment.file(&path).map_err(|error| missing(format!("{path} cannot be read: {error}")))?;
        for (key, value) in section(&text.unwrap_or_default(), name, is_config) {
            settings.entry(key).or_insert(value);
        }
    }
    Ok(settings)
}

/// The lines of one section; in the configuration all but the default one are `[profile NAME]`.
fn section(text: &str, name: &str, is_config: bool) -> Vec<(String, String)> {
    let mut is_inside = false;
    let mut pairs = Vec::new();
    for line in text.lines() {
        if let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let header = header.trim();
            let named = header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim);
            let is_default = name == "default" && header == "default";
            is_inside = is_default || if is_config { named == Some(name) } else { header == name };
        } else if is_inside && !line.starts_with([' ', '\t', '#', ';']) {
            // Indented lines belong to nested settings, which hold no keys.
            if let Some((key, value)) = line.split_once('=') {
                pairs.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }
    pairs
}
