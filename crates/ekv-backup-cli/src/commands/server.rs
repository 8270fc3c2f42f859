//! How running servers are reached.

use std::io::Read as _;
use std::path::Path;

use console::Term;
use ekv_backup::leave::Destination;
use ekv_backup::server::{Password, ServerAccess, ServerAddress, ServerTarget, TlsOptions};
use ekv_backup::{Class, Error};

use crate::args::{Command, ServerArguments};
use crate::output::Output;

/// Holds the password of the server where no file does.
const PASSWORD_VARIABLE: &str = "EKV_REDIS_PASSWORD";
/// Longest password, in bytes.
const PASSWORD_LEN_MAX: u64 = 64 << 10;

/// What the options say.
pub(crate) fn access(arguments: &ServerArguments) -> Result<ServerAccess, Error> {
    let ServerArguments { password_file, ask_password, cacert, tls_cert, tls_key, tls_insecure, user, .. } = arguments;
    let password = match password_file {
        Some(file) => Some(password_in(file)?),
        None if *ask_password => Some(typed_password()?),
        None => std::env::var_os(PASSWORD_VARIABLE).map(|text| text.as_encoded_bytes().to_vec()),
    };
    let password = password.filter(|password| !password.is_empty()).map(Password::new);
    let tls = TlsOptions {
        authorities: cacert.clone(),
        identity: tls_cert.clone().zip(tls_key.clone()),
        trusts_anybody: *tls_insecure,
    };
    Ok(ServerAccess { user: user.clone(), password, tls })
}

/// Says that a password goes over a network as it is, if it does.
pub(crate) fn warn_of_plain_text(command: &Command, output: &Output) {
    let Some(arguments) = command.server() else { return };
    if arguments.tls_insecure {
        output.warning("--tls-insecure: nobody proves that the server is the one that is meant");
    }
    let is_typed = arguments.ask_password || arguments.password_file.is_some();
    if !is_typed && std::env::var_os(PASSWORD_VARIABLE).is_none() {
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

/// A line from the terminal, which does not show it.
fn typed_password() -> Result<Vec<u8>, Error> {
    let terminal = Term::stderr();
    let failed = |error: std::io::Error| {
        Error::new(Class::Environment, format!("cannot ask for the password on this terminal: {error}"))
    };
    if !terminal.is_term() {
        let text = "--ask-password needs a terminal: use EKV_REDIS_PASSWORD or --password-file here";
        return Err(Error::new(Class::Environment, text));
    }
    terminal.write_str("Password: ").and_then(|()| terminal.read_secure_line()).map(String::into_bytes).map_err(failed)
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
