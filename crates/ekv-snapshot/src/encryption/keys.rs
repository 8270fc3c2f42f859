//! Data keys, and the sidecar in which a server keeps them. Source: `docs/format/encryption.md`, section 3.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ekv_text::json::JsonError;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::gcm::{Cipher, KEY_LEN, NONCE_LEN, SecretKey, TAG_LEN};

/// Versions of the sidecar that are known.
const VERSIONS: std::ops::RangeInclusive<u64> = 1..=2;

/// Why a key cannot be used. No message tells anything of a key but its id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not a sidecar.
    #[error("it is no list of encryption keys: {0}")]
    Json(String),
    /// A sidecar of another server.
    #[error("it has version {0}; this tool knows versions 1 and 2")]
    Version(u64),
    /// The id of a data key is no number of 32 bits above 0.
    #[error("{0:?} is not the id of a data key")]
    Id(String),
    /// A purpose that nobody knows.
    #[error("data key {id} has the unknown purpose {purpose:?}")]
    Purpose {
        /// The data key.
        id: u32,
        /// What it says.
        purpose: String,
    },
    /// A wrapped key of another form.
    #[error("data key {id} is not wrapped as 60 bytes of base64")]
    Wrapped {
        /// The data key.
        id: u32,
    },
    /// The key that wraps it is another one.
    #[error("data key {id} does not open: the key of the KEK file is another one, or either file is damaged")]
    DoesNotOpen {
        /// The data key.
        id: u32,
    },
    /// Two keys have one id.
    #[error("data key {id} is given twice")]
    Twice {
        /// The data key.
        id: u32,
    },
}

/// What a data key is for.
pub(super) enum DataKey {
    /// Values.
    Storage(Cipher),
    /// The entries of the Raft log; no value may be under it.
    Raft,
}

/// Data keys by their ids.
#[derive(Default)]
pub struct DataKeys(BTreeMap<u32, DataKey>);

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The sidecar, as far as it counts.
#[derive(Deserialize)]
struct Sidecar {
    version: u64,
    keys: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    purpose: String,
    wrapped: String,
}

impl DataKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key for values.
    ///
    /// # Errors
    /// `Twice`, or `Id` for 0.
    pub fn add(&mut self, id: u32, key: &SecretKey) -> Result<(), KeyFault> {
        self.insert(id, DataKey::Storage(Cipher::new(key)))
    }

    /// Adds all keys of a sidecar, which are wrapped under `kek`.
    ///
    /// # Errors
    /// What is not as it should be; then none may be used.
    pub fn add_sidecar(&mut self, sidecar: &[u8], kek: &SecretKey) -> Result<(), KeyFault> {
        let parsed: Sidecar =
            serde_json::from_slice(sidecar).map_err(|e| KeyFault::Json(JsonError::new(&e).to_string()))?;
        if !VERSIONS.contains(&parsed.version) {
            return Err(KeyFault::Version(parsed.version));
        }
        let kek = Cipher::new(kek);
        for (text, Entry { purpose, wrapped }) in &parsed.keys {
            let id = text.parse::<u32>().ok().filter(|id| id.to_string() == *text);
            let id = id.ok_or_else(|| KeyFault::Id(text.chars().take(32).collect()))?;
            let is_storage = match purpose.as_str() {
                "storage" => true,
                "raft" => false,
                _ => return Err(KeyFault::Purpose { id, purpose: purpose.chars().take(32).collect() }),
            };
            let key = unwrap(wrapped, id, &kek)?;
            self.insert(id, if is_storage { DataKey::Storage(Cipher::new(&key)) } else { DataKey::Raft })?;
        }
        Ok(())
    }

    fn insert(&mut self, id: u32, key: DataKey) -> Result<(), KeyFault> {
        match id {
            0 => Err(KeyFault::Id("0".to_owned())),
            _ if self.0.insert(id, key).is_some() => Err(KeyFault::Twice { id }),
            _ => Ok(()),
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<&DataKey> {
        self.0.get(&id)
    }

    /// The keys for values.
    pub(super) fn of_values(&self) -> impl Iterator<Item = (u32, &Cipher)> {
        self.0.iter().filter_map(|(id, key)| match key {
            DataKey::Storage(cipher) => Some((*id, cipher)),
            DataKey::Raft => None,
        })
    }
}

fn unwrap(wrapped: &str, id: u32, kek: &Cipher) -> Result<SecretKey, KeyFault> {
    let bytes = STANDARD.decode(wrapped).ok().filter(|bytes| bytes.len() == NONCE_LEN + KEY_LEN + TAG_LEN);
    let parts = bytes.as_deref().and_then(|bytes| bytes.split_first_chunk::<NONCE_LEN>());
    let (nonce, sealed) = parts.ok_or(KeyFault::Wrapped { id })?;
    let mut opened = Zeroizing::new(sealed.to_vec());
    let len = kek.open_in_place(nonce, b"", &mut opened).ok_or(KeyFault::DoesNotOpen { id })?;
    let mut key = SecretKey::default();
    let found = opened.get(..len).filter(|found| found.len() == key.len()).ok_or(KeyFault::Wrapped { id })?;
    key.copy_from_slice(found);
    Ok(key)
}
