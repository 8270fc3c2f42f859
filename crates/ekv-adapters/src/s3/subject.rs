//! What a record belongs to.

use ekv_model::Protocol;

use super::keys::names_of;
use crate::Family;
use crate::adapter::Subject;

/// The bucket or object of a record.
pub(super) fn subject<'k>(family: Family, _: &'k [u8], rest: &'k [u8]) -> Option<Subject<'k>> {
    let (bucket, object) = names_of(family, rest)?;
    Some(Subject::of(Protocol::S3, &bucket, object))
}
