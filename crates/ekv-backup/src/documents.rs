//! Writes documents of the program, such as its manual pages, into a directory.

use std::path::{Path, PathBuf};

use ekv_files::sink::{DirOptions, StagedFiles};
use ekv_model::Result;

/// Writes each of `documents`, a file name and what it says, into the existing `directory`: all or none. Others may read them.
///
/// # Errors
/// If anything has one of the names, unless `options` say that regular files are replaced; and if a file cannot be written.
pub fn write_documents(directory: &Path, documents: &[(String, Vec<u8>)], options: DirOptions) -> Result<()> {
    let targets: Vec<PathBuf> = documents.iter().map(|(name, _)| directory.join(name)).collect();
    let targets: Vec<&Path> = targets.iter().map(PathBuf::as_path).collect();
    let mut stage = StagedFiles::create(&targets, options)?;
    for (index, (_, text)) in documents.iter().enumerate() {
        stage.begin(index)?;
        stage.write(text)?;
        stage.end()?;
        share(&mut stage, index)?;
    }
    stage.publish()?;
    Ok(())
}

/// Lets others read a file that was written. Some file systems cannot; then it has the mode that they give it.
#[cfg(unix)]
fn share(stage: &mut StagedFiles, index: usize) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let _ = stage.open_staged(index)?.set_permissions(std::fs::Permissions::from_mode(0o644));
    Ok(())
}

#[cfg(not(unix))]
fn share(_: &mut StagedFiles, _: usize) -> Result<()> {
    Ok(())
}
