//! Signature Version 4.
//!
//! What is signed: method, path and query as they are sent, all headers, and SHA-256 of the body. The path is taken as it is, encoded
//! once and never normalised, which is the rule of S3; the other services have the path `/`.

use ekv_text::hex::hex;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Credentials;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What a signature is good for.
#[derive(Clone, Copy, Debug)]
pub struct SigningScope<'a> {
    /// Region, such as `us-east-1`.
    pub region: &'a str,
    /// Service as it signs, such as `s3`.
    pub service: &'a str,
    /// When; services refuse what is more than minutes away from their own time.
    pub at: Timestamp,
}

impl SigningScope<'_> {
    /// `20150830T123600Z`: the header `x-amz-date`.
    pub fn date_time(&self) -> String {
        self.at.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn credential_scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.at.strftime("%Y%m%d"), self.region, self.service)
    }
}

/// The parts of a request that are signed.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// Method.
    pub method: &'a str,
    /// Path, encoded.
    pub path: &'a str,
    /// Query, encoded, its pairs in ascending order.
    pub query: &'a str,
    /// Headers, `host` and `x-amz-date` among them; names in lower case.
    pub headers: &'a [(String, String)],
    /// SHA-256 of the body.
    pub content_sha256: [u8; 32],
}

impl Signature<'_> {
    /// The value of the header `authorization`.
    pub fn authorization(&self, credentials: &Credentials, scope: &SigningScope<'_>) -> String {
        let (names, headers) = self.canonical_headers();
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{names}\n{}",
            self.method,
            self.path,
            self.query,
            hex(&self.content_sha256)
        );
        let credential_scope = scope.credential_scope();
        let to_sign =
            format!("{ALGORITHM}\n{}\n{credential_scope}\n{}", scope.date_time(), hex(&sha256(canonical.as_bytes())));
        let signature = hex(&hmac(&signing_key(credentials, scope)[..], to_sign.as_bytes()));
        let id = &credentials.access_key_id;
        format!("{ALGORITHM} Credential={id}/{credential_scope}, SignedHeaders={names}, Signature={signature}")
    }

    /// Names joined by `;`, and a line for each: values of one name joined by `,`, runs of blanks as one.
    fn canonical_headers(&self) -> (String, String) {
        let mut sorted: Vec<&(String, String)> = self.headers.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut names = String::new();
        let mut lines = String::new();
        for group in sorted.chunk_by(|a, b| a.0 == b.0) {
            let values: Vec<String> = group.iter().map(|(_, value)| folded(value)).collect();
            let Some((name, _)) = group.first() else { continue };
            if !names.is_empty() {
                names.push(';');
            }
            names.push_str(name);
            lines.push_str(name);
            lines.push(':');
            lines.push_str(&values.join(","));
            lines.push('\n');
        }
        (names, lines)
    }
}

fn folded(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn signing_key(credentials: &Credentials, scope: &SigningScope<'_>) -> Zeroizing<[u8; 32]> {
    let first = Zeroizing::new(format!("AWS4{}", credentials.secret_access_key.reveal()));
    let date = scope.at.strftime("%Y%m%d").to_string();
    let mut key = Zeroizing::new(hmac(first.as_bytes(), date.as_bytes()));
    for part in [scope.region, scope.service, "aws4_request"] {
        key = Zeroizing::new(hmac(&key[..], part.as_bytes()));
    }
    key
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // Keys of any length are allowed by the algorithm; the library's constructor cannot fail for HMAC.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

#[cfg(test)]
mod tests;
