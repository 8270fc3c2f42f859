//! Names of S3 objects in files: which keys can be paths, and what the others are called.
//!
//! Source: `docs/format/tree.md`, section 4.

use ekv_files::DumpPath;
use ekv_files::path::COMPONENT_LEN_MAX;

use crate::keymap::{KeymapKind, KeymapRecord};
use crate::segment::{has_fallback_shape, sha_fallback};

/// File of a bucket's own record.
pub const BUCKET_FILE: &str = "_bucket.json";

/// Directory of unfinished uploads in a bucket.
pub const INCOMPLETE_UPLOADS_DIRECTORY: &str = "_incomplete_uploads";

/// File of the records of unfinished uploads in their directory.
pub const UPLOAD_RECORDS_FILE: &str = "records.jsonl";

/// Directory of parts without an object in a bucket.
pub const ORPHANS_DIRECTORY: &str = "_orphans";

/// Suffix of the file with an object's metadata.
pub const META_SUFFIX: &[u8] = b".elastickv-meta.json";

/// Suffix of an object whose natural path is a directory.
pub const LEAF_SUFFIX: &[u8] = b".elastickv-leaf-data";

/// Suffix of an object whose key ends in [`META_SUFFIX`].
pub const USER_SUFFIX: &[u8] = b".user-data";

/// Longest key that has a natural path, in bytes.
const NATURAL_KEY_LEN_MAX: usize = 1024;

/// Why a key cannot be its own path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UnnaturalKey {
    /// The key or a component is empty.
    #[error("it has an empty component")]
    EmptyComponent,
    /// A component is `.` or `..`.
    #[error("it has the component . or ..")]
    DotComponent,
    /// NUL or backslash.
    #[error("it has a NUL or a backslash")]
    ForbiddenByte,
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A component leaves no room for itself or, if it is the last, for the sidecar's suffix.
    #[error("a component is too long")]
    LongComponent,
    /// The first component is a reserved name.
    #[error("it begins with a reserved name")]
    ReservedName,
    /// The first component looks like a fallback.
    #[error("it begins like a fallback name")]
    FallbackShape,
    /// A component other than the last ends in [`META_SUFFIX`].
    #[error("a directory ends like a metadata file")]
    MetaSuffixDirectory,
    /// More than 1024 bytes.
    #[error("it has more than 1024 bytes")]
    LongKey,
}

/// Whether a key can be its own path, apart from other keys (section 4, step 2). A key that ends in [`META_SUFFIX`] passes here and is
/// renamed in step 3.
///
/// # Errors
/// The first condition that keeps it from being one.
pub fn check_natural_key(key: &[u8]) -> Result<(), UnnaturalKey> {
    if key.iter().any(|byte| matches!(byte, 0 | b'\\')) {
        return Err(UnnaturalKey::ForbiddenByte);
    }
    if std::str::from_utf8(key).is_err() {
        return Err(UnnaturalKey::NotUtf8);
    }
    if key.len() > NATURAL_KEY_LEN_MAX {
        return Err(UnnaturalKey::LongKey);
    }
    let mut components = key.split(|byte| *byte == b'/').peekable();
    let mut is_first = true;
    while let Some(component) = components.next() {
        let is_last = components.peek().is_none();
        let len_max = if is_last { COMPONENT_LEN_MAX - META_SUFFIX.len() } else { COMPONENT_LEN_MAX };
        match component {
            b"" => return Err(UnnaturalKey::EmptyComponent),
            b"." | b".." => return Err(UnnaturalKey::DotComponent),
            _ if component.len() > len_max => return Err(UnnaturalKey::LongComponent),
            _ if is_first && is_reserved(component) => return Err(UnnaturalKey::ReservedName),
            _ if is_first && has_fallback_shape(component) => return Err(UnnaturalKey::FallbackShape),
            _ if !is_last && component.ends_with(META_SUFFIX) => return Err(UnnaturalKey::MetaSuffixDirectory),
            _ => is_first = false,
        }
    }
    Ok(())
}

/// Whether a name in a bucket's directory belongs to the dump itself.
pub fn is_reserved(name: &[u8]) -> bool {
    let reserved = [BUCKET_FILE, crate::keymap::KEYMAP_FILE, INCOMPLETE_UPLOADS_DIRECTORY, ORPHANS_DIRECTORY];
    reserved.iter().any(|reserved| reserved.as_bytes() == name)
}

/// The fallback name of an object: never that of a sidecar (section 4, step 6).
pub fn object_fallback(key: &[u8]) -> Vec<u8> {
    let mut name = sha_fallback(key);
    if name.ends_with(META_SUFFIX) {
        name.extend_from_slice(USER_SUFFIX);
    }
    name
}

/// The path that a KEYMAP record of a kind gives to a key; `None` if the kind does not fit the key.
pub fn renamed_path(key: &[u8], kind: KeymapKind) -> Option<Vec<u8>> {
    match kind {
        KeymapKind::ShaFallback => Some(object_fallback(key)),
        KeymapKind::S3LeafData => (!key.is_empty()).then(|| [key, LEAF_SUFFIX].concat()),
        KeymapKind::MetaSuffixRename => key.ends_with(META_SUFFIX).then(|| [key, USER_SUFFIX].concat()),
    }
}

/// The path of an object inside its bucket.
pub(crate) fn object_path(key: &[u8], kind: Option<KeymapKind>) -> Vec<u8> {
    kind.and_then(|kind| renamed_path(key, kind)).unwrap_or_else(|| key.to_vec())
}

/// What is the matter with a KEYMAP record that is well formed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// No renamed object can have the path.
    #[error("the path in encoded cannot be that of a renamed object")]
    Path,
    /// The key is renamed to something else.
    #[error("the key in original does not have the path in encoded")]
    Original,
}

/// Checks that a KEYMAP record renames an object as the format does. Source: `docs/format/tree.md`, sections 3.2 and 4.
pub(crate) fn check_record(record: &KeymapRecord) -> Result<(), RecordFault> {
    let encoded = record.encoded.as_bytes();
    let first = encoded.split(|byte| *byte == b'/').next().unwrap_or_default();
    if DumpPath::new(encoded).is_err()
        || encoded.contains(&b'\\')
        || encoded.ends_with(META_SUFFIX)
        || is_reserved(first)
    {
        return Err(RecordFault::Path);
    }
    match renamed_path(&record.original, record.kind) {
        Some(path) if path == encoded => Ok(()),
        _ => Err(RecordFault::Original),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_cannot_be_paths_get_their_documented_fallback() {
        let known: &[(&[u8], UnnaturalKey, &str)] = &[
            (b"dir/", UnnaturalKey::EmptyComponent, "56aa336ce5e484fd6aa17b4e075d5be3__dir%2F"),
            (b"a//b", UnnaturalKey::EmptyComponent, "7a9acf331a5dc1e020c17901e85936a2__a%2F%2Fb"),
            (b"/a", UnnaturalKey::EmptyComponent, "6a50dc8584134c7de537c0052ff6d236__%2Fa"),
            (b"a/../b", UnnaturalKey::DotComponent, "900ea8b7e0d8fe30857c1bb629272e28__a%2F..%2Fb"),
            (b".", UnnaturalKey::DotComponent, "cdb4ee2aea69cc6a83331bbe96dc2caa__."),
            (b"..", UnnaturalKey::DotComponent, "5ec1f7e700f37c3d0b2981d04855fc34__.."),
            (b"a\\b", UnnaturalKey::ForbiddenByte, "c62016d0f8ee333350283fd879b50b69__a%5Cb"),
            (b"a\0b", UnnaturalKey::ForbiddenByte, "59b271ae1bbcb1d31d41929817f4b16f__a%00b"),
            (b"_bucket.json", UnnaturalKey::ReservedName, "e7b494ff8f7bef050339f83852eadbf4___bucket.json"),
            (b"KEYMAP.jsonl", UnnaturalKey::ReservedName, "77a2c66cc38f37859df6338ea505630e__KEYMAP.jsonl"),
            (b"_orphans/x", UnnaturalKey::ReservedName, "4550c5ab25eb249870a4874caa797c4a___orphans%2Fx"),
            (
                b"_incomplete_uploads/records.jsonl",
                UnnaturalKey::ReservedName,
                "f1f4936d85c0b1cb18b039ad4cf541f1___incomplete_uploads%2Frecords.jsonl",
            ),
            (
                b"x.elastickv-meta.json/y",
                UnnaturalKey::MetaSuffixDirectory,
                "07c572078595e951bb01f114f76409f2__x.elastickv-meta.json%2Fy",
            ),
            (
                b"0123456789abcdef0123456789abcdef__x/y",
                UnnaturalKey::FallbackShape,
                "41a26f76fe4cc402c746cb1c79b3b4b3__0123456789abcdef0123456789abcdef__x%2Fy",
            ),
        ];
        for (key, reason, name) in known {
            assert_eq!(check_natural_key(key), Err(*reason), "{}", key.escape_ascii());
            assert_eq!(object_fallback(key), name.as_bytes());
        }
        assert_eq!(check_natural_key(b""), Err(UnnaturalKey::EmptyComponent));
        assert_eq!(check_natural_key(b"a/\xff"), Err(UnnaturalKey::NotUtf8));
        assert_eq!(object_fallback(b"a"), b"ca978112ca1bbdcafac231b39a23dc4d__a");
    }

    #[test]
    fn lengths_leave_room_for_the_sidecar() {
        let k = |len: usize| "k".repeat(len);
        assert_eq!(check_natural_key(k(235).as_bytes()), Ok(()));
        assert_eq!(check_natural_key(k(236).as_bytes()), Err(UnnaturalKey::LongComponent));
        assert_eq!(check_natural_key(format!("{}/x", k(255)).as_bytes()), Ok(()));
        assert_eq!(check_natural_key(format!("{}/x", k(256)).as_bytes()), Err(UnnaturalKey::LongComponent));
        let deep = vec!["a"; 512].join("/") + "b";
        assert_eq!((deep.len(), check_natural_key(deep.as_bytes())), (1024, Ok(())));
        assert_eq!(check_natural_key(format!("{deep}b").as_bytes()), Err(UnnaturalKey::LongKey));
    }

    #[test]
    fn odd_keys_that_can_be_paths_stay() {
        for key in ["Foo", "CON", "trail.", "a\nb", "x.elastickv-meta.json", "a/KEYMAP.jsonl", "a/_orphans", "é/~"] {
            assert_eq!(check_natural_key(key.as_bytes()), Ok(()), "{key}");
        }
    }

    #[test]
    fn fallbacks_never_look_like_sidecars() {
        let name = object_fallback(b"x//a.elastickv-meta.json");
        assert!(name.ends_with(b"__x%2F%2Fa.elastickv-meta.json.user-data"), "{}", name.escape_ascii());
    }

    #[test]
    fn renames_fit_their_kind() {
        assert_eq!(renamed_path(b"a/b", KeymapKind::S3LeafData).unwrap(), b"a/b.elastickv-leaf-data");
        assert_eq!(
            renamed_path(b"x.elastickv-meta.json", KeymapKind::MetaSuffixRename).unwrap(),
            b"x.elastickv-meta.json.user-data"
        );
        assert_eq!(renamed_path(b"x", KeymapKind::MetaSuffixRename), None);
        assert_eq!(renamed_path(b"", KeymapKind::S3LeafData), None);
    }
}
