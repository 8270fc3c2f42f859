//! Which keys are found where, and that none of them is ever shown.

use std::collections::BTreeMap;
use std::io;

use super::printed::Printed;
use super::*;
use crate::testing::{FakeClock, Script, answer};

#[derive(Default)]
struct Machine {
    vars: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Environment for Machine {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).map(|value| (*value).to_owned())
    }

    fn file(&self, path: &str) -> io::Result<Option<String>> {
        Ok(self.files.get(path).map(|text| (*text).to_owned()))
    }

    fn output(&self, command: &str) -> io::Result<Vec<u8>> {
        match command {
            "print keys" => {
                Ok(br#"{"Version":1,"AccessKeyId":"P","SecretAccessKey":"s","Expiration":"2026-11-30T13:00:00Z"}"#
                    .to_vec())
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn chain(
    vars: &[(&'static str, &'static str)],
    files: &[(&'static str, &'static str)],
    profile: Option<&str>,
    answers: Vec<io::Result<crate::Answer>>,
) -> (Chain, &'static Script) {
    let script: &'static Script = Box::leak(Box::default());
    script.answers.lock().unwrap().extend(answers);
    let machine = Machine { vars: vars.iter().copied().collect(), files: files.iter().copied().collect() };
    (Chain::new(Box::new(machine), Box::new(script), profile.map(str::to_owned), "eu-west-1"), script)
}

fn nobody() -> io::Result<crate::Answer> {
    Err(io::ErrorKind::ConnectionRefused.into())
}

const FILES: [(&str, &str); 2] = [
    (
        "/home/u/.aws/credentials",
        "[default]\naws_access_key_id = D\naws_secret_access_key=s=1\n\n[other]\naws_access_key_id=O\naws_secret_access_key=s\naws_session_token=t\n",
    ),
    (
        "/home/u/.aws/config",
        "[profile tool]\ncredential_process = print keys\n[profile role]\nrole_arn=arn\n[profile sub]\ns3 =\n  aws_access_key_id = X\n",
    ),
];

#[test]
fn the_environment_comes_before_the_default_profile_and_after_a_named_one() {
    let vars = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "s"), ("HOME", "/home/u")];
    let id =
        |profile| chain(&vars, &FILES, profile, Vec::new()).0.credentials(&FakeClock::new()).unwrap().access_key_id;
    assert_eq!((id(None).as_str(), id(Some("other")).as_str()), ("E", "O"));
}

#[test]
fn profiles_give_keys_or_a_program_that_prints_them() {
    let vars = [("HOME", "/home/u")];
    let of = |profile| chain(&vars, &FILES, profile, Vec::new()).0.credentials(&FakeClock::new());
    let default = of(None).unwrap();
    assert_eq!((default.access_key_id.as_str(), default.secret_access_key.reveal()), ("D", "s=1"));
    assert_eq!(of(Some("tool")).unwrap().expires_at.unwrap().to_string(), "2026-11-30T13:00:00Z");
    for (profile, reason) in [("role", "role_arn"), ("sub", "has no keys"), ("none", "there is no profile")] {
        let error = of(Some(profile)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn half_a_key_is_an_error_and_not_the_next_source() {
    let (chain, _) = chain(&[("AWS_ACCESS_KEY_ID", "E"), ("HOME", "/home/u")], &FILES, None, Vec::new());
    assert!(chain.credentials(&FakeClock::new()).is_err());
}

#[test]
fn a_web_identity_is_exchanged() {
    let body = "<AssumeRoleWithWebIdentityResponse xmlns='x'><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>W</AccessKeyId>\
                <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2026-11-30T13:00:00Z</Expiration>\
                </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    let vars = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")];
    let (chain, script) = chain(&vars, &[("/token", "to/ken\n")], None, vec![answer(200, &[], body)]);
    assert_eq!(chain.credentials(&FakeClock::new()).unwrap().access_key_id, "W");
    let sent = script.sent.lock().unwrap();
    assert!(
        sent[0]
            .uri
            .starts_with("https://sts.eu-west-1.amazonaws.com/?Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws"),
        "{}",
        sent[0].uri
    );
    assert!(sent[0].uri.ends_with("&WebIdentityToken=to%2Fken"), "{}", sent[0].uri);
}

#[test]
fn a_container_gets_keys_from_its_endpoint_only() {
    let keys = r#"{"AccessKeyId":"C","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-30T13:00:00Z"}"#;
    let vars = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"),
    ];
    let (container, script) = chain(&vars, &[("/t", "token\n")], None, vec![answer(200, &[], keys)]);
    let found = container.credentials(&FakeClock::new()).unwrap();
    assert_eq!((found.access_key_id.as_str(), found.session_token.unwrap().reveal()), ("C", "t"));
    assert_eq!(script.sent.lock().unwrap()[0].header("authorization"), Some("token"));

    let elsewhere = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.org/keys")];
    assert!(chain(&elsewhere, &[], None, Vec::new()).0.credentials(&FakeClock::new()).is_err());
}

#[test]
fn the_metadata_service_is_asked_last_with_a_token() {
    let keys =
        r#"{"Code":"Success","AccessKeyId":"I","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-30T13:00:00Z"}"#;
    let answers = vec![answer(200, &[], "tok"), answer(200, &[], "role-1\n"), answer(200, &[], keys)];
    let (chain, script) = chain(&[], &[], None, answers);
    assert_eq!(chain.credentials(&FakeClock::new()).unwrap().access_key_id, "I");
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent[0].method, "PUT");
    assert_eq!(sent[2].uri, "http://169.254.169.254/latest/meta-data/iam/security-credentials/role-1");
    assert_eq!(sent[2].header("x-aws-ec2-metadata-token"), Some("tok"));
}

#[test]
fn without_any_source_the_message_says_what_was_looked_for() {
    let error = chain(&[], &[], None, vec![nobody()]).0.credentials(&FakeClock::new()).unwrap_err().to_string();
    assert!(error.contains("AWS_ACCESS_KEY_ID"), "{error}");
    let off = [("AWS_EC2_METADATA_DISABLED", "true")];
    assert!(chain(&off, &[], None, Vec::new()).0.credentials(&FakeClock::new()).is_err());
}

#[test]
fn keys_are_kept_until_shortly_before_they_end() {
    let keys = |id: &str, end: &str| {
        answer(200, &[], &format!(r#"{{"AccessKeyId":"{id}","SecretAccessKey":"s","Token":"t","Expiration":"{end}"}}"#))
    };
    let vars = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2?id=1")];
    let answers = vec![keys("A", "2026-11-30T12:30:00Z"), keys("B", "2026-11-30T13:30:00Z")];
    let (chain, script) = chain(&vars, &[], None, answers);
    let clock = FakeClock::new();
    let id = || chain.credentials(&clock).unwrap().access_key_id;
    assert_eq!((id(), id()), ("A".to_owned(), "A".to_owned()));
    clock.wait(std::time::Duration::from_secs(26 * 60));
    assert_eq!(id(), "B");
    assert_eq!(script.sent.lock().unwrap()[0].uri, "http://169.254.170.2/v2?id=1");
}

#[test]
fn what_a_program_printed_is_in_no_message() {
    let error = Printed::read(br#"{"AccessKeyId":"P","SecretAccessKey":"very-secret""#, "it").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("very-secret"), "{error:?}");
}
