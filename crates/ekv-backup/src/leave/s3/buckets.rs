//! Buckets before the first object is written into them.

use ekv_aws::s3::{self, Attributes, Put};
use ekv_aws::{Client, Content, Error as AwsError, FaultKind};
use ekv_model::s3::Bucket;
use ekv_model::{Class, Error, Result};

use super::limits;
use crate::leave::aws::{AwsLoadOptions, failed, rename};
use crate::leave::checkpoint::{Checkpoint, Met};

/// What a bucket is readable for that everybody may read.
const PUBLIC_READ: &str = "public-read";
/// How the service calls a bucket that is ours already.
const OURS_ALREADY: &str = "BucketAlreadyOwnedByYou";

/// A bucket that is written to.
pub(crate) struct OpenBucket {
    /// Its name on the target.
    pub(crate) name: String,
    /// Whether the service has buckets of that name; else nothing of it can go.
    pub(crate) is_fit: bool,
    /// Whether all that is in it comes from this load.
    pub(crate) is_own: bool,
    /// Whether the load made it.
    pub(crate) is_new: bool,
    /// What the service does not do for it.
    pub(crate) warning: Option<String>,
}

/// Finds or creates a bucket.
///
/// # Errors
/// It is not there and may not be created; it is another one than a run before had; those of the service.
pub(crate) fn open_bucket(
    client: &Client,
    bucket: &Bucket<'_>,
    options: &AwsLoadOptions,
    checkpoint: Option<&mut Checkpoint>,
) -> Result<OpenBucket> {
    let name = rename(&options.renames, bucket.name).to_owned();
    let mut opened = OpenBucket { name, is_fit: false, is_own: false, is_new: false, warning: None };
    if !limits::is_bucket_name(&opened.name) {
        return Ok(opened);
    }
    opened.is_fit = true;
    let name = opened.name.as_str();
    opened.is_new = !s3::has_bucket(client, name).map_err(failed)?;
    if opened.is_new {
        if !options.creates {
            let text = format!("bucket {name} is not there, and --no-create does not allow to make it");
            return Err(Error::new(Class::Environment, text));
        }
        create(client, name)?;
        let acl = bucket.record.map_or("", |record| record.acl);
        if acl == PUBLIC_READ
            && let Err(error) = s3::set_bucket_acl(client, name, acl)
        {
            opened.warning = Some(format!("bucket {name} was readable for everybody, and is not: {error}"));
        }
    }
    opened.is_own = opened.is_new || s3::list(client, name, "", None).map_err(failed)?.objects.is_empty();
    if let Some(checkpoint) = checkpoint {
        let id = s3::creation_date(client, name).map_err(failed)?.unwrap_or_default();
        match checkpoint.met().get(name) {
            Some(before) if before.id != id => {
                let text = format!("bucket {name} was deleted and made anew since. Begin anew, without --resume");
                return Err(checkpoint.refuse(&text));
            }
            Some(before) => opened.is_own = before.is_own,
            None => checkpoint.meet(name.to_owned(), Met { id, is_own: opened.is_own }),
        }
        checkpoint.write()?;
    }
    Ok(opened)
}

fn create(client: &Client, name: &str) -> Result<()> {
    match s3::create_bucket(client, name) {
        Err(AwsError::Refused { fault, .. }) if fault.code == OURS_ALREADY => Ok(()),
        created => created.map_err(failed),
    }
}

/// Finds out with a throw-away key whether the server keeps what is there where it is told to.
///
/// # Errors
/// It does not; those of the service.
pub(crate) fn probe(client: &Client, bucket: &str, run: &str) -> Result<()> {
    let key = probe_key(run);
    let attributes = Attributes { headers: Vec::new(), must_be_new: true };
    let put = || s3::put_object(client, bucket, &key, &attributes, Content::EMPTY).map(|done| done.value);
    let overwrites = || {
        let text = "this server overwrites an object although it is told not to: only --on-exists replace goes with it";
        Error::new(Class::Environment, text)
    };
    let is_kept = match (put(), put()) {
        (Ok(_), Ok(Put::Exists)) => Ok(()),
        (Ok(_), Ok(Put::Written { .. })) => Err(overwrites()),
        (Err(error), _) | (_, Err(error)) => match error.fault().map(ekv_aws::Fault::kind) {
            Some(FaultKind::Refused) => Err(overwrites()),
            _ => Err(failed(error)),
        },
    };
    let deleted = s3::delete_object(client, bucket, &key).map_err(failed);
    is_kept.and(deleted)
}

/// The key that a run tries.
pub(crate) fn probe_key(run: &str) -> String {
    format!(".ekv-backup-probe-{run}")
}
