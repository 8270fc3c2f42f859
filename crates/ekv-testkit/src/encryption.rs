//! Encrypted values and sidecars, made from their description. Source: `docs/format/encryption.md`.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const NONCE: [u8; 12] = *b"twelve bytes";

/// A stored value, value header included, with `plain` under a data key.
pub fn encrypted_value(key_id: u32, key: &[u8; 32], raw_key: &[u8], flags: u8, plain: &[u8]) -> Vec<u8> {
    let fixed = [&[1, 0][..], &key_id.to_be_bytes()].concat();
    let header = [flags | 2, 0, 0, 0, 0, 0, 0, 0, 0];
    let aad = [&fixed[..], &header, raw_key].concat();
    [&header[..], &fixed, &NONCE, &seal(key, &aad, plain)].concat()
}

/// A sidecar with these data keys, each with its purpose, wrapped under `kek`.
pub fn sidecar(kek: &[u8; 32], keys: &[(u32, &str, [u8; 32])]) -> String {
    let entries: Vec<String> = keys
        .iter()
        .map(|(id, purpose, key)| {
            let wrapped = STANDARD.encode([&NONCE[..], &seal(kek, b"", key)].concat());
            format!(r#""{id}":{{"purpose":"{purpose}","wrapped":"{wrapped}","created":"2026-11-30T00:00:00Z","local_epoch":0}}"#)
        })
        .collect();
    format!(
        r#"{{"version":2,"raft_applied_index":7,"active":{{"storage":1,"raft":0}},"keys":{{{}}}}}"#,
        entries.join(",")
    )
}

fn seal(key: &[u8; 32], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    Aes256Gcm::new(key.into()).encrypt(&NONCE.into(), Payload { msg: plain, aad }).unwrap()
}
