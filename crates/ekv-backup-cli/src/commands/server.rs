//! How running servers are reached.

use std::io::Read as _;
use std::path::Path;

use ekv_backup::leave::Destination;
use ekv_backup::server::{Password, ServerAccess, ServerAddress, ServerTarget};
use ekv_backup::{Class, Error};

use crate::args::{Command, ServerArguments};
use crate::output::Output;

/// Holds the password of the server where no file does.
const PASSWORD_VARIABLE: &str = "EKV_REDIS_PASSWORD";
/// Longest password, in bytes.
const PASSWORD_LEN_MAX: u64 = 64 << 10;

/// What the options say.
pub(crate) fn access(arguments: &ServerArguments) -> Result<ServerAccess, Error> {
    let password = match &arguments.password_file {
        Some(file) => Some(password_in(file)?),
        None => std::env::var_os(PASSWORD_VARIABLE).map(|text| text.as_encoded_bytes().to_vec()),
    };
    let password = password.filter(|password| !password.is_empty()).map(Password::new);
    Ok(ServerAccess { user: arguments.user.clone(), password })
}

/// Says that a password goes over a network as it is, if it does.
pub(crate) fn warn_of_plain_text(command: &Command, output: &Output) {
    let Some(arguments) = command.server() else { return };
    if arguments.password_file.is_none() && std::env::var_os(PASSWORD_VARIABLE).is_none() {
        return;
    }
    let source = command.input().and_then(|(input, _)| ServerTarget::address_in(input)?.parse().ok());
    let target = match command {
        Command::Load(load) => Some(&load.target),
        Command::Compare(compare) => Some(&compare.target),
        _ => None,
    };
    let target = target.and_then(|target| match target {
        Destination::Redis(address) => Some(address.clone()),
        Destination::Aws(_) => None,
    });
    for ServerAddress { place, is_tls, .. } in source.into_iter().chain(target) {
        if !is_tls && !place.is_local() {
            output.warning(format_args!("the password and all data go to {place} in plain text: there is no TLS"));
        }
    }
}

fn password_in(file: &Path) -> Result<Vec<u8>, Error> {
    let failed = |what: String| Error::new(Class::Environment, format!("{}: {what}", file.display()));
    let mut password = Vec::new();
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|opened| opened.take(PASSWORD_LEN_MAX).read_to_end(&mut password));
    read.map_err(|error| failed(format!("cannot read the password in it: {error}")))?;
    let line = password.strip_suffix(b"\n").unwrap_or(&password);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.is_empty() || line.contains(&b'\n') {
        true => Err(failed("expected one line, the password".to_owned())),
        false => Ok(line.to_vec()),
    }
}
