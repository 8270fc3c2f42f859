//! A payload and what encode says about it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use ekv_model::Result;
use ekv_snapshot::{FooterPolicy, Input, open_regular_itself};

use super::{EncodeInfo, RestoreError};
use crate::CommandError;
use crate::input_place::InputPlace;

/// A payload that can be restored, if its checks pass. Nothing of it was believed yet.
#[derive(Clone)]
pub struct Payload {
    /// The bytes: the payload alone, or a server file with a version 1 header and a footer around it.
    pub input: Input,
    /// What encode says about it.
    pub info: EncodeInfo,
}

impl Payload {
    /// Opens a payload and reads its info file, which lies beside it unless `encode_info` says otherwise.
    ///
    /// Neither may be a symbolic link: what was checked by name must be what is read.
    ///
    /// # Errors
    /// [`RestoreError::InfoUnreadable`] and [`RestoreError::Info`]; `NotRegular` and `Io` of the payload.
    pub fn open(payload: &Path, encode_info: Option<&Path>) -> Result<Payload> {
        if matches!(InputPlace::of(payload), Ok(InputPlace::StandardInput)) {
            return Err(CommandError::NotSeekable { wanted: "a payload with its info file" }.into());
        }
        let beside = EncodeInfo::path_beside(payload);
        let info = read_info(encode_info.unwrap_or(&beside))?;
        let (file, len) = open_regular_itself(payload)?;
        let name = payload.display().to_string();
        let input = Input { source: Arc::new(file), len, name, footer: FooterPolicy::Optional, token_crc32c: None };
        Ok(Payload { input, info })
    }
}

fn read_info(path: &Path) -> Result<EncodeInfo, RestoreError> {
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    let read = open_info(path).and_then(|file| {
        // One byte more than allowed, so that a longer file is noticed.
        let len_max = u64::try_from(EncodeInfo::LEN_MAX).unwrap_or(u64::MAX);
        Ok(file.take(len_max.saturating_add(1)).read_to_end(&mut bytes)?)
    });
    match read {
        Ok(_) => EncodeInfo::parse(&bytes).map_err(|source| RestoreError::Info { path: shown, source }),
        Err(source) => Err(RestoreError::InfoUnreadable { path: shown, source }),
    }
}

type OpenError = Box<dyn std::error::Error + Send + Sync>;

fn open_info(path: &Path) -> Result<std::fs::File, OpenError> {
    Ok(open_regular_itself(path)?.0)
}
