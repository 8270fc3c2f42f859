//! Input that holds nothing, or not all, and looks like a snapshot.

use std::fs;
use std::path::PathBuf;

use ekv_backup::{
    Class, DecodeOptions, DecodeReport, Error, EventOptions, NoProgress, Proof, Protocol, ReadOptions, Resources,
    Status, decode, inspect,
};
use ekv_testkit::SnapshotBuilder;
use tempfile::TempDir;

use crate::nodes::node::{stored, string};

struct Place(TempDir);

impl Place {
    fn with(bytes: &[u8]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::write(place.snapshot(), bytes).unwrap();
        place
    }

    fn snapshot(&self) -> PathBuf {
        self.0.path().join("one.fsm")
    }

    fn decode(&self, options: &DecodeOptions) -> Result<DecodeReport, Error> {
        let dump = self.0.path().join("dump");
        let decoded = decode(&self.snapshot(), &dump, options, &NoProgress);
        assert_eq!(dump.exists(), decoded.is_ok());
        if dump.exists() {
            fs::remove_dir_all(&dump).unwrap();
        }
        decoded
    }
}

fn allowing_nothing() -> DecodeOptions {
    DecodeOptions { read: ReadOptions { allow_empty: true, ..ReadOptions::default() }, ..DecodeOptions::default() }
}

fn only(adapter: Protocol) -> DecodeOptions {
    DecodeOptions { events: EventOptions::of(vec![adapter]), ..DecodeOptions::default() }
}

fn one_string() -> SnapshotBuilder {
    SnapshotBuilder::new().put(&string("k"), 20, &stored("v"))
}

#[test]
fn input_without_a_record_and_without_a_checksum_is_refused_unless_that_is_allowed() {
    let headed = SnapshotBuilder::new().without_footer();
    for (bytes, class, said) in [
        (Vec::new(), Class::Environment, "no snapshot here: it is empty"),
        (b"EKVTHLC1\0\0\0\0\0\0\0\x05".to_vec(), Class::Data, "ends behind its header"),
        (headed.build(), Class::Data, "ends behind its header"),
        (headed.bare().build(), Class::Data, "ends behind its header"),
    ] {
        let place = Place::with(&bytes);
        let error = place.decode(&DecodeOptions::default()).unwrap_err();
        assert_eq!(error.class(), class);
        assert!(error.to_string().contains("one.fsm") && error.to_string().contains(said), "{error}");
        assert!(inspect(&place.snapshot(), &ReadOptions::default(), &NoProgress).is_err());
        let completeness = place.decode(&allowing_nothing()).unwrap().books.completeness;
        assert_eq!((completeness.holds_data, completeness.rests_on.checksum), (false, Proof::Unverified));
    }
}

#[test]
fn input_with_rows_of_the_store_alone_and_without_a_checksum_is_refused_unless_that_is_allowed() {
    let rows = SnapshotBuilder::new().without_footer().meta_row("last_commit_ts", 20).meta_row("applied_index", 3);
    let catalog = rows.clone().put(b"!dist|meta|version", 20, &1_u64.to_be_bytes());
    for snapshot in [rows.clone(), rows.bare(), catalog.clone(), catalog.bare()] {
        let place = Place::with(&snapshot.build());
        let error = place.decode(&DecodeOptions::default()).unwrap_err();
        assert_eq!(error.class(), Class::Data);
        assert!(error.to_string().contains("one.fsm holds no data: there is nothing but rows"), "{error}");
        assert!(inspect(&place.snapshot(), &ReadOptions::default(), &NoProgress).is_err());
        assert!(!place.decode(&allowing_nothing()).unwrap().books.completeness.holds_data);
        // What was deleted was there.
        let deleted = one_string().delete(&string("k"), 30).bare();
        assert!(Place::with(&deleted.build()).decode(&DecodeOptions::default()).is_ok());
    }
}

#[cfg(unix)]
#[test]
fn device_that_gives_nothing_is_refused() {
    let place = Place::with(b"");
    let read =
        decode(std::path::Path::new("/dev/null"), &place.0.path().join("dump"), &DecodeOptions::default(), &NoProgress);
    assert!(read.unwrap_err().to_string().contains("it is empty"));
}

#[cfg(feature = "zstd")]
#[test]
fn compressed_nothing_is_refused_as_nothing_is() {
    let skippable = b"\x5f\x2a\x4d\x18\0\0\0\0".to_vec();
    let empty = zstd::encode_all(&b""[..], 3).unwrap();
    for bytes in [empty.clone(), skippable.clone(), [empty, skippable].concat()] {
        let error = Place::with(&bytes).decode(&DecodeOptions::default()).unwrap_err();
        assert!(error.to_string().contains("(decompressed): no snapshot here: it is empty (--allow-empty"), "{error}");
    }
}

#[test]
fn empty_store_that_proves_itself_by_a_checksum_is_decoded_and_said_to_hold_nothing() {
    let deleted = one_string().delete(&string("k"), 30).build();
    for bytes in [SnapshotBuilder::new().build(), deleted, b"\0\0\0\0".to_vec()] {
        let completeness = Place::with(&bytes).decode(&DecodeOptions::default()).unwrap().books.completeness;
        assert_eq!((completeness.status, completeness.holds_data), (Status::Complete, false));
        assert_eq!(completeness.rests_on.checksum, Proof::Verified);
    }
    let completeness = Place::with(&one_string().build()).decode(&DecodeOptions::default()).unwrap().books.completeness;
    assert!(completeness.holds_data);
}

#[test]
fn headed_snapshot_that_was_cut_at_a_record_is_refused_whatever_is_allowed() {
    let cut = one_string().without_footer();
    let error = Place::with(&cut.build()).decode(&DecodeOptions::default()).unwrap_err();
    assert_eq!(error.class(), Class::Data);
    assert!(error.to_string().contains("one.fsm was cut"), "{error}");
    assert!(Place::with(&cut.build()).decode(&allowing_nothing()).is_err());
    // Streams of a server have no checksum but the rows of its store; payloads that were encoded have neither, and no header.
    for whole in [cut.clone().meta_row("last_commit_ts", 20), cut.clone().bare()] {
        let completeness = Place::with(&whole.build()).decode(&DecodeOptions::default()).unwrap().books.completeness;
        assert_eq!((completeness.status, completeness.rests_on.checksum), (Status::Complete, Proof::Unverified));
    }
}

#[test]
fn strict_run_needs_a_checksum() {
    let strict = DecodeOptions { strict: true, ..DecodeOptions::default() };
    let bare = Place::with(&one_string().bare().build());
    assert!(bare.decode(&strict).unwrap_err().to_string().contains("the checksum footer is missing"));
    assert!(Place::with(&one_string().build()).decode(&strict).is_ok());
}

#[test]
fn adapters_without_any_data_are_refused_with_the_names_of_those_that_have_some() {
    let place = Place::with(&one_string().build());
    let error = place.decode(&only(Protocol::DynamoDb)).unwrap_err();
    assert_eq!(error.class(), Class::NoMatch);
    assert!(error.to_string().contains("no data of dynamodb in it, but of redis"), "{error}");
    assert!(
        place
            .decode(&DecodeOptions { events: EventOptions::of(vec![Protocol::DynamoDb]), ..allowing_nothing() })
            .is_ok()
    );
    // Records that make no file are nothing, too.
    let generation = Place::with(&one_string().put(b"!s3|bucket|gen|b\0\x01", 20, &1_u64.to_be_bytes()).build());
    assert_eq!(generation.decode(&only(Protocol::S3)).unwrap_err().class(), Class::NoMatch);
    // A damaged record is something.
    let damaged = one_string().version(b"!ddb|item|dA|1|x", 20, 0x08, 0, b"");
    assert_eq!(Place::with(&damaged.build()).decode(&only(Protocol::DynamoDb)).unwrap().losses, 1);
}

#[test]
fn dump_of_some_adapters_says_that_it_is_a_part() {
    let snapshot = one_string().put(b"!s3|bucket|gen|b\0\x01", 20, &1_u64.to_be_bytes());
    let completeness = Place::with(&snapshot.build()).decode(&only(Protocol::Redis)).unwrap().books.completeness;
    assert_eq!(completeness.status, Status::Complete);
    let choices: Vec<_> = completeness.by_choice.iter().map(|choice| (choice.option.as_str(), choice.count)).collect();
    assert_eq!(choices, [("--adapter", 1)]);
}

#[test]
fn records_that_no_adapter_decodes_are_named_as_losses_unless_they_are_kept_as_they_are() {
    let place = Place::with(
        &one_string().put(b"!fs|new|a", 20, b"x").put(b"!fs|new|b", 20, b"x").put(b"!new|k", 20, b"x").build(),
    );
    let report = place.decode(&DecodeOptions::default()).unwrap();
    assert_eq!((report.losses, report.books.completeness.status), (3, Status::Incomplete));
    let missing = &report.books.completeness.missing[0];
    assert_eq!((missing.name.as_str(), missing.count), ("data_not_decoded", 3));
    let lost = serde_json::to_value(&report.lost).unwrap();
    let lost: Vec<_> = lost.as_array().unwrap().iter().collect();
    let of = |name: &str| lost.iter().map(|loss| loss[name].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(of("key"), ["!fs|new|a", "!fs|new|b", "!new|k"]);
    assert_eq!(of("adapter"), ["unknown"; 3]);
    assert_eq!(of("detail"), ["record of fs_other", "record of fs_other", "record of unknown"]);
    assert!(lost.iter().all(|loss| loss["byte_offset"].is_u64() && loss.get("count").is_none()), "{lost:?}");
    assert!(place.decode(&DecodeOptions { strict: true, ..DecodeOptions::default() }).is_err());
    let kept = place
        .decode(&DecodeOptions {
            events: EventOptions { include_unknown: true, ..EventOptions::default() },
            ..DecodeOptions::default()
        })
        .unwrap();
    assert_eq!((kept.losses, kept.books.completeness.status), (0, Status::Complete));
    // Not even one who asked for Redis alone has them.
    assert_eq!(place.decode(&only(Protocol::Redis)).unwrap().losses, 3);
}

#[test]
fn limits_hold_before_anything_is_said_about_completeness() {
    let resources = Resources { entries_max: Some(0), ..Resources::DEFAULT };
    let read = ReadOptions { resources, ..ReadOptions::default() };
    let error =
        Place::with(&one_string().build()).decode(&DecodeOptions { read, ..DecodeOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("--max-entries"), "{error}");
}
