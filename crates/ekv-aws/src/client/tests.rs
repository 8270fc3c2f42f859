//! What is sent again, what is not, and what a call says of it.

use std::io::ErrorKind;

use super::*;
use crate::testing::{answer, client, cut};
use crate::{Content, Method};

fn ask(client: &Client) -> Result<Done<String>> {
    let request = Request::new(Method::Post, "/").content(Content::Bytes(b"ask"));
    client.call("Ask", 1, &request, |mut answer| Ok(String::from_utf8(answer.read_whole()?).unwrap()))
}

const SLOW: &str = r#"{"__type":"ProvisionedThroughputExceededException"}"#;

#[test]
fn throttling_and_trouble_of_the_service_are_tried_again() {
    let answers = vec![answer(400, &[], SLOW), answer(503, &[], ""), answer(200, &[], "yes")];
    let (client, script) = client(Service::DynamoDb, answers);
    let done = ask(&client).unwrap();
    assert_eq!(done, Done { value: "yes".to_owned(), is_unsure: true });
    assert!(script.sent.lock().unwrap().iter().all(|sent| sent.body == b"ask"), "the body goes out anew each time");
    assert!(client.pace.rate().is_some(), "the throttling slows what follows");
}

#[test]
fn a_throttled_request_alone_is_not_unsure() {
    let (client, _) = client(Service::DynamoDb, vec![answer(400, &[], SLOW), answer(200, &[], "yes")]);
    assert!(!ask(&client).unwrap().is_unsure);
}

#[test]
fn a_refused_connection_is_not_unsure_and_a_broken_one_is() {
    for (kind, unsure) in
        [(ErrorKind::ConnectionRefused, false), (ErrorKind::ConnectionReset, true), (ErrorKind::TimedOut, true)]
    {
        let (client, _) = client(Service::Sqs, vec![Err(kind.into()), answer(200, &[], "yes")]);
        assert_eq!(ask(&client).unwrap().is_unsure, unsure, "{kind}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    let (client, _) = client(Service::S3, vec![cut(200, "ye"), answer(200, &[], "yes")]);
    assert_eq!(ask(&client).unwrap(), Done { value: "yes".to_owned(), is_unsure: true });
}

#[test]
fn what_the_service_would_refuse_again_is_sent_once() {
    for (status, code) in
        [(400, "ValidationException"), (403, "AccessDenied"), (404, "ResourceNotFoundException"), (412, "")]
    {
        let (client, script) = client(Service::DynamoDb, vec![answer(status, &[("x-amzn-errortype", code)], "")]);
        let error = ask(&client).unwrap_err();
        assert_eq!(error.fault().unwrap().status, status);
        assert_eq!(script.sent.lock().unwrap().len(), 1);
    }
}

#[test]
fn tries_end_and_say_what_the_last_one_met() {
    let answers = (0..10).map(|_| answer(503, &[], "")).collect();
    let (client, script) = client(Service::S3, answers);
    let error = ask(&client).unwrap_err();
    assert_eq!(error.to_string(), "Ask did not succeed in 10 tries: status 503");
    assert!(error.is_unsure());
    assert_eq!(script.sent.lock().unwrap().len(), 10);
}

#[test]
fn a_skewed_clock_is_corrected_once() {
    let skewed = || {
        answer(403, &[("date", "Mon, 30 Nov 2026 13:00:00 GMT")], "<Error><Code>RequestTimeTooSkewed</Code></Error>")
    };
    let (client, script) = client(Service::S3, vec![skewed(), answer(200, &[], "yes")]);
    ask(&client).unwrap();
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent[0].header("x-amz-date"), Some("20261130T120000Z"));
    assert!(sent[1].header("x-amz-date").unwrap().starts_with("20261130T1300"), "{:?}", sent[1].headers);
    drop(sent);

    let (client, _) = crate::testing::client(Service::S3, vec![skewed(), skewed()]);
    assert_eq!(ask(&client).unwrap_err().fault().unwrap().kind(), FaultKind::ClockSkew);
}

#[test]
fn a_session_token_is_sent_and_signed() {
    let (mut client, script) = client(Service::S3, vec![answer(200, &[], "")]);
    client.credentials = Box::new(crate::Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: crate::Secret::new("secret"),
        session_token: Some(crate::Secret::new("token")),
        expires_at: None,
    });
    ask(&client).unwrap();
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent[0].header("x-amz-security-token"), Some("token"));
    assert!(
        sent[0].header("authorization").unwrap().contains("host;x-amz-content-sha256;x-amz-date;x-amz-security-token")
    );
}
