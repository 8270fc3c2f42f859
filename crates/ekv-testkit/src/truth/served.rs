//! What a server of somebody else answers, against what the live server answered.

use serde_json::Value;

use super::{Comparison, base64};
use crate::servers::{Client, Reply};

/// How far an expiry may be from the observed one, in milliseconds.
const EXPIRY_TOLERANCE_MS: u64 = 3000;

/// Asks a server for every Redis key of the observation, by commands that nothing else here uses. What has expired by now, and collections
/// without elements, must not be there.
pub fn compare_server(client: &mut Client, observation: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    let now_ms = client.now_ms();
    for (key, wanted) in observation["redis"].as_object().unwrap() {
        let key = base64(&Value::from(key.as_str()));
        let name = key.escape_ascii().to_string();
        let kind = wanted["type"].as_str().unwrap();
        let about = wanted["expire_at_ms_about"].as_u64();
        let (value, found) = (&wanted["value"], client.call(&[b"TYPE", &key]));
        let Reply::Status(found) = found else { panic!("{found:?}") };
        comparison.compared += 1;
        let is_empty = kind != "stream" && value.as_array().is_some_and(Vec::is_empty);
        let is_gone = about.is_some_and(|about| about + EXPIRY_TOLERANCE_MS < now_ms);
        let expected = match kind {
            _ if is_empty || is_gone => "none",
            "hll" => "string",
            kind => kind,
        };
        if found != expected {
            comparison.differ(&name, format!("is a {found}, should be a {expected}"));
            continue;
        }
        if expected == "none" {
            continue;
        }
        if !is_same(client, kind, &key, value) {
            comparison.differ(&name, format!("the value of the {kind} differs"));
        }
        let expiry = client.expire_at_ms(&key);
        let is_near = match (expiry, about) {
            (Some(expiry), Some(about)) => expiry.abs_diff(about) < EXPIRY_TOLERANCE_MS,
            (expiry, about) => expiry == about,
        };
        if !is_near {
            comparison.differ(&name, format!("expires at {expiry:?}, should at about {about:?}"));
        }
    }
    comparison
}

fn is_same(client: &mut Client, kind: &str, key: &[u8], wanted: &Value) -> bool {
    let mut call = |words: &[&[u8]]| client.call(words);
    let texts = |values: &Value| values.as_array().unwrap().iter().map(base64).collect::<Vec<_>>();
    let pairs = |values: &Value| {
        let pairs = values.as_array().unwrap().iter();
        sorted(pairs.map(|pair| (base64(&pair[0]), base64(&pair[1]))).collect())
    };
    let score = |text: &[u8]| std::str::from_utf8(text).unwrap().parse::<f64>().unwrap() + 0.0;
    match kind {
        "string" => call(&[b"GET", key]).bytes() == base64(wanted),
        // An estimate against an estimate or a number.
        "hll" => {
            let count = call(&[b"PFCOUNT", key]).integer();
            wanted.as_i64().is_none_or(|wanted| (count - wanted).abs() <= 1 + wanted / 20)
        }
        "hash" => sorted(two_by_two(call(&[b"HGETALL", key]))) == pairs(wanted),
        "list" => bulks(call(&[b"LRANGE", key, b"0", b"-1"])) == texts(wanted),
        "set" => sorted(bulks(call(&[b"SMEMBERS", key]))) == sorted(texts(wanted)),
        "zset" => {
            let found = two_by_two(call(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"])).into_iter();
            let found = sorted(found.map(|(member, text)| (member, score(&text).to_bits())).collect());
            let wanted = wanted.as_array().unwrap().iter();
            let wanted = wanted.map(|pair| (base64(&pair[0]), score(pair[1].as_str().unwrap().as_bytes()).to_bits()));
            found == sorted(wanted.collect())
        }
        _ => {
            let entries = call(&[b"XRANGE", key, b"-", b"+"]).array().into_iter().map(|entry| {
                let [id, fields] = <[Reply; 2]>::try_from(entry.array()).unwrap();
                (String::from_utf8(id.bytes()).unwrap(), sorted(two_by_two(fields)))
            });
            let wanted = wanted.as_array().unwrap().iter();
            entries.eq(wanted.map(|entry| (super::text(&entry[0]), pairs(&entry[1]))))
        }
    }
}

fn bulks(reply: Reply) -> Vec<Vec<u8>> {
    reply.array().into_iter().map(Reply::bytes).collect()
}

fn two_by_two(reply: Reply) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = bulks(reply);
    bytes.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}
