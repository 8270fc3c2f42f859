//! What holds for every dump: there and back again.

use ekv_backup::{DecodeOptions, EncodeOptions, EventOptions, Protocol, WrittenForm};
use ekv_testkit::fixtures::SNAPSHOTS;

use crate::encode::room::{ROWS, Room, assert_same_files, decode_options, options};

/// Calls `check` for the dump of every fixture in every form of every adapter.
fn for_each_dump(mut check: impl FnMut(&str, &Room, &DecodeOptions)) {
    for known in SNAPSHOTS {
        for (name, adapter, change) in ROWS {
            let mut decode_options = DecodeOptions { events: EventOptions::of(vec![adapter]), ..decode_options() };
            change(&mut decode_options);
            let room = Room::with_dump_of(&known.bytes(), &decode_options);
            check(&format!("{} of {}", name, known.name), &room, &decode_options);
        }
    }
}

/// Some of these dumps hold nothing.
fn allowing_nothing() -> EncodeOptions {
    EncodeOptions { allow_empty: true, ..options() }
}

#[test]
fn decoded_payload_is_the_dump_it_was_made_from() {
    for_each_dump(|name, room, decode_options| {
        let report =
            room.encode("dump", "out.fsm", &allowing_nothing()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.payload.self_test.matched, "{name}");
        room.decode("out.fsm", "again", decode_options);
        room.assert_sound("again");
        assert_same_files(&room.data("again"), &room.data("dump"));
    });
}

#[test]
fn same_dump_gives_the_same_payload_whatever_the_memory_and_form() {
    for_each_dump(|name, room, _| {
        let mut small = allowing_nothing();
        small.sort_memory = 1 << 16;
        small.self_test = false;
        room.encode("dump", "a.fsm", &allowing_nothing()).unwrap();
        room.encode("dump", "b.fsm", &small).unwrap();
        small.form = WrittenForm::File;
        let report = room.encode("dump", "c.fsm", &small).unwrap();
        let (a, c) = (room.bytes("a.fsm"), room.bytes("c.fsm"));
        assert!(a == room.bytes("b.fsm"), "{name}");
        assert!(a == c[16..c.len() - 4], "{name}");
        assert!(c.starts_with(b"EKVTHLC1"), "{name}");
        assert_eq!(report.payload.form, "file");
    });
}

#[test]
fn server_file_decodes_as_the_payload_does() {
    for_each_dump(|name, room, decode_options| {
        let mut file = allowing_nothing();
        file.form = WrittenForm::File;
        let report = room.encode("dump", "out.fsm", &file).unwrap();
        assert!(report.payload.self_test.matched && report.payload.fsm_crc32c.is_some(), "{name}");
        room.decode("out.fsm", "again", decode_options);
        assert_same_files(&room.data("again"), &room.data("dump"));
    });
}

#[test]
fn all_adapters_together_come_back() {
    let adapters: Vec<Protocol> = ROWS.iter().map(|(_, adapter, _)| *adapter).collect();
    for known in SNAPSHOTS {
        let decode_options = DecodeOptions { events: EventOptions::of(adapters.clone()), ..decode_options() };
        let room = Room::with_dump_of(&known.bytes(), &decode_options);
        room.encode("dump", "out.fsm", &options()).unwrap();
        room.decode("out.fsm", "again", &decode_options);
        assert_same_files(&room.data("again"), &room.data("dump"));
    }
}

#[test]
fn dumps_of_the_reference_decoder_come_back_up_to_the_order_of_sidecar_lines() {
    for known in SNAPSHOTS {
        for (name, adapter, _) in ROWS {
            // The reference decoder fails on a key of this bucket: `dir/`.
            if (known.name, adapter) == ("all-3", Protocol::S3) {
                continue;
            }
            let room = Room::new();
            known.unpack_reference_tree(&room.path("reference"));
            let mut only = options();
            only.adapters = Some(vec![adapter]);
            only.allow_empty = true;
            let report = room.encode("reference", "out.fsm", &only);
            let report = report.unwrap_or_else(|error| panic!("{name} of {}: {error}", known.name));
            assert!(report.payload.self_test.matched, "{name}");
            room.decode(
                "out.fsm",
                "again",
                &DecodeOptions { events: EventOptions::of(vec![adapter]), ..decode_options() },
            );
            let mut expected = room.data("reference");
            expected.retain(|path, _| path.starts_with(adapter.name()));
            let (mut expected, mut found) = (expected, room.data("again"));
            [&mut expected, &mut found].into_iter().for_each(sort_sidecars);
            assert_same_files(&found, &expected);
        }
    }
}

/// Sorts lines without an order, and drops repeated ones.
fn sort_sidecars(files: &mut std::collections::BTreeMap<String, Vec<u8>>) {
    for (path, content) in files {
        if path.ends_with("KEYMAP.jsonl") || path.ends_with("_ttl.jsonl") {
            let lines: std::collections::BTreeSet<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
            *content = lines.into_iter().flatten().copied().collect();
        }
    }
}
