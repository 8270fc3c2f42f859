//! Forms of old servers. Source: `docs/format/redis.md`, sections 2.1, 2.4, 2.9 and 5.3.

use ekv_adapters::redis::findings;
use ekv_testkit::redis::{RedisRecords, RedisValue, Wide, key, value};

use crate::redis::decoded::{decode, hash, set, string, zset};

const FAR: u64 = 2_000_000_000_000;

#[test]
fn string_without_the_magic_is_its_own_body() {
    for body in [&b""[..], b"\xff", b"\xff\x02\x00x", b"\xff\x00", b"text", b"\0"] {
        let decoded = decode(&RedisRecords::new().put(key::string(b"k"), body));
        assert_eq!(decoded.value(b"k"), &string(body));
        assert_eq!(decoded.expire_at_ms(b"k"), None);
    }
}

#[test]
fn old_body_that_begins_with_the_magic_reads_as_the_server_reads_it() {
    let records =
        RedisRecords::new().put(key::string(b"k"), b"\xff\x01\x00abc").put(key::expiry(b"k"), value::expiry(FAR));
    let decoded = decode(&records);
    assert_eq!((decoded.value(b"k"), decoded.expire_at_ms(b"k")), (&string(b"abc"), None));
}

#[test]
fn collections_in_one_record_come_out_sorted_with_the_last_of_equal_names() {
    let unknown = [value::proto_bytes(9, b"future"), vec![0x78, 0x05], vec![0x7d, 1, 2, 3, 4]].concat();
    let decoded = decode(
        &RedisRecords::new()
            .put(
                key::blob("hash", b"hash"),
                [value::hash_blob(&[(b"b", b"1"), (b"a", b"2"), (b"b", b"3")]), unknown.clone()].concat(),
            )
            .put(key::blob("set", b"set"), [value::set_blob(&[b"y", b"x", b"x", b""]), unknown.clone()].concat())
            .put(
                key::blob("zset", b"zset"),
                [value::zset_blob(&[(b"m", 1.5), (b"l", -1.0), (b"m", 2.5)]), unknown].concat(),
            )
            .put(key::blob("zset", b"no-score"), [b"\0RZ\x01".to_vec(), value::proto_bytes(1, b"\x0a\x01m")].concat())
            .put(key::blob("hash", b"no-fields"), [b"\0RH\x01".to_vec(), value::proto_bytes(1, b"")].concat())
            .put(key::blob("hash", b"empty-hash"), b"")
            .put(key::blob("set", b"empty-set"), b"")
            .put(key::blob("zset", b"empty-zset"), b""),
    );
    assert_eq!(decoded.value(b"hash"), &hash(&[(b"a", b"2"), (b"b", b"3")]));
    assert_eq!(decoded.value(b"set"), &set(&[b"", b"x", b"y"]));
    assert_eq!(decoded.value(b"zset"), &zset(&[(b"l", -1.0), (b"m", 2.5)]));
    assert_eq!(decoded.value(b"no-score"), &zset(&[(b"m", 0.0)]));
    assert_eq!(decoded.value(b"no-fields"), &hash(&[(b"", b"")]));
    assert_eq!(decoded.value(b"empty-hash"), &hash(&[]));
    assert_eq!(decoded.value(b"empty-set"), &set(&[]));
    assert_eq!(decoded.value(b"empty-zset"), &zset(&[]));
    assert_eq!(decoded.found(), []);
}

#[test]
fn collection_in_one_record_counts_until_there_are_elements() {
    let blobs = [
        (Wide::Hash, value::hash_blob(&[(b"old", b"1")]), hash(&[(b"old", b"1")])),
        (Wide::Set, value::set_blob(&[b"old"]), set(&[b"old"])),
        (Wide::ZSet, value::zset_blob(&[(b"old", 1.0)]), zset(&[(b"old", 1.0)])),
    ];
    for (kind, blob, expected) in blobs {
        let records =
            RedisRecords::new().put(key::expiry(b"k"), value::expiry(FAR)).put(key::blob(kind.name(), b"k"), blob);
        let decoded = decode(&records);
        assert_eq!((decoded.value(b"k"), decoded.expire_at_ms(b"k")), (&expected, Some(FAR)));
        for extra in [(kind.meta(b"k"), value::meta(1, FAR - 1)), (kind.delta(b"k", 1, 0), value::delta(4))] {
            let decoded = decode(&records.clone().put(extra.0, extra.1));
            assert_eq!(decoded.value(b"k"), &expected, "metadata alone does not replace it");
            assert_eq!(decoded.found(), []);
        }
        let decoded = decode(&records.put(kind.element(b"k", b"new"), value::score(3.0)));
        let is_new = match decoded.value(b"k") {
            RedisValue::Hash(fields) => fields.keys().eq([b"new"]),
            RedisValue::Set(members) => members.iter().eq([b"new"]),
            RedisValue::ZSet(members) => members.keys().eq([b"new"]),
            _ => false,
        };
        assert!(is_new, "{kind:?}: {:?}", decoded.value(b"k"));
        assert_eq!(decoded.found(), [("redis_superseded_blob", 1)]);
    }
}

#[test]
fn large_values_inside_one_record_come_out_whole() {
    // Larger than any buffer, with a multi-byte character across each buffer's end.
    let text = "aé€😀".repeat(60_000);
    let records = RedisRecords::new()
        .put(key::blob("hash", b"h"), value::hash_blob(&[(b"big", text.as_bytes()), (b"small", b"1")]))
        .put(key::blob("set", b"s"), value::set_blob(&[text.as_bytes(), b"small"]));
    let decoded = decode(&records);
    assert_eq!(decoded.value(b"h"), &hash(&[(b"big", text.as_bytes()), (b"small", b"1")]));
    assert_eq!(decoded.value(b"s"), &set(&[text.as_bytes(), b"small"]));
}

#[test]
fn blob_that_sorts_on_disk_comes_out_in_order() {
    let members: Vec<Vec<u8>> =
        (0_u32..90_000).rev().map(|n| format!("{:064}", n * 7919 % 90_001).into_bytes()).collect();
    let slices: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
    let decoded = decode(&RedisRecords::new().put(key::blob("set", b"k"), value::set_blob(&slices)));
    assert_eq!(decoded.value(b"k"), &set(&slices));
}

#[test]
fn malformed_blob_is_a_loss_only_if_it_is_used() {
    let broken: [&[u8]; 8] = [
        b"\0",
        b"\0RQ\x01",
        b"HRS\x01",
        b"\0RS\x01\x0a\x05abc",
        b"\0RS\x01\x0a",
        b"\0RS\x01\x0a\x01\xff",
        b"\0RS\x01\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\0RS\x01\x02\x00",
    ];
    for blob in broken {
        let records = RedisRecords::new()
            .put(key::blob("set", b"k"), blob)
            .put(key::blob("set", b"sound"), value::set_blob(&[b"m"]));
        let decoded = decode(&records);
        assert_eq!(decoded.names(), [b"sound"], "{}", blob.escape_ascii());
        assert_eq!(decoded.count(findings::INVALID_BLOB), 1);
        let superseded = decode(&records.clone().put(Wide::Set.element(b"k", b"m"), b""));
        assert_eq!(superseded.value(b"k"), &set(&[b"m"]));
        assert_eq!(superseded.losses(), 0);
        let hidden = decode(&records.put(key::string(b"k"), b"s"));
        assert_eq!(hidden.value(b"k"), &string(b"s"));
        assert_eq!(hidden.losses(), 0);
    }
}

#[test]
fn blob_of_another_kind_is_malformed() {
    for (kind, blob) in
        [("hash", value::set_blob(&[])), ("set", value::zset_blob(&[])), ("zset", value::hash_blob(&[]))]
    {
        let decoded = decode(&RedisRecords::new().put(key::blob(kind, b"k"), blob));
        assert_eq!(decoded.found(), [("redis_invalid_blob", 1)], "{kind}");
    }
}
