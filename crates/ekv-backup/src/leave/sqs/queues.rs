//! Queues before the first message is sent to them, and when all are there.

use std::collections::BTreeMap;
use std::time::Duration;

use ekv_aws::{Client, sqs};
use ekv_model::sqs::Queue;
use ekv_model::{Class, Error, Result};
use serde_json::Value;

use super::address;
use super::limits::{MESSAGE_LEN_MAX, is_queue_name};
use crate::leave::aws::{AwsLoadOptions, AwsOnExists, failed, rename};
use crate::leave::checkpoint::{Checkpoint, Met};

/// How long the service may take to forget messages.
const PURGE: Duration = Duration::from_secs(60);
/// Counts of messages that are visible, hidden and delayed.
const COUNTS: [&str; 3] =
    ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"];
pub(super) const REDRIVE_POLICY: &str = "RedrivePolicy";
pub(super) const REDRIVE_ALLOW_POLICY: &str = "RedriveAllowPolicy";

/// The name under which clients know a queue.
pub(crate) fn name_of(queue: &Queue) -> String {
    String::from_utf8_lossy(&queue.name).into_owned()
}

/// A queue that is sent to.
pub(crate) struct OpenQueue {
    /// Its name on the target.
    pub(crate) name: String,
    /// Its address there; absent if the service has no queues of that name.
    pub(crate) url: Option<String>,
    /// Whether the load made it.
    pub(crate) is_new: bool,
    /// Whether nothing is sent, since there are messages in it.
    pub(crate) is_left_out: bool,
    /// Longest message, in bytes.
    pub(crate) len_max: u64,
    /// What is to be known of it.
    pub(crate) notes: Vec<String>,
}

/// Settings of a queue as the service names them, but for those that name other queues.
pub(crate) fn settings(queue: &Queue) -> BTreeMap<String, String> {
    let numbers = [
        ("VisibilityTimeout", queue.visibility_timeout_seconds),
        ("MessageRetentionPeriod", queue.message_retention_seconds),
        ("DelaySeconds", queue.delay_seconds),
        ("ReceiveMessageWaitTimeSeconds", queue.receive_message_wait_seconds),
        ("MaximumMessageSize", queue.maximum_message_size),
    ];
    // What is not stored is what the service takes anyway; a delay and a wait may be none.
    let is_told = |(name, number): &(&str, i64)| {
        *number > 0 || ["DelaySeconds", "ReceiveMessageWaitTimeSeconds", "VisibilityTimeout"].contains(name)
    };
    let numbers = numbers.into_iter().filter(is_told);
    let mut settings: BTreeMap<String, String> =
        numbers.map(|(name, number)| (name.to_owned(), number.to_string())).collect();
    if queue.fifo {
        settings.insert("FifoQueue".to_owned(), "true".to_owned());
        settings.insert("ContentBasedDeduplication".to_owned(), queue.content_based_deduplication.to_string());
        for (name, text) in
            [("DeduplicationScope", &queue.deduplication_scope), ("FifoThroughputLimit", &queue.fifo_throughput_limit)]
        {
            if !text.is_empty() {
                settings.insert(name.to_owned(), text.clone());
            }
        }
    }
    settings
}

/// How many messages a queue has: visible, hidden and delayed.
pub(crate) fn count(attributes: &BTreeMap<String, String>) -> u64 {
    let number = |name: &&str| attributes.get(*name).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    COUNTS.iter().map(number).fold(0, u64::saturating_add)
}

/// Finds or creates a queue.
///
/// # Errors
/// It is not there and may not be created; it holds messages and may not; it is another one than a run before had; those of the service.
pub(crate) fn open_queue(
    client: &Client,
    queue: &Queue,
    options: &AwsLoadOptions,
    mut checkpoint: Option<&mut Checkpoint>,
) -> Result<OpenQueue> {
    let name = rename(&options.renames, &name_of(queue)).to_owned();
    let mut opened = OpenQueue { name, url: None, is_new: false, is_left_out: false, len_max: 0, notes: Vec::new() };
    if !is_queue_name(&opened.name, queue.fifo) {
        return Ok(opened);
    }
    let name = opened.name.clone();
    let url = match sqs::queue_url(client, &name).map_err(failed)? {
        Some(url) => url,
        None if !options.creates => {
            let text = format!("queue {name} is not there, and --no-create does not allow to make it");
            return Err(Error::new(Class::Environment, text));
        }
        None => {
            opened.is_new = true;
            sqs::create_queue(client, &name, &settings(queue), &queue.tags).map_err(failed)?
        }
    };
    let attributes = sqs::attributes(client, &url).map_err(failed)?;
    opened.len_max = attributes.get("MaximumMessageSize").and_then(|text| text.parse().ok()).unwrap_or(MESSAGE_LEN_MAX);
    if (attributes.get("FifoQueue").map(String::as_str) == Some("true")) != queue.fifo {
        let text = format!(
            "queue {name} is there, and of the other kind: one of both keeps the order of its groups (.fifo), the other does not"
        );
        return Err(Error::new(Class::Environment, text));
    }
    let text = |name: &str| attributes.get(name).cloned().unwrap_or_default();
    let id = format!("{} {}", text("QueueArn"), text("CreatedTimestamp"));
    let before = checkpoint.as_ref().and_then(|checkpoint| checkpoint.met().get(&name).cloned());
    match (&before, &checkpoint) {
        (Some(before), Some(checkpoint)) if before.id != id => {
            let text = format!("queue {name} was deleted and made anew since. Begin anew, without --resume");
            return Err(checkpoint.refuse(&text));
        }
        _ => {}
    }
    // What a run before has met is this load's.
    let is_met = before.is_some_and(|before| before.is_own);
    let held = count(&attributes);
    if !opened.is_new && !is_met {
        let other =
            settings(queue).into_iter().find(|(name, value)| attributes.get(name).is_some_and(|there| there != value));
        if let Some((setting, value)) = other {
            let there = text(&setting);
            opened
                .notes
                .push(format!("queue {name} was there, with {setting} {there}, not {value}; it keeps its settings"));
        }
        if held > 0 {
            match options.on_exists {
                AwsOnExists::Fail => {
                    let text = format!(
                        "{}: the queue is there and holds {held} messages; --on-exists skip leaves it out, append sends more to it, replace removes \
                         them",
                        address(&name, "")
                    );
                    return Err(Error::new(Class::Environment, text));
                }
                AwsOnExists::Skip => opened.is_left_out = true,
                AwsOnExists::Append => {}
                AwsOnExists::Replace => {
                    sqs::purge(client, &url).map_err(failed)?;
                    // What comes before may be removed, too.
                    client.clock.wait(PURGE);
                }
            }
        }
    }
    if let Some(checkpoint) = &mut checkpoint {
        checkpoint.meet(name, Met { id, is_own: !opened.is_left_out });
        checkpoint.write()?;
    }
    opened.url = Some(url);
    Ok(opened)
}

/// Policies of a queue that name other queues, until all of them are there.
pub(crate) struct Policies {
    /// Name of the queue on the target.
    name: String,
    url: String,
    /// Texts by the names of the attributes.
    texts: Vec<(&'static str, String)>,
}

impl Policies {
    /// Those of a queue, if it has any.
    pub(crate) fn of(queue: &Queue, name: &str, url: &str) -> Option<Policies> {
        let texts = [(REDRIVE_POLICY, &queue.redrive_policy), (REDRIVE_ALLOW_POLICY, &queue.redrive_allow_policy)];
        let texts: Vec<_> =
            texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.clone())).collect();
        (!texts.is_empty()).then(|| Policies { name: name.to_owned(), url: url.to_owned(), texts })
    }

    /// Sets them, with the names of the queues that they name as they are there; what cannot be set is told.
    ///
    /// # Errors
    /// Of the service, but for its refusal.
    pub(crate) fn set(&self, client: &Client, renames: &BTreeMap<String, String>) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        for (attribute, text) in &self.texts {
            let told = |why: &str| format!("queue {} goes without its {attribute}: {why}", self.name);
            let Some(text) = pointed_anew(client, renames, text)? else {
                notes.push(told("a queue that it names is not there, or it cannot be read"));
                continue;
            };
            let attributes = BTreeMap::from([((*attribute).to_owned(), text)]);
            match sqs::set_attributes(client, &self.url, &attributes) {
                Ok(()) => {}
                Err(error) if error.fault().is_some() => notes.push(told(&error.to_string())),
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(notes)
    }
}

/// A policy whose queues are those of the target; `None` if one of them is not there.
fn pointed_anew(client: &Client, renames: &BTreeMap<String, String>, text: &str) -> Result<Option<String>> {
    let Ok(Value::Object(mut policy)) = serde_json::from_str(text) else { return Ok(None) };
    for field in ["deadLetterTargetArn", "sourceQueueArns"] {
        let arns: Vec<&mut Value> = match policy.get_mut(field) {
            Some(Value::Array(arns)) => arns.iter_mut().collect(),
            Some(arn) => vec![arn],
            None => Vec::new(),
        };
        for arn in arns {
            let Some(anew) = arn.as_str().map(|arn| arn_there(client, renames, arn)).transpose()?.flatten() else {
                return Ok(None);
            };
            *arn = Value::from(anew);
        }
    }
    Ok(Some(Value::Object(policy).to_string()))
}

/// The name of the queue with this address on the target: same name or its new one.
fn arn_there(client: &Client, renames: &BTreeMap<String, String>, arn: &str) -> Result<Option<String>> {
    let name = rename(renames, arn.rsplit(':').next().unwrap_or_default());
    let Some(url) = sqs::queue_url(client, name).map_err(failed)? else { return Ok(None) };
    Ok(sqs::attributes(client, &url).map_err(failed)?.get("QueueArn").cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_that_are_stored() {
        let queue = Queue {
            name: b"q.fifo".to_vec(),
            fifo: true,
            visibility_timeout_seconds: 30,
            message_retention_seconds: 86_400,
            maximum_message_size: 0,
            deduplication_scope: "messageGroup".to_owned(),
            ..Queue::default()
        };
        let expected = [
            ("ContentBasedDeduplication", "false"),
            ("DeduplicationScope", "messageGroup"),
            ("DelaySeconds", "0"),
            ("FifoQueue", "true"),
            ("MessageRetentionPeriod", "86400"),
            ("ReceiveMessageWaitTimeSeconds", "0"),
            ("VisibilityTimeout", "30"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(settings(&queue), BTreeMap::from(expected));
    }

    #[test]
    fn messages_count_wherever_they_are() {
        let attributes =
            COUNTS.iter().zip(["1", "20", "300"]).map(|(name, text)| ((*name).to_owned(), text.to_owned()));
        assert_eq!(count(&attributes.collect()), 321);
    }
}
