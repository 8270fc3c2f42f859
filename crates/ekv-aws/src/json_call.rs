//! Calls whose question and answer are JSON documents: DynamoDB and SQS.

use serde::de::DeserializeOwned;

use crate::{Answer, Client, Content, Done, Failure, Method, Request, Result};

/// A question in JSON; the answer is read as a `T`.
pub(crate) fn call<T: DeserializeOwned>(
    client: &Client,
    call: &'static str,
    target: &'static str,
    units: u32,
    question: &[u8],
) -> Result<Done<T>> {
    let request = Request::new(Method::Post, "/")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("{target}.{call}"))
        .content(Content::Bytes(question));
    client.call(call, units, &request, read)
}

fn read<T: DeserializeOwned>(mut answer: Answer) -> Result<T, Failure> {
    let body = answer.read_whole()?;
    if let Some(stated) = answer.header("x-amz-crc32").and_then(|text| text.parse::<u32>().ok())
        && stated != crc32fast::hash(&body)
    {
        return Err(Failure::Lost(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "the answer's checksum does not fit it",
        )));
    }
    // What is no JSON at all was cut or mixed up on its way; what is other JSON would be the same again.
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Failure::Odd(error.to_string()),
        _ => Failure::Lost(std::io::Error::new(std::io::ErrorKind::InvalidData, error)),
    })
}
