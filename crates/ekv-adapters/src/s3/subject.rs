//! What a record belongs to.

use ekv_model::{Name, Protocol};

use super::findings;
use super::keys::{names_of, push_segment};
use crate::Family;
use crate::adapter::{Subject, is_one_of};

/// The bucket or object of a record.
pub(super) fn subject<'k>(family: Family, _: &'k [u8], rest: &'k [u8]) -> Option<Subject<'k>> {
    let (bucket, object) = names_of(family, rest)?;
    Some(Subject::of(Protocol::S3, &bucket, object))
}

/// What a finding about a bucket, or about the path of an object, is about.
pub(super) fn culprit(finding: &str, path: &[u8]) -> Option<Name> {
    let mut parts = path.splitn(2, |byte| *byte == b'/');
    let bucket = parts.next().filter(|_| is_one_of(findings::ALL, finding))?;
    Some(Subject::of(Protocol::S3, bucket, parts.next().map(<[u8]>::to_vec)).name)
}

/// What the keys of the records of a bucket begin with.
pub(super) fn beginnings(_: Family, name: &Name) -> Vec<Vec<u8>> {
    let mut segment = Vec::new();
    push_segment(&name.scope, &mut segment);
    vec![segment]
}
