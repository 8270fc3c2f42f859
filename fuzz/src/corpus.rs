//! Inputs on disk: a packed corpus per target, and finds.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Target, package_dir};

/// The minimised corpus of a target: a compressed archive with one file per input.
pub fn archive(target: &Target) -> PathBuf {
    package_dir().join("corpus").join(format!("{}.tar.zst", target.name))
}

/// The folder with the finds of a target, each named after what it showed; there is none if there were no finds.
pub fn finds(target: &Target) -> PathBuf {
    package_dir().join("finds").join(target.name)
}

/// The inputs of the packed corpus and the finds, by name.
///
/// # Errors
/// If they cannot be read.
pub fn load(target: &Target) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut inputs = BTreeMap::new();
    let archive = archive(target);
    if archive.exists() {
        let mut packed = tar::Archive::new(zstd::Decoder::new(File::open(&archive)?)?);
        for entry in packed.entries()? {
            let mut entry = entry?;
            let name = entry.path()?.display().to_string();
            let mut input = Vec::new();
            entry.read_to_end(&mut input)?;
            inputs.insert(name, input);
        }
    }
    let finds = finds(target);
    if finds.exists() {
        for entry in fs::read_dir(finds)? {
            let path = entry?.path();
            inputs.insert(path.display().to_string(), fs::read(&path)?);
        }
    }
    Ok(inputs)
}

/// Writes the packed corpus, the finds and the seeds into a directory, one file per input; returns their number.
///
/// # Errors
/// If they cannot be read or written.
pub fn unpack(target: &Target, directory: &Path) -> io::Result<usize> {
    fs::create_dir_all(directory)?;
    let inputs = load(target)?.into_values().chain((target.seeds)());
    let mut count = 0;
    for input in inputs.filter(|input| input.len() <= target.len_max) {
        fs::write(directory.join(name(&input)), &input)?;
        count += 1;
    }
    Ok(count)
}

/// Packs the files of a directory as the corpus of a target; the shortest first, as long as there is room.
///
/// # Errors
/// If they cannot be read or written.
pub fn pack(target: &Target, directory: &Path, bytes_max: usize) -> io::Result<usize> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(directory)? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let path = archive(target);
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let mut archive = tar::Builder::new(zstd::Encoder::new(File::create(&path)?, 19)?);
    let (mut count, mut bytes) = (0, 0);
    for input in inputs {
        bytes += input.len();
        if bytes > bytes_max {
            break;
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(input.len()).unwrap_or(u64::MAX));
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, name(&input), &input[..])?;
        count += 1;
    }
    archive.into_inner()?.finish()?;
    Ok(count)
}

/// A name that depends on the content alone.
fn name(input: &[u8]) -> String {
    Sha256::digest(input).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
