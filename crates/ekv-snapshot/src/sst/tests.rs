use super::*;
use crate::stream::len_u64;
use crate::{MemoryInput, NoWatch};
use std::sync::Arc;

struct Builder {
    bodies: Vec<Vec<u8>>,
    manifest: String,
}

fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn file_json(name: &str, body: &[u8], smallest: &str, largest: &str) -> String {
    format!(
        r#"{{"name":"{name}","size":{},"sha256":"{}","smallest":"{smallest}","largest":"{largest}"}}"#,
        body.len(),
        hex_sha256(body)
    )
}

impl Builder {
    /// Two files; keys `a`..`b` and `c`..`c`.
    fn good() -> Self {
        let bodies = vec![b"first table".to_vec(), vec![7; 100_000]];
        let files =
            [file_json("000001.sst", &bodies[0], "YQ==", "Yg=="), file_json("000002.sst", &bodies[1], "Yw==", "Yw==")];
        let total: usize = bodies.iter().map(Vec::len).sum();
        let manifest = format!(
            r#"{{"version":1,"last_commit_ts":9,"min_retained_ts":0,"pending_min_retained_ts":0,"applied_index":3,"entry_count":5,"uncompressed_bytes":70,"total_file_bytes":{total},"files":[{}]}}"#,
            files.join(",")
        );
        Builder { bodies, manifest }
    }

    fn replaced(from: &str, to: &str) -> Vec<u8> {
        let mut builder = Builder::good();
        assert!(builder.manifest.contains(from), "{from}");
        builder.manifest = builder.manifest.replacen(from, to, 1);
        builder.build()
    }

    fn build(&self) -> Vec<u8> {
        let len = i64::try_from(self.manifest.len()).unwrap();
        let hash = Sha256::digest(self.manifest.as_bytes());
        let head = [&b"EKVSSTI1"[..], &len.to_be_bytes(), &hash, self.manifest.as_bytes()].concat();
        [&head[..], &self.bodies.concat()].concat()
    }
}

fn check(payload: &[u8], footer: FooterPolicy) -> Error {
    let source = Arc::new(MemoryInput(payload.into()));
    let input = Input { source, len: len_u64(payload), name: "x.fsm".into(), footer, token_crc32c: None };
    refuse(&input, 0, &NoWatch)
}

fn message(payload: &[u8]) -> String {
    let error = check(payload, FooterPolicy::Optional);
    assert!(!matches!(error.kind(), ErrorKind::UnsupportedForm { .. }), "accepted as intact");
    error.to_string()
}

fn with_footer(mut payload: Vec<u8>) -> Vec<u8> {
    payload.extend_from_slice(&crc32c::crc32c(&payload).to_be_bytes());
    payload
}

#[test]
fn intact_payload_is_refused_with_the_way_out() {
    let good = Builder::good().build();
    for (payload, footer) in
        [(good.clone(), FooterPolicy::Optional), (with_footer(good.clone()), FooterPolicy::Required)]
    {
        let error = check(&payload, footer);
        assert!(matches!(error.kind(), ErrorKind::UnsupportedForm { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("ELASTICKV_PEBBLE_SST_INGEST_SNAPSHOT") && text.contains("take a new snapshot"),
            "{text}"
        );
    }
    let empty = br#"{"version":1,"files":null}"#;
    let empty = Builder { bodies: Vec::new(), manifest: String::from_utf8(empty.to_vec()).unwrap() };
    assert!(matches!(check(&empty.build(), FooterPolicy::Optional).kind(), ErrorKind::UnsupportedForm { .. }));
}

#[test]
fn changed_manifest_or_file_byte_is_an_error() {
    let good = Builder::good().build();
    let manifest_len = Builder::good().manifest.len();
    let mut manifest = good.clone();
    manifest[48 + manifest_len / 2] ^= 1;
    assert!(message(&manifest).contains("SHA-256 of the manifest"));
    let mut first = good.clone();
    first[48 + manifest_len] ^= 1;
    assert!(message(&first).contains("SHA-256 of file 1"));
    let mut second = good.clone();
    *second.last_mut().unwrap() ^= 1;
    assert!(message(&second).contains("SHA-256 of file 2"));
}

#[test]
fn missing_or_trailing_bytes_are_errors() {
    let good = Builder::good().build();
    for len in [8, 15, 16, 47, 48, 60, good.len() - 1] {
        assert!(message(&good[..len]).contains("truncated"), "cut to {len}");
    }
    for extra in [1, 2, 3, 5, 100] {
        let longer = [&good[..], &vec![0; extra]].concat();
        assert!(message(&longer).contains("follow the last file"), "{extra} extra bytes");
    }
    let four_more = [&good[..], &[0; 4]].concat();
    assert!(matches!(check(&four_more, FooterPolicy::Optional).kind(), ErrorKind::FooterCrc { .. }));
    assert!(matches!(check(&good, FooterPolicy::Required).kind(), ErrorKind::FooterCrc { .. }));
}

#[test]
fn manifest_lengths_out_of_bounds_are_refused() {
    for len in [0_i64, -1, i64::MIN, (64 << 20) + 1, i64::MAX] {
        let mut payload = Builder::good().build();
        payload[8..16].copy_from_slice(&len.to_be_bytes());
        assert!(message(&payload).contains(&format!("manifest length {len} ")), "{len}");
    }
    let mut payload = Builder::good().build();
    payload[8..16].copy_from_slice(&(64_i64 << 20).to_be_bytes());
    assert!(message(&payload).contains("truncated"));
}

#[test]
fn every_malformed_manifest_is_an_error_although_its_hash_holds() {
    let cases = [
        (r#""version":1"#, r#""version":2"#, "version 2 is unknown"),
        (r#""version":1"#, r#""version":1,"surprise":0"#, "unknown field"),
        (r#""version":1"#, r#""version":"1""#, "invalid type"),
        (r#""version":1"#, r#""version":1,"version":1"#, "duplicate field"),
        (r#""entry_count":5"#, r#""entry_count":-5"#, "invalid value"),
        (r#""total_file_bytes":"#, r#""total_file_bytes":1"#, "total_file_bytes is"),
        ("000001.sst", "../x", "unexpected file name"),
        ("000001.sst", "1.sst", "unexpected file name"),
        ("000002.sst", "000003.sst", "unexpected file name"),
        (r#""size":11"#, r#""size":0"#, "has size 0"),
        (r#""size":11"#, r#""size":-11"#, "has size -11"),
        (r#""sha256":""#, r#""sha256":"00"#, "no valid sha256"),
        ("YQ==", "YQ", "not valid base64"),
        ("YQ==", "Yz==", "not valid base64"),
        ("YQ==", "Yw==", "smallest key above its largest"),
        ("Yw==", "Yg==", "overlaps the file before it"),
        (r#"{"version""#, r#"["version""#, "invalid EKVSSTI1 manifest"),
        ("]}", "]} {}", "trailing characters"),
        ("]}", "]", "EOF"),
    ];
    for (from, to, expected) in cases {
        let text = message(&Builder::replaced(from, to));
        assert!(text.contains(expected), "{from} -> {to}: {text}");
    }
}
