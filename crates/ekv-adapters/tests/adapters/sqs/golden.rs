//! The example of section 9, made by a real server.

use ekv_adapters::EncodeOptions;
use sha2::{Digest, Sha256};
use std::sync::Arc;

use crate::trip::{Dump, Mode, Records};

const V2: &str = r#"{"message_id":"00e72f00e5772696c16506e60789a963","body":"dG8gZGxxIDwmPuKAqMOp","md5_of_body":"5085d7b7380e78e790bd89454f4acd0f","md5_of_message_attributes":"4581f99503e64404c2361b01e770ef76","message_attributes":{"b":{"DataType":"Binary","BinaryValue":"AP8="},"n":{"DataType":"Number","StringValue":"1"},"s\u003c":{"DataType":"String","StringValue":"\u003cv\u003e\u0026é"}},"send_timestamp_millis":1795361727140,"available_at_millis":1795361727151,"visible_at_millis":1795361727151,"receive_count":0,"current_receipt_token":"zW/Blv/6di4lw6XFtLXwhw==","queue_generation":1,"dead_letter_source_arn":"arn:aws:sqs:us-east-1:000000000000:main"}"#;
const V3: &str = r#"{"message_id":"2a30b5bd0ea9c34b9660a0b1b4ebcd0f","body":"cCAw","md5_of_body":"609cb4c18b27f58413a66cc37cba94ce","send_timestamp_millis":1795361727165,"available_at_millis":1795361727165,"visible_at_millis":1795361727165,"receive_count":0,"current_receipt_token":"Zd+6RfFGFJSDIQGxWxKmPw==","queue_generation":1,"message_group_id":"g0","sequence_number":1}"#;
const V4: &str = r#"{"message_id":"2a30b5bd0ea9c34b9660a0b1b4ebcd0f","send_timestamp_ms":1795361727165,"expires_at_millis":1795362027165,"original_sequence":1}"#;
const V8: &str = r#"{"name":"dlq","generation":1,"incarnation":1,"created_at_hlc":117660826147160064,"visibility_timeout_seconds":30,"message_retention_seconds":345600,"delay_seconds":0,"receive_message_wait_seconds":0,"maximum_message_size":262144,"created_at_millis":1795361727104,"last_modified_at_millis":1795361727104}"#;
const V9: &str = r#"{"name":"part.fifo","generation":1,"incarnation":1,"created_at_hlc":117660826147815424,"is_fifo":true,"content_based_dedup":true,"visibility_timeout_seconds":30,"message_retention_seconds":345600,"delay_seconds":0,"receive_message_wait_seconds":0,"maximum_message_size":262144,"created_at_millis":1795361727114,"last_modified_at_millis":1795361727114,"partition_count":4,"fifo_throughput_limit":"perMessageGroupId","deduplication_scope":"messageGroup"}"#;
const ID2: &[u8] = b"00e72f00e5772696c16506e60789a963";
const ID3: &[u8] = b"2a30b5bd0ea9c34b9660a0b1b4ebcd0f";

const PLACE: &[u8] = b"p|cGFydC5maWZv|\0\0\0\x02\0\0\0\0\0\0\0\x01";
const TIME: &[u8] = b"\0\0\x01\xa2\x03\xe5\xe2\xbd";
const ID3_TEXT: &[u8] = b"MmEzMGI1YmQwZWE5YzM0Yjk2NjBhMGIxYjRlYmNkMGY";
const DEDUP: &[u8] = b"ZzA|OTA5ZWYzZDBjYzkxYWM3NWY4YTY0YzIxN2ViZDUyNjAyMzM4ZWUwOGUyZGZiYTA0N2RmNThmNjU5ZGM4NzVkNQ";
const DATA2: &[u8] = b"!sqs|msg|data|ZGxx\0\0\0\0\0\0\0\x01MDBlNzJmMDBlNTc3MjY5NmMxNjUwNmU2MDc4OWE5NjM";
const META8: &[u8] = b"!sqs|queue|meta|ZGxx";
const META9: &[u8] = b"!sqs|queue|meta|cGFydC5maWZv";
const SEQ: &[u8] = b"!sqs|queue|seq|cGFydC5maWZv";

fn data3() -> Vec<u8> {
    [b"!sqs|msg|data|", PLACE, ID3_TEXT].concat()
}

pub(crate) fn settings(json: &str) -> Vec<u8> {
    [b"\0SQ\x01", json.as_bytes()].concat()
}

pub(crate) fn message(json: &str) -> Vec<u8> {
    [b"\0SM\x01", json.as_bytes()].concat()
}

/// The records as the server had them.
fn server_records() -> Records {
    Records(
        [
            ([b"!sqs|msg|byage|", PLACE, TIME, ID3_TEXT].concat(), ID3.to_vec()),
            (DATA2.to_vec(), message(V2)),
            (data3(), message(V3)),
            ([b"!sqs|msg|dedup|", PLACE, DEDUP].concat(), V4.as_bytes().to_vec()),
            ([b"!sqs|msg|vis|", PLACE, TIME, ID3_TEXT].concat(), ID3.to_vec()),
            (b"!sqs|queue|gen|ZGxx".to_vec(), b"1".to_vec()),
            (b"!sqs|queue|gen|cGFydC5maWZv".to_vec(), b"1".to_vec()),
            (META8.to_vec(), settings(V8)),
            (META9.to_vec(), settings(V9)),
            (SEQ.to_vec(), b"14".to_vec()),
        ]
        .into(),
    )
}

/// The example leaves out the index records of its message in `dlq`.
fn with_index_of_dlq(mut records: Records) -> Records {
    let id = b"MDBlNzJmMDBlNTc3MjY5NmMxNjUwNmU2MDc4OWE5NjM";
    for (prefix, at_ms) in
        [(b"!sqs|msg|byage|ZGxx", 1_795_361_727_140_u64), (b"!sqs|msg|vis|ZGxx\0\0", 1_795_361_727_151)]
    {
        let prefix = prefix.strip_suffix(b"\0\0").unwrap_or(prefix);
        let key = [prefix, &1_u64.to_be_bytes(), &at_ms.to_be_bytes(), id].concat();
        records.0.insert(key, ID2.to_vec());
    }
    records
}

#[test]
fn records_of_a_server_come_back_byte_for_byte_from_a_dump_that_kept_everything() {
    let records = with_index_of_dlq(server_records());
    assert_eq!(Dump::of(&records, Mode::FULL).encode().shown(), records.shown());
    assert_eq!(records.0.len(), 12);
}

#[test]
fn reference_bytes_are_those_of_the_reference_encoder() {
    let dump = Dump::of(&server_records(), Mode::default());
    let options = EncodeOptions { reference_bytes: true, ..EncodeOptions::default() };
    let payload = dump.payload(options);
    let digest: String = Sha256::digest(&payload).iter().map(|byte| format!("{byte:02x}")).collect();
    let records = dump.encode_with(options, Arc::default()).unwrap();
    assert_eq!(records.0.len(), 12);
    let text = r#"{"name":"dlq","generation":1,"visibility_timeout_seconds":30,"message_retention_seconds":345600,"delay_seconds":0,"receive_message_wait_seconds":0,"maximum_message_size":262144}"#;
    assert_eq!(records.0[META8].escape_ascii().to_string(), settings(text).escape_ascii().to_string());
    let text = r#"{"message_id":"2a30b5bd0ea9c34b9660a0b1b4ebcd0f","body":"cCAw","md5_of_body":"609cb4c18b27f58413a66cc37cba94ce","send_timestamp_millis":1795361727165,"available_at_millis":1795361727165,"visible_at_millis":0,"receive_count":0,"current_receipt_token":null,"queue_generation":1,"message_group_id":"g0","sequence_number":1}"#;
    assert_eq!(records.0[&data3()].escape_ascii().to_string(), message(text).escape_ascii().to_string());
    assert_eq!(records.0[SEQ], b"1");
    assert_eq!(
        (payload.len(), digest.as_str()),
        (2871, "321e307e7ef442abe2db7c2667522fd376175b7661303633bfd2182c62f92366")
    );
}

#[test]
fn a_plain_dump_becomes_what_the_server_would_have_stored() {
    let records = Dump::of(&server_records(), Mode::default()).encode();
    let text = V3.replace("\"Zd+6RfFGFJSDIQGxWxKmPw==\"", "null");
    assert_eq!(records.0[&data3()].escape_ascii().to_string(), message(&text).escape_ascii().to_string());
    assert_eq!(records.0[SEQ], b"1", "the file tells of no later number");
    assert_eq!(records.0[&[b"!sqs|msg|dedup|", PLACE, DEDUP].concat()], V4.as_bytes());

    let extended = Dump::of(&server_records(), Mode { extended: true, ..Mode::default() }).encode();
    assert_eq!(extended.0[SEQ], b"14");
    assert_eq!(extended.0[META9], settings(V9));
    assert_eq!(extended.0[META8], settings(V8));
}

#[test]
fn dumps_of_the_example_are_written_again_byte_for_byte() {
    for mode in [Mode::default(), Mode { extended: true, ..Mode::default() }, Mode::FULL] {
        let dump = Dump::of(&server_records(), mode);
        assert_eq!(dump.rewritten(mode), dump, "{mode:?}");
    }
}
