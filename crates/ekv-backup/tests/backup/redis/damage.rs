//! What a damaged record costs: its key, the exit status, and everything under `--strict`. Source: `docs/format/redis.md`, section 7.

use ekv_backup::{Class, DecodeOptions};
use ekv_model::redis::StreamId;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};

use crate::redis::support::{dump, dump_with};

const ID: StreamId = StreamId { ms: 1, seq: 1 };

/// A key of each type.
fn sound() -> RedisRecords {
    RedisRecords::new()
        .put(key::string(b"k"), value::string(b"body", Some(2_000_000_000_000)))
        .put(key::hll(b"b64.hll"), value::hll(b"", None))
        .put(key::list_delta(b"list", 1, 0), value::list_delta(0, 1))
        .put(key::list_item(b"list", 0), b"i")
        .put(Wide::Hash.element(b"hash", b"f"), b"v")
        .put(Wide::Set.element(b"set", b"m"), b"")
        .put(Wide::ZSet.element(b"zset", b"m"), value::score(1.0))
        .put(key::stream_entry(b"stream", ID), value::stream_entry("1-1", &[]))
        .put(key::stream_meta(b"stream"), value::stream_meta_24(1, ID))
}

/// One kind of damage each: the finding that tells it, and the key that is lost.
fn damages() -> Vec<(&'static str, RedisRecords)> {
    let sound = sound();
    vec![
        ("redis_invalid_string_value", sound.clone().put(key::string(b"lost"), b"\xff\x01")),
        ("redis_invalid_hll_value", sound.clone().put(key::hll(b"lost"), b"\xff\x02\x01")),
        ("redis_invalid_ttl_value", sound.clone().put(key::string(b"lost"), b"").put(key::expiry(b"lost"), b"")),
        (
            "redis_invalid_meta",
            sound.clone().put(Wide::Hash.meta(b"lost"), b"").put(Wide::Hash.element(b"lost", b"f"), b""),
        ),
        ("redis_invalid_key", sound.clone().put(b"!st|mem|\0\0", b"")),
        ("redis_invalid_list_delta", sound.clone().put(key::list_delta(b"lost", 1, 0), b"")),
        ("redis_invalid_zset_member", sound.clone().put(Wide::ZSet.element(b"lost", b"m"), b"")),
        ("redis_invalid_blob", sound.clone().put(key::blob("hash", b"lost"), b"x")),
        (
            "redis_invalid_stream_entry",
            sound
                .clone()
                .put(key::stream_meta(b"lost"), value::stream_meta_24(1, ID))
                .put(key::stream_entry(b"lost", ID), b""),
        ),
        ("snapshot_damaged_value", sound.damaged(key::string(b"lost"))),
    ]
}

#[test]
fn each_loss_leaves_all_other_files_as_they_are_and_is_reported() {
    let files = dump(&sound()).files;
    assert_eq!(files.len(), 9, "seven keys, a sidecar and a keymap");
    for (finding, records) in damages() {
        let dump = dump(&records);
        assert_eq!(dump.report.losses, 1, "{finding}");
        assert_eq!(dump.found(), [(finding, 1)]);
        assert!(dump.files == files, "{finding}: {:?}", dump.names());
    }
}

#[test]
fn strict_run_publishes_nothing_when_something_is_lost() {
    let options = DecodeOptions { strict: true, ..DecodeOptions::default() };
    dump_with(sound().snapshot(), &options).unwrap();
    for (finding, records) in damages() {
        let error = dump_with(records.snapshot(), &options).err().unwrap();
        assert_eq!(error.class(), Class::Data, "{finding}");
    }
}
