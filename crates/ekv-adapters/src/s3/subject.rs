//! What a record belongs to.

use ekv_model::{Name, Protocol};

use super::keys::{names_of, push_segment};
use crate::Family;
use crate::adapter::Subject;

/// The bucket or object of a record.
pub(super) fn subject<'k>(family: Family, _: &'k [u8], rest: &'k [u8]) -> Option<Subject<'k>> {
    let (bucket, object) = names_of(family, rest)?;
    Some(Subject::of(Protocol::S3, &bucket, object))
}

/// What the keys of the records of a bucket begin with.
pub(super) fn beginnings(_: Family, name: &Name) -> Vec<Vec<u8>> {
    let mut segment = Vec::new();
    push_segment(&name.scope, &mut segment);
    vec![segment]
}
