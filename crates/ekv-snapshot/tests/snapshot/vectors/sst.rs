//! `EKVSSTI1`: recognised, checked, refused.

use ekv_testkit::seal;
use sha2::{Digest, Sha256};

use super::{Optional, Required, assert_error, kind, refused};

const BODY: &[u8] = b"the bytes of a table";

fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A payload of one file with this name and checksum, behind a version 1 header.
fn file(name: &str, sha256: &str) -> Vec<u8> {
    let manifest = format!(
        r#"{{"version":1,"last_commit_ts":9,"min_retained_ts":0,"pending_min_retained_ts":0,"entry_count":1,"uncompressed_bytes":1,"total_file_bytes":{len},"files":[{{"name":"{name}","size":{len},"sha256":"{sha256}","smallest":"YQ==","largest":"Yg=="}}]}}"#,
        len = BODY.len(),
    );
    let manifest_len = i64::try_from(manifest.len()).unwrap();
    let hash = Sha256::digest(manifest.as_bytes());
    [&b"EKVTHLC1"[..], &[0; 8], b"EKVSSTI1", &manifest_len.to_be_bytes(), &hash, manifest.as_bytes(), BODY].concat()
}

fn good() -> Vec<u8> {
    file("000001.sst", &hex_sha256(BODY))
}

#[test]
fn intact_payload_is_refused_with_the_way_out() {
    for (bytes, policy) in [(good(), Optional), (seal(good()), Optional), (seal(good()), Required)] {
        let error = refused(&bytes, policy);
        assert_error(&error, "UnsupportedForm", 16, None);
        assert!(error.to_string().contains("ELASTICKV_PEBBLE_SST_INGEST_SNAPSHOT"), "{error}");
    }
}

#[test]
fn damaged_payload_is_refused_as_damaged() {
    let mut manifest_byte = good();
    manifest_byte[70] ^= 1;
    assert_error(&refused(&manifest_byte, Optional), "Invalid", 64, None);
    let mut file_byte = good();
    let body_at = file_byte.len() - BODY.len();
    file_byte[body_at] ^= 1;
    assert_error(&refused(&file_byte, Optional), "Invalid", u64::try_from(body_at).unwrap(), None);
    assert_eq!(kind(&refused(&seal(file_byte), Required)), "Invalid");
    assert_eq!(kind(&refused(&file("../x", &hex_sha256(BODY)), Optional)), "Invalid");
    assert_eq!(kind(&refused(&file("000001.sst", &hex_sha256(b"")), Optional)), "Invalid");
    assert_eq!(kind(&refused(&[&good()[..], b"x"].concat(), Optional)), "Invalid");
    for len in [0_i64, -1, (64 << 20) + 1] {
        let mut bytes = good();
        bytes[24..32].copy_from_slice(&len.to_be_bytes());
        assert_error(&refused(&bytes, Optional), "Invalid", 16, None);
    }
}

#[test]
fn changed_byte_behind_a_footer_is_a_checksum_error() {
    let sealed = seal(good());
    for at in [20, 40, 70, sealed.len() - 6] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(kind(&refused(&changed, Required)), "FooterCrc", "byte {at}");
    }
    assert_eq!(kind(&refused(&good(), Required)), "FooterCrc");
}
