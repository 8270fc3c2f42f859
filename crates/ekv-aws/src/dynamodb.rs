//! DynamoDB: tables and their items.
//!
//! Items pass as the JSON text in which the service takes and gives them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Client, Done, Error, FaultKind, Result, json_call};

/// Most items in one batch that is written.
pub const BATCH_WRITE_MAX: usize = 25;
/// Most keys in one batch that is read.
pub const BATCH_GET_MAX: usize = 100;

const TARGET: &str = "DynamoDB_20120810";

/// A table, as the service describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Table {
    /// `ACTIVE` once it can be written to.
    pub table_status: String,
    /// An identity that no other table ever has, where the service gives one.
    #[serde(default)]
    pub table_id: Option<String>,
    /// Seconds since 1970 at which it was created.
    #[serde(default)]
    pub creation_date_time: Option<f64>,
    /// Attributes that make its key.
    pub key_schema: Vec<KeyPart>,
    /// Types of attributes in keys.
    pub attribute_definitions: Vec<Attribute>,
    /// Its global secondary indexes.
    #[serde(default)]
    pub global_secondary_indexes: Option<Vec<Index>>,
}

/// An attribute of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyPart {
    /// Its name.
    pub attribute_name: String,
    /// `HASH` or `RANGE`.
    pub key_type: String,
}

/// The type of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    /// Its name.
    pub attribute_name: String,
    /// `S`, `N` or `B`.
    pub attribute_type: String,
}

/// A global secondary index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Index {
    /// Its name.
    pub index_name: String,
    /// Attributes that make its key.
    pub key_schema: Vec<KeyPart>,
    /// What it copies.
    pub projection: Projection,
    /// Capacity of an index of a new `PROVISIONED` table.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub provisioned_throughput: Option<Throughput>,
}

/// What an index copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Projection {
    /// `ALL`, `KEYS_ONLY` or `INCLUDE`.
    pub projection_type: String,
    /// Attributes of an `INCLUDE` projection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_key_attributes: Option<Vec<String>>,
}

/// A table that is to be created.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewTable {
    /// Its name.
    pub table_name: String,
    /// Attributes that make its key.
    pub key_schema: Vec<KeyPart>,
    /// Types of all attributes in keys.
    pub attribute_definitions: Vec<Attribute>,
    /// Its global secondary indexes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub global_secondary_indexes: Vec<Index>,
    /// `PAY_PER_REQUEST` or `PROVISIONED`.
    pub billing_mode: String,
    /// Capacity of a `PROVISIONED` table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned_throughput: Option<Throughput>,
}

/// Provisioned capacity, in units per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Throughput {
    /// For reading.
    pub read_capacity_units: u64,
    /// For writing.
    pub write_capacity_units: u64,
}

/// A page of a scan.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Page {
    /// Its items; none if they were only counted.
    #[serde(default)]
    pub items: Vec<Box<RawValue>>,
    /// How many they are.
    #[serde(default)]
    pub count: u64,
    /// Where the next page begins; absent on the last one.
    #[serde(default)]
    pub last_evaluated_key: Option<Box<RawValue>>,
}

/// What became of an item that must not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is written.
    Written,
    /// An item of its key was there, and stays.
    Exists,
}

/// Describes a table; `None` if there is none.
///
/// # Errors
/// As [`Client::call`].
pub fn describe_table(client: &Client, name: &str) -> Result<Option<Table>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Described {
        table: Table,
    }
    let question = serde_json::json!({ "TableName": name }).to_string();
    match json_call::call::<Described>(client, "DescribeTable", TARGET, 1, question.as_bytes()) {
        Ok(done) => Ok(Some(done.value.table)),
        Err(Error::Refused { fault, .. }) if fault.kind() == FaultKind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates a table, which is not `ACTIVE` at once.
///
/// # Errors
/// As [`Client::call`].
pub fn create_table(client: &Client, table: &NewTable) -> Result<()> {
    let question = written("CreateTable", table)?;
    json_call::call::<serde::de::IgnoredAny>(client, "CreateTable", TARGET, 1, &question).map(|_| ())
}

/// Writes up to [`BATCH_WRITE_MAX`] items of different keys, replacing those of the same keys; what the service leaves is sent again.
///
/// # Errors
/// As [`Client::call`]; some of the items may be written then.
pub fn batch_write(client: &Client, table: &str, items: &[&str]) -> Result<Done<()>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Written {
        #[serde(default)]
        unprocessed_items: BTreeMap<String, Vec<Box<RawValue>>>,
    }
    let call = "BatchWriteItem";
    let puts = items.iter().map(|item| raw(call, format!(r#"{{"PutRequest":{{"Item":{item}}}}}"#)));
    let is_unsure = until_processed(client, call, puts.collect::<Result<_>>()?, |left| {
        let units = u32::try_from(left.len()).unwrap_or(u32::MAX);
        let question = written(call, &BTreeMap::from([("RequestItems", BTreeMap::from([(table, &left)]))]))?;
        let mut done = json_call::call::<Written>(client, call, TARGET, units, &question)?;
        let left = done.value.unprocessed_items.remove(table).unwrap_or_default();
        Ok(Done { value: left, is_unsure: done.is_unsure })
    })?;
    Ok(Done { value: (), is_unsure })
}

/// Writes an item unless one of its key is there; `key` is an attribute of the table's key.
///
/// # Errors
/// As [`Client::call`].
pub fn put_new(client: &Client, table: &str, item: &str, key: &str) -> Result<Done<Put>> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Question<'a> {
        table_name: &'a str,
        item: Box<RawValue>,
        condition_expression: &'static str,
        expression_attribute_names: BTreeMap<&'static str, &'a str>,
    }
    let call = "PutItem";
    let question = Question {
        table_name: table,
        item: raw(call, item.to_owned())?,
        condition_expression: "attribute_not_exists(#k)",
        expression_attribute_names: BTreeMap::from([("#k", key)]),
    };
    match json_call::call::<serde::de::IgnoredAny>(client, call, TARGET, 1, &written(call, &question)?) {
        Ok(done) => Ok(Done { value: Put::Written, is_unsure: done.is_unsure }),
        Err(Error::Refused { fault, is_unsure, .. }) if fault.kind() == FaultKind::Exists => {
            Ok(Done { value: Put::Exists, is_unsure })
        }
        Err(error) => Err(error),
    }
}

/// Reads up to [`BATCH_GET_MAX`] items by their keys, as they are after all writes before; in no order, those that are not there left out.
///
/// # Errors
/// As [`Client::call`].
pub fn batch_get(client: &Client, table: &str, keys: &[&str]) -> Result<Vec<Box<RawValue>>> {
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Keys {
        keys: Vec<Box<RawValue>>,
        #[serde(default)]
        consistent_read: bool,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Got {
        #[serde(default)]
        responses: BTreeMap<String, Vec<Box<RawValue>>>,
        #[serde(default)]
        unprocessed_keys: BTreeMap<String, Keys>,
    }
    let call = "BatchGetItem";
    let keys: Vec<Box<RawValue>> = keys.iter().map(|key| raw(call, (*key).to_owned())).collect::<Result<_>>()?;
    let mut items = Vec::new();
    until_processed(client, call, keys, |keys| {
        let units = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let ask = Keys { keys, consistent_read: true };
        let question = written(call, &BTreeMap::from([("RequestItems", BTreeMap::from([(table, ask)]))]))?;
        let Done { value: mut got, is_unsure } = json_call::call::<Got>(client, call, TARGET, units, &question)?;
        items.append(&mut got.responses.remove(table).unwrap_or_default());
        let left = got.unprocessed_keys.remove(table).map(|keys| keys.keys).unwrap_or_default();
        Ok(Done { value: left, is_unsure })
    })?;
    Ok(items)
}

/// How a scan reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan<'a> {
    /// Where it goes on, as the page before said.
    pub from: Option<&'a RawValue>,
    /// Most items of the page.
    pub limit: Option<u32>,
    /// Attributes that are given; all if there are none.
    pub attributes: &'a [&'a str],
    /// Which part of how many.
    pub segment: Option<(u32, u32)>,
    /// Whether items are counted, and not given.
    pub is_count: bool,
}

/// Reads a page of a table, as it is after all writes before.
///
/// # Errors
/// As [`Client::call`].
pub fn scan(client: &Client, table: &str, scan: &Scan<'_>) -> Result<Page> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Question<'a> {
        table_name: &'a str,
        consistent_read: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        exclusive_start_key: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        segment: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        total_segments: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        projection_expression: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expression_attribute_names: Option<BTreeMap<String, &'a str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        select: Option<&'static str>,
    }
    let names: BTreeMap<String, &str> =
        scan.attributes.iter().enumerate().map(|(n, name)| (format!("#a{n}"), *name)).collect();
    let projection = names.keys().cloned().collect::<Vec<_>>().join(",");
    let question = Question {
        table_name: table,
        consistent_read: true,
        exclusive_start_key: scan.from,
        limit: scan.limit,
        segment: scan.segment.map(|(segment, _)| segment),
        total_segments: scan.segment.map(|(_, total)| total),
        projection_expression: (!names.is_empty()).then_some(projection),
        expression_attribute_names: (!names.is_empty()).then_some(names),
        select: scan.is_count.then_some("COUNT"),
    };
    json_call::call(client, "Scan", TARGET, 1, &written("Scan", &question)?).map(|done| done.value)
}

/// Sends what is left of a batch until nothing is: a service that does only a part of one throttles it. `send` gives what it leaves; whether any
/// of it may have been carried out twice is returned.
fn until_processed(
    client: &Client,
    call: &'static str,
    batch: Vec<Box<RawValue>>,
    mut send: impl FnMut(Vec<Box<RawValue>>) -> Result<Done<Vec<Box<RawValue>>>>,
) -> Result<bool> {
    let (mut left, mut is_unsure, mut rounds) = (batch, false, 0_u32);
    while !left.is_empty() {
        let sent = left.len();
        let done = send(left)?;
        is_unsure |= done.is_unsure;
        left = done.value;
        if left.is_empty() {
            break;
        }
        rounds = if left.len() < sent { 0 } else { rounds.saturating_add(1) };
        if rounds >= client.policy.tries_max {
            let last = "the service leaves all of the batch unprocessed".to_owned();
            return Err(Error::Exhausted { call, tries: rounds, last, is_unsure });
        }
        client.pace.throttled(&*client.clock);
        client.clock.wait(client.policy.pause(rounds.saturating_add(1)));
    }
    Ok(is_unsure)
}

fn raw(call: &'static str, text: String) -> Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|error| Error::Content { call, source: error.into() })
}

fn written<T: Serialize>(call: &'static str, question: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(question).map_err(|error| Error::Content { call, source: error.into() })
}

#[cfg(test)]
mod tests;
