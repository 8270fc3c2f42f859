//! Objects of a store: where an archive is written to, and what is read from. The environment says how the store is reached.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use ekv_files::sink::{ExistingTarget, PublishMethod, SinkError, WholeStream};
use ekv_model::{Class, Error, Result};
use ekv_remote::{Download, Mode, Remote, RemoteUrl, S3Remote, Upload, check_create_only};

use crate::leave::aws::access::AwsAccess;
use crate::leave::aws::failure::failed;
use crate::leave::destination::AwsService;

/// An object that is to be written, or read.
#[derive(Clone, Debug)]
pub struct ObjectName {
    /// Its address.
    pub url: RemoteUrl,
    /// How the store is reached.
    pub access: AwsAccess,
    /// What happens if it is there already.
    pub existing: ExistingTarget,
}

impl ObjectName {
    /// The object that an argument names, to be reached as the environment says; `None` if it names none.
    ///
    /// # Errors
    /// An address that is none.
    pub fn of(argument: &Path) -> io::Result<Option<ObjectName>> {
        let Some(text) = argument.to_str().filter(|text| text.starts_with(RemoteUrl::SCHEME)) else { return Ok(None) };
        let url = RemoteUrl::parse(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let (access, existing) = (AwsAccess::default(), ExistingTarget::Refuse);
        Ok(url.map(|url| ObjectName { url, access, existing }))
    }

    fn mode(&self) -> Mode {
        if self.existing == ExistingTarget::Replace { Mode::Replace } else { Mode::Create }
    }

    fn remote(&self) -> Result<Arc<dyn Remote>> {
        let connection = self.access.connect(AwsService::S3)?;
        Ok(Arc::new(S3Remote::new(connection.client, self.url.bucket.clone())))
    }

    /// Checks, before any work, that the object may be written. What is written for that is deleted again.
    ///
    /// # Errors
    /// It is there already; a store that overwrites what must be new; of the connection.
    pub(crate) fn check(&self) -> Result<()> {
        if self.url.is_shelf() {
            let text = format!("{}: name an object in it, such as {}dump.tar.zst", self.url, self.url);
            return Err(Error::new(Class::Environment, text));
        }
        let remote = self.remote()?;
        if self.mode() == Mode::Replace {
            return Ok(());
        }
        if remote.head(&self.url.key).map_err(error)?.is_some() {
            let (path, found) = (self.url.to_string(), Some("an object"));
            return Err(ekv_files::Error::from(SinkError::TargetExists { path, found }).into());
        }
        let folder = self.url.key.rfind('/').and_then(|at| self.url.key.get(..=at)).unwrap_or_default();
        check_create_only(remote.as_ref(), folder).map_err(error)
    }

    /// Begins to write the object; nothing is sent yet.
    ///
    /// # Errors
    /// Of the connection.
    pub(crate) fn begin(&self) -> Result<Box<dyn WholeStream>> {
        let mode = self.mode();
        let upload = Upload::new(self.remote()?, self.url.key.clone(), mode);
        Ok(Box::new(ObjectStream { upload, mode, place: self.url.to_string() }))
    }

    /// Begins to read the object.
    ///
    /// # Errors
    /// It is not there; of the connection.
    pub(crate) fn read(&self) -> io::Result<Download> {
        if self.url.is_shelf() {
            let text = format!("{} names no object, but what the names of objects begin with", self.url);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let of_user = |error: Error| io::Error::new(io::ErrorKind::PermissionDenied, error);
        let remote = self.remote().map_err(of_user)?;
        match remote.head(&self.url.key) {
            Ok(Some(meta)) => Ok(Download::new(remote, self.url.key.clone(), meta)),
            Ok(None) => Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", self.url))),
            Err(failed) => {
                let failed = error(failed);
                Err(if failed.class() == Class::Environment { of_user(failed) } else { io::Error::other(failed) })
            }
        }
    }
}

/// What an error of a store means to the user.
fn error(error: ekv_remote::Error) -> Error {
    let class = match &error {
        ekv_remote::Error::Service { .. } => {
            let ekv_remote::Error::Service { place, source } = error else { return Error::new(Class::WriteIo, error) };
            let failed = failed(source);
            return Error::new(failed.class(), format!("{place}: {failed}"));
        }
        ekv_remote::Error::Changed { .. } => Class::Data,
        ekv_remote::Error::BrokenOff { .. } => Class::WriteIo,
        _ => Class::Environment,
    };
    Error::new(class, error)
}

/// An object that is being written.
struct ObjectStream {
    upload: Upload,
    mode: Mode,
    place: String,
}

impl Write for ObjectStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.upload.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.upload.flush()
    }
}

impl WholeStream for ObjectStream {
    fn publish(self: Box<Self>) -> io::Result<PublishMethod> {
        let ObjectStream { upload, mode, place } = *self;
        match upload.finish() {
            Ok(_) if mode == Mode::Replace => Ok(PublishMethod::ReplacedObject),
            Ok(_) => Ok(PublishMethod::NewObject),
            Err(ekv_remote::Error::Exists { .. }) => {
                Err(io::Error::other(ekv_files::Error::from(SinkError::TargetExists {
                    path: place,
                    found: Some("an object"),
                })))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn abort(self: Box<Self>) -> io::Result<()> {
        Ok(self.upload.abort()?)
    }
}
