//! Strings and HyperLogLogs of current servers.

use ekv_adapters::redis::{BareKeys, Options, findings};
use ekv_adapters::{Family, Outcome};
use ekv_model::redis::ExpiryOrigin;
use ekv_testkit::redis::{RedisRecords, RedisValue, key, value};

use crate::redis::decoded::{decode, decode_with, string};

const FAR: u64 = 2_000_000_000_000;

#[test]
fn current_string_gives_its_body_and_its_own_expiry() {
    let decoded = decode(
        &RedisRecords::new()
            .put(key::string(b"plain"), value::string(b"body", None))
            .put(key::string(b"empty"), value::string(b"", None))
            .put(key::string(b"expiring"), value::string(b"body", Some(FAR)))
            .put(key::expiry(b"expiring"), value::expiry(FAR)),
    );
    assert_eq!(decoded.value(b"plain"), &string(b"body"));
    assert_eq!(decoded.value(b"empty"), &string(b""));
    assert_eq!(decoded.value(b"expiring"), &string(b"body"));
    assert_eq!(decoded.expire_at_ms(b"plain"), None);
    assert_eq!(decoded.expire_at_ms(b"expiring"), Some(FAR));
    assert_eq!(decoded.keys[b"expiring".as_slice()].expiry_origin, Some(ExpiryOrigin::Inline));
    assert_eq!(decoded.found(), []);
}

#[test]
fn only_the_lowest_flag_bit_says_that_an_expiry_follows() {
    let decoded = decode(
        &RedisRecords::new()
            .put(key::string(b"fe"), b"\xff\x01\xfebody")
            .put(key::string(b"ff"), [b"\xff\x01\xff", &FAR.to_be_bytes()[..], b"body"].concat()),
    );
    assert_eq!((decoded.value(b"fe"), decoded.expire_at_ms(b"fe")), (&string(b"body"), None));
    assert_eq!((decoded.value(b"ff"), decoded.expire_at_ms(b"ff")), (&string(b"body"), Some(FAR)));
}

#[test]
fn hll_payload_is_the_same_bytes_with_and_without_envelope_and_expiry() {
    let payload = value::set_blob(&[b"a", b"b"]);
    let decoded = decode(
        &RedisRecords::new()
            .put(key::hll(b"current"), value::hll(&payload, None))
            .put(key::hll(b"expiring"), value::hll(&payload, Some(FAR)))
            .put(key::hll(b"old"), &payload)
            .put(key::hll(b"old-expiring"), &payload)
            .put(key::expiry(b"old-expiring"), value::expiry(FAR))
            .put(key::hll(b"empty"), b""),
    );
    for (name, expire_at_ms) in
        [(&b"current"[..], None), (b"expiring", Some(FAR)), (b"old", None), (b"old-expiring", Some(FAR))]
    {
        assert_eq!(decoded.value(name), &RedisValue::Hll(payload.clone()));
        assert_eq!(decoded.expire_at_ms(name), expire_at_ms);
    }
    assert_eq!(decoded.value(b"empty"), &RedisValue::Hll(Vec::new()));
    assert_eq!(decoded.found(), []);
}

#[test]
fn value_with_a_header_never_takes_its_expiry_from_the_index() {
    let decoded = decode(
        &RedisRecords::new()
            .put(key::string(b"s"), value::string(b"body", None))
            .put(key::expiry(b"s"), value::expiry(FAR))
            .put(key::hll(b"h"), value::hll(b"", None))
            .put(key::expiry(b"h"), value::expiry(FAR))
            .put(key::string(b"own"), value::string(b"body", Some(FAR)))
            .put(key::expiry(b"own"), value::expiry(FAR + 1)),
    );
    assert_eq!(decoded.expire_at_ms(b"s"), None);
    assert_eq!(decoded.expire_at_ms(b"h"), None);
    assert_eq!(decoded.expire_at_ms(b"own"), Some(FAR));
    assert_eq!(decoded.outcome(Family::RedisExpiry, Outcome::Joined), 3);
    assert_eq!(decoded.found(), []);
}

#[test]
fn unknown_hll_payload_is_written_as_stored_and_told() {
    let decoded = decode(&RedisRecords::new().put(key::hll(b"h"), value::hll(b"HYLL", None)));
    assert_eq!(decoded.value(b"h"), &RedisValue::Hll(b"HYLL".to_vec()));
    assert_eq!(decoded.found(), [("redis_hll_unrecognized_payload", 1)]);
}

#[test]
fn key_without_prefix_is_a_string_unless_the_caller_ignores_such_keys() {
    let records = RedisRecords::new()
        .put(b"bare", b"\xff\x01\x00body")
        .put(b" below-the-exclamation-mark", b"1")
        .put(b"\xff\xff", b"2")
        .put(b"!x", b"unknown, not bare")
        .put(b"_meta_x", b"unknown, not bare")
        .put(key::expiry(b"bare"), value::expiry(FAR));
    let decoded = decode(&records);
    assert_eq!(decoded.names(), [&b" below-the-exclamation-mark"[..], b"bare", b"\xff\xff"]);
    assert_eq!(decoded.value(b"bare"), &string(b"\xff\x01\x00body"), "a bare value has no header");
    assert_eq!(decoded.expire_at_ms(b"bare"), Some(FAR));
    assert_eq!(decoded.found(), [("redis_bare_keys", 3)]);

    let options = Options { bare_keys: BareKeys::Ignore, ..Options::default() };
    let decoded = decode_with(&records.put(key::string(b"s"), value::string(b"", None)), &options);
    assert_eq!(decoded.names(), [b"s"]);
    assert_eq!(decoded.outcome(Family::Bare, Outcome::NotDecoded), 3);
    assert_eq!(decoded.count(findings::ORPHAN_TTL), 1);
}

#[test]
fn ignored_bare_key_hides_nothing() {
    let records = RedisRecords::new().put(b"k", b"bare").put(ekv_testkit::redis::Wide::Set.element(b"k", b"m"), b"");
    assert_eq!(decode(&records).value(b"k"), &string(b"bare"));
    let options = Options { bare_keys: BareKeys::Ignore, ..Options::default() };
    assert_eq!(decode_with(&records, &options).value(b"k"), &crate::redis::decoded::set(&[b"m"]));
}

#[test]
fn empty_user_key_is_nobodys_key() {
    let decoded = decode(&RedisRecords::new().put(b"", b"x").put(key::string(b""), value::string(b"y", None)));
    assert_eq!(decoded.names(), [b""]);
    assert_eq!(decoded.value(b""), &string(b"y"));
    assert_eq!(decoded.outcome(Family::Bare, Outcome::NotDecoded), 1);
}
