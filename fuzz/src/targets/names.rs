//! Names and paths: what is encoded decodes to the same, what decodes is what would have been encoded.

use ekv_dump::keymap::KeymapKind;
use ekv_dump::portable::NameFaults;
use ekv_dump::s3_name;
use ekv_dump::segment::{
    Decoded, Encoding, SEGMENT_LEN_MAX, component, decode_component, decode_segment, encode_binary_segment_into,
    encode_segment, encode_segment_into, has_fallback_shape,
};
use ekv_files::{COMPONENT_LEN_MAX, DumpPath};

pub(super) fn run(bytes: &[u8]) {
    encoded(bytes);
    decoded(bytes);
    object_keys(bytes);
    paths(bytes);
    let _ = NameFaults::of(bytes).any();
}

/// The bytes as a raw key.
fn encoded(raw: &[u8]) {
    let mut name = Vec::new();
    let encoding = encode_segment_into(raw, &mut name);
    check_form(&name);
    match (encoding, decode_segment(&name).expect("an encoded name decodes")) {
        (Encoding::Percent, Decoded::Raw(decoded)) => assert_eq!(decoded, raw),
        (Encoding::Fallback, Decoded::Fallback) => assert!(has_fallback_shape(&name)),
        other => panic!("{}: {other:?}", name.escape_ascii()),
    }

    let name = component(raw);
    check_form(&name);
    assert!(name != b"." && name != b"..");
    assert_eq!(name.is_empty(), raw.is_empty());
    match decode_component(&name) {
        Ok(Decoded::Raw(decoded)) => assert_eq!(decoded, raw),
        Ok(other) => assert_eq!(other, Decoded::Fallback),
        Err(error) => assert!(raw.is_empty(), "an encoded component decodes: {error}"),
    }

    let mut name = Vec::new();
    let encoding = encode_binary_segment_into(raw, &mut name);
    check_form(&name);
    match (encoding, decode_segment(&name).expect("an encoded name decodes")) {
        (Encoding::Binary, Decoded::Binary(decoded)) => assert_eq!(decoded, raw),
        (Encoding::Fallback, Decoded::Fallback) => {}
        other => panic!("{}: {other:?}", name.escape_ascii()),
    }
}

fn check_form(name: &[u8]) {
    assert!(name.len() <= SEGMENT_LEN_MAX && !name.iter().any(|byte| matches!(byte, b'/' | 0 | b'\\')));
}

/// The bytes as a name in a dump.
fn decoded(name: &[u8]) {
    match decode_segment(name) {
        Ok(Decoded::Raw(raw)) => assert_eq!(encode_segment(&raw), name),
        Ok(Decoded::Binary(raw)) => {
            let mut again = Vec::new();
            encode_binary_segment_into(&raw, &mut again);
            assert_eq!(again, name);
        }
        Ok(Decoded::Fallback) => assert!(has_fallback_shape(name)),
        Err(_) => {}
    }
    if let Ok(Decoded::Raw(raw)) = decode_component(name) {
        assert_eq!(component(&raw), name);
    }
}

/// The bytes as an S3 key: wherever it goes, the path stays inside the dump and the sidecar's name fits.
fn object_keys(key: &[u8]) {
    if s3_name::check_natural_key(key).is_ok() {
        let path = DumpPath::new(key).expect("a natural key is a path");
        assert_eq!(path.as_bytes(), key);
        if !key.ends_with(s3_name::META_SUFFIX) {
            let sidecar = [key, s3_name::META_SUFFIX].concat();
            DumpPath::new(&sidecar).expect("the sidecar of a natural key is a path");
        }
    }
    let fallback = DumpPath::new(&s3_name::object_fallback(key)).expect("a fallback is a path");
    assert_eq!(fallback.components().count(), 1);
    assert!(!fallback.as_bytes().ends_with(s3_name::META_SUFFIX) && !s3_name::is_reserved(fallback.as_bytes()));
    for kind in KeymapKind::ALL {
        let _ = s3_name::renamed_path(key, kind);
    }
}

/// The bytes as a path: what is accepted cannot leave the root.
fn paths(bytes: &[u8]) {
    let Ok(path) = DumpPath::new(bytes) else { return };
    assert_eq!(path.as_bytes(), bytes);
    for component in path.components() {
        assert!(!component.is_empty() && component != b"." && component != b"..");
        assert!(component.len() <= COMPONENT_LEN_MAX && !component.contains(&0) && !component.contains(&b'/'));
    }
}
