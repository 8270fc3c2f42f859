use ekv_text::hex::hex;

use super::*;

fn hex_bytes(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Bucket `bucket-one`, generation 1.
const HEAD: &str = "6275636b65742d6f6e6500010000000000000001";

#[test]
fn real_chunk_key_is_read_and_built() {
    let tail = ["6d756c74692e62696e0001", &hex(b"6a8bd3fee33c580a8dbf65db7c8a70d6"), "0001"].concat();
    let numbers = "0000000000000001000000000000000501a203c3171c0003";
    let rest = hex_bytes(&[HEAD, &tail, numbers].concat());
    let key = ChunkKey::parse(&rest).unwrap();
    assert_eq!(unescape(key.object.bucket), b"bucket-one");
    assert_eq!(key.object.generation, 1);
    assert_eq!(unescape(key.object.object), b"multi.bin");
    assert_eq!(unescape(key.upload), b"6a8bd3fee33c580a8dbf65db7c8a70d6");
    assert_eq!(key.place, ChunkPlace { part_no: 1, chunk_no: 5, version: 117660676706271235 });
    let mut built = Vec::new();
    put_chunk(&mut built, Family::S3Blob, key.object.group, key.upload, key.place);
    assert_eq!(built, [b"!s3|blob|".as_slice(), &rest].concat());
    put_chunk(&mut built, Family::S3Blob, key.object.group, key.upload, ChunkPlace { version: 0, ..key.place });
    assert_eq!(built.len(), b"!s3|blob|".len() + rest.len() - 8);
}

#[test]
fn names_with_any_bytes_come_back_and_sort_like_the_names() {
    let names: [&[u8]; 9] = [b"", b"\0", b"\0\0", b"\0\x01", b"\0\xff", b"a", b"a\0", b"a\0b", b"\xff\xfe"];
    let mut segments = Vec::new();
    for name in names {
        let mut segment = Vec::new();
        push_segment(name, &mut segment);
        assert_eq!(unescape(&segment), name);
        let followed = [&segment[..], b"\0\x01rest"].concat();
        assert_eq!(split_segment(&followed), Ok((&segment[..], &b"\0\x01rest"[..])));
        segments.push(segment);
    }
    assert!(names.is_sorted() && segments.is_sorted());
}

#[test]
fn keys_of_all_families_are_read_and_anything_else_is_malformed() {
    let mut group = Vec::new();
    put_group(&mut group, "b", 7, b"k\0ey");
    let mut whole = Vec::new();
    put_object(&mut whole, &group);
    assert_eq!(whole, [b"!s3|obj|head|".as_slice(), &group].concat());
    let object = group.as_slice();
    let key = ObjectKey::parse(object).unwrap();
    assert_eq!((key.generation, unescape(key.object).as_slice(), key.group), (7, &b"k\0ey"[..], object));

    let upload = [object, b"u\0\x01"].concat();
    assert_eq!(UploadKey::parse(Family::S3Upload, &upload).unwrap().part_no, None);
    assert!(UploadKey::parse(Family::S3UploadPart, &upload).is_err());
    let part = [&upload[..], &3_u64.to_be_bytes()].concat();
    assert_eq!(UploadKey::parse(Family::S3UploadPart, &part).unwrap().part_no, Some(3));
    assert!(UploadKey::parse(Family::S3Upload, &part).is_err());
    assert!(ObjectKey::parse(&part).is_err());

    let chunk = [&part[..], &4_u64.to_be_bytes()].concat();
    assert_eq!(ChunkKey::parse(&chunk).unwrap().place, ChunkPlace { part_no: 3, chunk_no: 4, version: 0 });
    let versioned = [&chunk[..], &5_u64.to_be_bytes()].concat();
    for rest in [&chunk, &versioned] {
        for cut in 0..rest.len() {
            let parsed = ChunkKey::parse(&rest[..cut]);
            assert_eq!(parsed.is_ok(), cut == chunk.len(), "cut {cut}");
        }
    }
    assert!(ChunkKey::parse(&[&versioned[..], b"x"].concat()).is_err());
    assert!(ChunkKey::parse(&[&chunk[..], &[0; 8]].concat()).is_err(), "a version 0 is not written");
}

#[test]
fn names_that_no_server_accepts_are_malformed() {
    for rest in [&b""[..], b"\0\x01", b"a", b"a\0", b"a\0\x02", b"a\0\x01x", b"\xff\0\x01", b"a\0\xffb\0\x01"] {
        assert_eq!(parse_bucket(rest), Err(MalformedKey), "{}", rest.escape_ascii());
    }
    assert_eq!(parse_bucket(b"..\0\x01"), Ok(&b"..\0\x01"[..]));
}

#[test]
fn digests_are_64_lower_case_hex_digits() {
    let digest: ChunkDigest = std::array::from_fn(|i| u8::try_from(i * 8).unwrap());
    let mut key = Vec::new();
    put_chunk_blob(&mut key, &digest);
    let rest = &key[Family::S3ChunkBlob.prefix().len()..];
    assert_eq!(parse_digest(rest), Ok(digest));
    for bad in [&rest[1..], &[rest, b"0"].concat(), &rest.to_ascii_uppercase(), &[b"g", &rest[1..]].concat()] {
        assert_eq!(parse_digest(bad), Err(MalformedKey));
    }
}
