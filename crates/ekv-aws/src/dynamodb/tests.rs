//! Batches whole and in parts, conditions, pages.

use super::*;
use crate::Service;
use crate::testing::{answer, client};

#[test]
fn what_a_batch_leaves_is_sent_again_until_nothing_is_left() {
    let left = |ids: &[u8]| {
        let puts: Vec<String> =
            ids.iter().map(|id| format!(r#"{{"PutRequest":{{"Item":{{"k":{{"N":"{id}"}}}}}}}}"#)).collect();
        format!(r#"{{"UnprocessedItems":{{"t":[{}]}}}}"#, puts.join(","))
    };
    let answers = vec![
        answer(200, &[], &left(&[2, 3])),
        answer(200, &[], &left(&[3])),
        answer(200, &[], r#"{"UnprocessedItems":{}}"#),
    ];
    let (client, script) = client(Service::DynamoDb, answers);
    let items = [r#"{"k":{"N":"1"}}"#, r#"{"k":{"N":"2"}}"#, r#"{"k":{"N":"3"}}"#];
    batch_write(&client, "t", &items).unwrap();
    let sent = script.sent.lock().unwrap();
    let counts: Vec<usize> = sent.iter().map(|sent| sent.text().matches("PutRequest").count()).collect();
    assert_eq!(counts, [3, 2, 1]);
    assert_eq!(sent[0].header("x-amz-target"), Some("DynamoDB_20120810.BatchWriteItem"));
    assert!(client.pace.rate().is_some(), "a batch that is left in part is throttling");
}

#[test]
fn a_batch_that_is_always_left_ends() {
    let same = r#"{"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"k":{"N":"1"}}}}]}}"#;
    let (client, _) = client(Service::DynamoDb, (0..20).map(|_| answer(200, &[], same)).collect());
    let error = batch_write(&client, "t", &[r#"{"k":{"N":"1"}}"#]).unwrap_err();
    assert!(matches!(error, Error::Exhausted { tries: 10, .. }), "{error:?}");
}

#[test]
fn an_item_that_exists_is_told_apart_from_one_that_is_refused() {
    let refusal = |code: &str| answer(400, &[], &format!(r#"{{"__type":"x#{code}","message":"m"}}"#));
    let answers =
        vec![answer(200, &[], "{}"), refusal("ConditionalCheckFailedException"), refusal("ValidationException")];
    let (client, script) = client(Service::DynamoDb, answers);
    let put = || put_new(&client, "t", r#"{"k":{"S":"a"}}"#, "k");
    assert_eq!(put().unwrap().value, Put::Written);
    assert_eq!(put().unwrap().value, Put::Exists);
    assert!(put().is_err());
    assert!(script.sent.lock().unwrap()[0].text().contains(r##""ExpressionAttributeNames":{"#k":"k"}"##));
}

#[test]
fn an_answer_whose_checksum_does_not_fit_is_asked_for_again() {
    let body = r#"{"Items":[{"k":{"S":"a"}}]}"#;
    let good = crc32fast::hash(body.as_bytes()).to_string();
    let answers = vec![answer(200, &[("x-amz-crc32", "1")], body), answer(200, &[("x-amz-crc32", &good)], body)];
    let (client, script) = client(Service::DynamoDb, answers);
    assert_eq!(scan(&client, "t", &Scan::default()).unwrap().items.len(), 1);
    assert_eq!(script.sent.lock().unwrap().len(), 2);
}

#[test]
fn keys_that_a_batch_leaves_are_asked_for_again() {
    let first = r#"{"Responses":{"t":[{"k":{"S":"a"}}]},"UnprocessedKeys":{"t":{"Keys":[{"k":{"S":"b"}}],"ConsistentRead":true}}}"#;
    let answers = vec![
        answer(200, &[], first),
        answer(200, &[], r#"{"Responses":{"t":[{"k":{"S":"b"}}]},"UnprocessedKeys":{}}"#),
    ];
    let (client, _) = client(Service::DynamoDb, answers);
    let items = batch_get(&client, "t", &[r#"{"k":{"S":"a"}}"#, r#"{"k":{"S":"b"}}"#]).unwrap();
    assert_eq!(items.iter().map(|item| item.get()).collect::<Vec<_>>(), [r#"{"k":{"S":"a"}}"#, r#"{"k":{"S":"b"}}"#]);
}

#[test]
fn a_table_that_is_not_there_is_none() {
    let (client, _) = client(Service::DynamoDb, vec![answer(400, &[], r#"{"__type":"x#ResourceNotFoundException"}"#)]);
    assert!(describe_table(&client, "t").unwrap().is_none());
}
