//! Where a payload grows before it has a name.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ekv_files::DumpPath;
use ekv_files::sink::{DirOptions, DrySink, Published, Sink, StagedFiles};
use ekv_model::Result;
use ekv_spill::Scratch;

/// Index of the payload among the staged files.
pub(super) const PAYLOAD: usize = 0;
/// Index of the info file, whose name says that both are there.
pub(super) const INFO: usize = 1;

/// Files that are written in private, can be read back, and get their names together.
pub(crate) trait Stage {
    /// Begins the file with this index.
    fn begin(&mut self, index: usize) -> ekv_files::Result<()>;
    /// Adds bytes to the open file.
    fn write(&mut self, bytes: &[u8]) -> ekv_files::Result<()>;
    /// Ends the open file.
    fn end(&mut self) -> ekv_files::Result<()>;
    /// Opens a file that was written.
    fn open_staged(&mut self, index: usize) -> ekv_files::Result<File>;
    /// Path under which the file with this index is published, for messages.
    fn target(&self, index: usize) -> String;
    /// Scratch files that vanish with the stage.
    fn scratch(&self) -> Arc<dyn Scratch>;
    /// Gives the files their names.
    fn publish(self: Box<Self>) -> ekv_files::Result<Published>;
    /// Removes everything.
    fn abort(self: Box<Self>) -> ekv_files::Result<()>;
}

impl Stage for StagedFiles {
    fn begin(&mut self, index: usize) -> ekv_files::Result<()> {
        StagedFiles::begin(self, index)
    }
    fn write(&mut self, bytes: &[u8]) -> ekv_files::Result<()> {
        StagedFiles::write(self, bytes)
    }
    fn end(&mut self) -> ekv_files::Result<()> {
        StagedFiles::end(self)
    }
    fn open_staged(&mut self, index: usize) -> ekv_files::Result<File> {
        StagedFiles::open_staged(self, index)
    }
    fn target(&self, index: usize) -> String {
        StagedFiles::target(self, index).unwrap_or_default()
    }
    fn scratch(&self) -> Arc<dyn Scratch> {
        StagedFiles::scratch(self)
    }
    fn publish(self: Box<Self>) -> ekv_files::Result<Published> {
        StagedFiles::publish(*self)
    }
    fn abort(self: Box<Self>) -> ekv_files::Result<()> {
        StagedFiles::abort(*self)
    }
}

impl Stage for DrySink {
    fn begin(&mut self, index: usize) -> ekv_files::Result<()> {
        Sink::begin(self, &path_of(index)?)
    }
    fn write(&mut self, bytes: &[u8]) -> ekv_files::Result<()> {
        Sink::write(self, bytes)
    }
    fn end(&mut self) -> ekv_files::Result<()> {
        Sink::end(self)
    }
    fn open_staged(&mut self, index: usize) -> ekv_files::Result<File> {
        DrySink::open_staged(self, &path_of(index)?)
    }
    fn target(&self, _: usize) -> String {
        self.place().to_owned()
    }
    fn scratch(&self) -> Arc<dyn Scratch> {
        Sink::scratch(self)
    }
    fn publish(self: Box<Self>) -> ekv_files::Result<Published> {
        Sink::publish(self)
    }
    fn abort(self: Box<Self>) -> ekv_files::Result<()> {
        Sink::abort(self)
    }
}

fn path_of(index: usize) -> ekv_files::Result<DumpPath> {
    Ok(DumpPath::new(index.to_string().as_bytes())?)
}

/// Files at `targets`; for a dry run in `dry` alone.
pub(super) fn begin_stage(
    targets: &[&Path],
    options: DirOptions,
    dry: Option<Arc<dyn Scratch>>,
) -> Result<Box<dyn Stage>> {
    Ok(match (dry, targets) {
        (Some(scratch), [payload, ..]) => Box::new(DrySink::keeping(payload.display().to_string(), scratch)),
        _ => Box::new(StagedFiles::create(targets, options)?),
    })
}

/// Writes one staged file through the functions of [`io::Write`] and keeps the stage's own error.
struct FileWriter<'s> {
    stage: &'s mut dyn Stage,
    error: Option<ekv_files::Error>,
}

impl io::Write for FileWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stage.write(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.error = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the whole file with this index; an error of the stage comes as it is.
pub(super) fn write_file<T>(
    stage: &mut dyn Stage,
    index: usize,
    write: impl FnOnce(&mut dyn io::Write) -> Result<T>,
) -> Result<T> {
    stage.begin(index)?;
    let mut writer = FileWriter { stage, error: None };
    let written = write(&mut writer);
    if let Some(error) = writer.error {
        return Err(error.into());
    }
    let written = written?;
    stage.end()?;
    Ok(written)
}
