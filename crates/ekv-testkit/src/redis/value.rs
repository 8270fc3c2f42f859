//! Stored values. Source: `docs/format/redis.md`, section 2.

use ekv_model::redis::StreamId;

fn enveloped(magic: u8, body: &[u8], expire_at_ms: Option<u64>) -> Vec<u8> {
    match expire_at_ms {
        None => [&[0xff, magic, 0], body].concat(),
        Some(at_ms) => [&[0xff, magic, 1], &at_ms.to_be_bytes()[..], body].concat(),
    }
}

/// Current form of a string.
pub fn string(body: &[u8], expire_at_ms: Option<u64>) -> Vec<u8> {
    enveloped(0x01, body, expire_at_ms)
}

/// Current form of a HyperLogLog.
pub fn hll(payload: &[u8], expire_at_ms: Option<u64>) -> Vec<u8> {
    enveloped(0x02, payload, expire_at_ms)
}

/// Value of an expiry record.
pub fn expiry(at_ms: u64) -> Vec<u8> {
    at_ms.to_be_bytes().to_vec()
}

/// Length change of a hash, set or zset.
pub fn delta(change: i64) -> Vec<u8> {
    change.to_be_bytes().to_vec()
}

/// Old metadata of a hash, set or zset: 8 bytes.
pub fn old_meta(len: i64) -> Vec<u8> {
    len.to_be_bytes().to_vec()
}

/// Current metadata of a hash, set or zset: 16 bytes; expiry 0 = none.
pub fn meta(len: i64, expire_at_ms: u64) -> Vec<u8> {
    [len.to_be_bytes(), expire_at_ms.to_be_bytes()].concat()
}

/// Score of a zset member.
pub fn score(score: f64) -> Vec<u8> {
    score.to_be_bytes().to_vec()
}

/// Head and length change of a list.
pub fn list_delta(head_change: i64, len_change: i64) -> Vec<u8> {
    [head_change.to_be_bytes(), len_change.to_be_bytes()].concat()
}

/// Old metadata of a list: 24 bytes.
pub fn old_list_meta(head: i64, len: i64) -> Vec<u8> {
    [head.to_be_bytes(), head.wrapping_add(len).to_be_bytes(), len.to_be_bytes()].concat()
}

/// Current metadata of a list: 32 bytes; expiry 0 = none.
pub fn list_meta(head: i64, len: i64, expire_at_ms: u64) -> Vec<u8> {
    [old_list_meta(head, len), expiry(expire_at_ms)].concat()
}

/// Oldest metadata of a stream: 24 bytes.
pub fn stream_meta_24(len: u64, last: StreamId) -> Vec<u8> {
    [len.to_be_bytes(), last.ms.to_be_bytes(), last.seq.to_be_bytes()].concat()
}

/// Old metadata of a stream: 32 bytes; expiry 0 = none.
pub fn stream_meta_32(len: u64, last: StreamId, expire_at_ms: u64) -> Vec<u8> {
    [stream_meta_24(len, last), expiry(expire_at_ms)].concat()
}

/// Current metadata of a stream: 48 bytes; expiry 0 = none, `trimmed` 0-0 = none.
pub fn stream_meta(len: u64, last: StreamId, expire_at_ms: u64, trimmed: StreamId) -> Vec<u8> {
    [stream_meta_32(len, last, expire_at_ms), expiry(trimmed.ms), expiry(trimmed.seq)].concat()
}

/// A protobuf field of wire type 2.
pub fn proto_bytes(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut len = bytes.len();
    while len > 0x7f {
        out.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    out.push(u8::try_from(len).unwrap());
    out.extend_from_slice(bytes);
    out
}

/// A stream entry: the client's id text and name, value, name, value, …
pub fn stream_entry(id_text: &str, texts: &[&[u8]]) -> Vec<u8> {
    let texts = texts.iter().flat_map(|text| proto_bytes(2, text));
    [b"\0RXE\x01".to_vec(), proto_bytes(1, id_text.as_bytes()), texts.collect()].concat()
}

/// A hash in one record.
pub fn hash_blob(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let entries =
        fields.iter().flat_map(|(name, value)| proto_bytes(1, &[proto_bytes(1, name), proto_bytes(2, value)].concat()));
    [b"\0RH\x01".to_vec(), entries.collect()].concat()
}

/// A set in one record; also the payload of a HyperLogLog.
pub fn set_blob(members: &[&[u8]]) -> Vec<u8> {
    let members = members.iter().flat_map(|member| proto_bytes(1, member));
    [b"\0RS\x01".to_vec(), members.collect()].concat()
}

/// A zset in one record.
pub fn zset_blob(members: &[(&[u8], f64)]) -> Vec<u8> {
    let entries = members.iter().flat_map(|(member, score)| {
        let score = [&[0x11], &score.to_le_bytes()[..]].concat();
        proto_bytes(1, &[proto_bytes(1, member), score].concat())
    });
    [b"\0RZ\x01".to_vec(), entries.collect()].concat()
}
