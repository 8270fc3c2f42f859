//! SQS: queues and messages that are sent.

use std::collections::BTreeMap;

use ekv_text::hex::hex;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::{Client, Done, Error, Fault, FaultKind, Result, json_call};

/// Most messages in one batch.
pub const BATCH_MAX: usize = 10;

const TARGET: &str = "AmazonSQS";

/// A message that is sent.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// A name for it inside of its batch.
    pub id: String,
    /// Its body.
    pub message_body: String,
    /// How long it stays hidden at first, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_seconds: Option<u32>,
    /// Its attributes by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub message_attributes: BTreeMap<String, Value>,
    /// Messages of one group keep their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_group_id: Option<String>,
    /// Of two messages with the same one inside five minutes the second is not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_deduplication_id: Option<String>,
}

/// The value of an attribute.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Value {
    /// `String`, `Number` or `Binary`, with whatever the sender added behind a dot.
    pub data_type: String,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// Bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// What became of each message of a batch.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Ids of those that the queue has.
    pub sent: Vec<String>,
    /// Ids of those that it does not take, and why.
    pub refused: Vec<(String, Fault)>,
    /// Ids of those that it may take later.
    pub later: Vec<(String, Fault)>,
}

/// Address of a queue; `None` if there is none of this name.
///
/// # Errors
/// As [`Client::call`].
pub fn queue_url(client: &Client, name: &str) -> Result<Option<String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found {
        queue_url: String,
    }
    let question = serde_json::json!({ "QueueName": name }).to_string();
    match json_call::call::<Found>(client, "GetQueueUrl", TARGET, 1, question.as_bytes()) {
        Ok(done) => Ok(Some(done.value.queue_url)),
        Err(Error::Refused { fault, .. }) if fault.kind() == FaultKind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates a queue, and gives its address.
///
/// # Errors
/// As [`Client::call`].
pub fn create_queue(
    client: &Client,
    name: &str,
    attributes: &BTreeMap<String, String>,
    tags: &BTreeMap<String, String>,
) -> Result<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Created {
        queue_url: String,
    }
    let mut question = serde_json::json!({ "QueueName": name, "Attributes": attributes });
    if let (false, Some(fields)) = (tags.is_empty(), question.as_object_mut()) {
        fields.insert("tags".to_owned(), serde_json::json!(tags));
    }
    let done = json_call::call::<Created>(client, "CreateQueue", TARGET, 1, question.to_string().as_bytes())?;
    Ok(done.value.queue_url)
}

/// All attributes of a queue.
///
/// # Errors
/// As [`Client::call`].
pub fn attributes(client: &Client, url: &str) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Got {
        #[serde(default)]
        attributes: BTreeMap<String, String>,
    }
    let question = serde_json::json!({ "QueueUrl": url, "AttributeNames": ["All"] }).to_string();
    Ok(json_call::call::<Got>(client, "GetQueueAttributes", TARGET, 1, question.as_bytes())?.value.attributes)
}

/// Changes attributes of a queue.
///
/// # Errors
/// As [`Client::call`].
pub fn set_attributes(client: &Client, url: &str, attributes: &BTreeMap<String, String>) -> Result<()> {
    let question = serde_json::json!({ "QueueUrl": url, "Attributes": attributes }).to_string();
    json_call::call::<serde::de::IgnoredAny>(client, "SetQueueAttributes", TARGET, 1, question.as_bytes()).map(|_| ())
}

/// Removes all messages of a queue; messages of the next 60 seconds may go, too.
///
/// # Errors
/// As [`Client::call`].
pub fn purge(client: &Client, url: &str) -> Result<()> {
    let question = serde_json::json!({ "QueueUrl": url }).to_string();
    json_call::call::<serde::de::IgnoredAny>(client, "PurgeQueue", TARGET, 1, question.as_bytes()).map(|_| ())
}

/// Sends up to [`BATCH_MAX`] messages once; which of them arrived is in the answer. A message whose checksum comes back wrong is refused.
///
/// # Errors
/// As [`Client::call`]; whether any of the messages arrived is unknown then if the error says so.
pub fn send(client: &Client, url: &str, messages: &[Message]) -> Result<Done<Batch>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Sent {
        id: String,
        #[serde(rename = "MD5OfMessageBody")]
        md5: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Failed {
        id: String,
        #[serde(default)]
        sender_fault: bool,
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answered {
        #[serde(default)]
        successful: Vec<Sent>,
        #[serde(default)]
        failed: Vec<Failed>,
    }
    let call = "SendMessageBatch";
    let units = u32::try_from(messages.len()).unwrap_or(u32::MAX);
    let question = serde_json::json!({ "QueueUrl": url, "Entries": messages }).to_string();
    let done = json_call::call::<Answered>(client, call, TARGET, units, question.as_bytes())?;
    let mut batch = Batch::default();
    for sent in done.value.successful {
        let body = messages.iter().find(|message| message.id == sent.id).map(|message| message.message_body.as_bytes());
        if body.is_some_and(|body| hex(&Md5::digest(body)) == sent.md5) {
            batch.sent.push(sent.id);
        } else {
            let fault = Fault::new(200, "BodyChanged", "the queue took a body of another checksum than was sent");
            batch.refused.push((sent.id, fault));
        }
    }
    for failed in done.value.failed {
        let fault =
            Fault::new(if failed.sender_fault { 400 } else { 500 }, &failed.code, &failed.message.unwrap_or_default());
        let list =
            if failed.sender_fault && !fault.is_worth_another_try() { &mut batch.refused } else { &mut batch.later };
        list.push((failed.id, fault));
    }
    let told = batch.sent.len().saturating_add(batch.refused.len()).saturating_add(batch.later.len());
    if told != messages.len() {
        return Err(Error::BadAnswer { call, reason: format!("{told} of {} messages are told of", messages.len()) });
    }
    Ok(Done { value: batch, is_unsure: done.is_unsure })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Service;
    use crate::testing::{answer, client};

    fn message(id: &str, body: &str) -> Message {
        Message { id: id.to_owned(), message_body: body.to_owned(), ..Message::default() }
    }

    #[test]
    fn a_batch_says_of_each_message_what_became_of_it() {
        let body = r#"{"Successful":[{"Id":"0","MD5OfMessageBody":"0cc175b9c0f1b6a831c399e269772661"}],
            "Failed":[{"Id":"1","SenderFault":true,"Code":"InvalidMessageContents"},{"Id":"2","SenderFault":false,"Code":"InternalError"}]}"#;
        let (client, script) = client(Service::Sqs, vec![answer(200, &[], body)]);
        let batch =
            send(&client, "http://q", &[message("0", "a"), message("1", "b"), message("2", "c")]).unwrap().value;
        assert_eq!(batch.sent, ["0"]);
        assert_eq!((batch.refused[0].0.as_str(), batch.later[0].0.as_str()), ("1", "2"));
        let sent = script.sent.lock().unwrap();
        assert_eq!(sent[0].header("x-amz-target"), Some("AmazonSQS.SendMessageBatch"));
        assert!(sent[0].text().contains(r#"{"Id":"0","MessageBody":"a"}"#), "{}", sent[0].text());
    }

    #[test]
    fn a_body_that_arrived_changed_is_not_called_sent() {
        let body = r#"{"Successful":[{"Id":"0","MD5OfMessageBody":"00000000000000000000000000000000"}]}"#;
        let (client, _) = client(Service::Sqs, vec![answer(200, &[], body)]);
        assert_eq!(send(&client, "http://q", &[message("0", "a")]).unwrap().value.refused.len(), 1);
    }

    #[test]
    fn an_answer_that_forgets_a_message_is_an_error() {
        let (client, _) = client(Service::Sqs, vec![answer(200, &[], "{}")]);
        assert!(matches!(send(&client, "http://q", &[message("0", "a")]), Err(Error::BadAnswer { .. })));
    }

    #[test]
    fn a_queue_that_is_not_there_is_none() {
        let refusal = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}"#;
        let (client, _) = client(Service::Sqs, vec![answer(400, &[], refusal)]);
        assert!(queue_url(&client, "q").unwrap().is_none());
    }
}
