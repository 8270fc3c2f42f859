//! Files with keys: of a server, and of operators who unwrap data keys by their own means. Source: `docs/format/encryption.md`, sections 3 and 4.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_model::{Class, Error, Result};
use ekv_snapshot::{DataKeys, KEY_LEN, KeyFault, SecretKey};
use zeroize::Zeroizing;

use crate::input_place::InputPlace;

/// Longest sidecar, in bytes; an entry has some 200 of them.
const SIDECAR_LEN_MAX: u64 = 1 << 20;

/// Where the keys of encrypted values are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFiles {
    /// The sidecar of a server, with its data keys, wrapped.
    pub sidecar: Option<PathBuf>,
    /// The key that wraps them, in 32 bytes; `-` is standard input.
    pub kek: Option<PathBuf>,
    /// Data keys by their ids, each in 32 bytes.
    pub data_keys: Vec<(u32, PathBuf)>,
}

/// Why a file with keys cannot be used.
#[derive(Debug, thiserror::Error)]
enum KeyFileError {
    #[error("{file}: cannot read it")]
    Io {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("{file}: a key has {KEY_LEN} bytes, and this file {}", if *.len > KEY_LEN { "has more".to_owned() } else { format!("has {len}") })]
    Length { file: String, len: usize },
    #[error(
        "{file}: others than its owner can read or change it (mode {mode:04o}): chmod 600 it, and think of who had it until now"
    )]
    Mode { file: String, mode: u32 },
    #[error("{file}: it is longer than any list of encryption keys")]
    Long { file: String },
    #[error("{file}: {fault}")]
    Fault { file: String, fault: KeyFault },
}

impl From<KeyFileError> for Error {
    fn from(error: KeyFileError) -> Self {
        Error::new(Class::Environment, error)
    }
}

impl KeyFiles {
    /// Whether no file is named.
    pub fn is_empty(&self) -> bool {
        self == &KeyFiles::default()
    }

    /// Reads all keys; `None` if no file is named.
    ///
    /// # Errors
    /// A file that cannot be read or is none of keys; one with a bare key that others than its owner can read; a wrapped key that does
    /// not open. All are of class `Environment`, and none tells anything of a key but its id.
    pub fn open(&self) -> Result<Option<Arc<DataKeys>>> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut keys = DataKeys::new();
        if let (Some(sidecar), Some(kek)) = (&self.sidecar, &self.kek) {
            let kek = read_key(kek)?;
            let bytes = read_sidecar(sidecar)?;
            keys.add_sidecar(&bytes, &kek).map_err(|fault| at(sidecar, fault))?;
        }
        for (id, file) in &self.data_keys {
            keys.add(*id, &read_key(file)?).map_err(|fault| at(file, fault))?;
        }
        Ok(Some(Arc::new(keys)))
    }
}

fn at(file: &Path, fault: KeyFault) -> KeyFileError {
    KeyFileError::Fault { file: file.display().to_string(), fault }
}

fn read_sidecar(path: &Path) -> Result<Vec<u8>> {
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SIDECAR_LEN_MAX.saturating_add(1)).read_to_end(&mut bytes));
    match read {
        Ok(_) if u64::try_from(bytes.len()).is_ok_and(|len| len <= SIDECAR_LEN_MAX) => Ok(bytes),
        Ok(_) => Err(KeyFileError::Long { file }.into()),
        Err(source) => Err(KeyFileError::Io { file, source }.into()),
    }
}

/// Reads a file that is a key and nothing else.
fn read_key(path: &Path) -> Result<SecretKey> {
    let file = path.display().to_string();
    let failed = |source| KeyFileError::Io { file: file.clone(), source };
    let (mut bytes, mut len) = (Zeroizing::new([0; KEY_LEN + 1]), 0);
    let mut stream: Box<dyn Read> = match InputPlace::of(path).map_err(failed)? {
        InputPlace::StandardInput => Box::new(io::stdin().lock()),
        _ => {
            let opened = File::open(path).map_err(failed)?;
            if let Some(mode) = others_mode(&opened).map_err(failed)? {
                return Err(KeyFileError::Mode { file, mode }.into());
            }
            Box::new(opened)
        }
    };
    while let Some(room) = bytes.get_mut(len..).filter(|room| !room.is_empty()) {
        match stream.read(room) {
            Ok(0) => break,
            Ok(got) => len = len.saturating_add(got),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(failed(source).into()),
        }
    }
    let mut key = SecretKey::default();
    match bytes.get(..len).filter(|bytes| bytes.len() == key.len()) {
        Some(bytes) => key.copy_from_slice(bytes),
        None => return Err(KeyFileError::Length { file, len }.into()),
    }
    Ok(key)
}

/// The mode of a regular file to which others than its owner have access.
#[cfg(unix)]
fn others_mode(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o7777;
    Ok(Some(mode).filter(|mode| metadata.is_file() && mode & 0o077 != 0))
}

#[cfg(not(unix))]
fn others_mode(_: &File) -> io::Result<Option<u32>> {
    Ok(None)
}
