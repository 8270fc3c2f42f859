//! Options about encrypted values.

use std::path::PathBuf;

use clap::Args;

/// Where the keys of encrypted values are.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct KeyArguments {
    /// Read encrypted values with the keys of a server: the file of its flag -encryptionSidecarPath, such as keys.json
    ///
    /// The newest one of a cluster opens all older snapshots. It is not in the snapshot: keep it, and the KEK file, apart from the
    /// backups. A key in it that does not open is an error. What is written of decrypted values is not encrypted.
    #[arg(long, value_name = "FILE", requires = "kek_file", help_heading = "Encrypted values")]
    pub(crate) encryption_keys: Option<PathBuf>,
    /// The key that wraps those of --encryption-keys: the file of the server's flag -kekFile, or - for standard input
    ///
    /// 32 bytes that nobody but the owner can read. A pipe such as /dev/fd/3 or <(COMMAND) keeps it off the disk.
    #[arg(long, value_name = "FILE", requires = "encryption_keys", help_heading = "Encrypted values")]
    pub(crate) kek_file: Option<PathBuf>,
    /// Read values that are encrypted with data key ID, which is the 32 bytes of FILE; may be given several times
    ///
    /// For data keys that were unwrapped by other means, such as a key management service.
    #[arg(long = "data-key", value_name = "ID=FILE", value_parser = parse_data_key, help_heading = "Encrypted values")]
    pub(crate) data_keys: Vec<(u32, PathBuf)>,
}

fn parse_data_key(text: &str) -> Result<(u32, PathBuf), String> {
    let (id, file) = text.split_once('=').ok_or("expected ID=FILE, such as 11=key11.bin")?;
    let number = id.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == id);
    let number = number.ok_or_else(|| format!("{id:?} is not the id of a data key, which is a number from 1 on"))?;
    match file.is_empty() {
        true => Err("no file is named".to_owned()),
        false => Ok((number, PathBuf::from(file))),
    }
}
