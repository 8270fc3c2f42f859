//! From a dump to a data directory in one go.

use std::collections::BTreeMap;

use ekv_backup::restore::{PrepareOptions, RestoreError, RestoreTarget, prepare_restore, restore};
use ekv_backup::{Class, NoProgress};
use ekv_testkit::fixtures::REDIS_1;
use ekv_testkit::read_files;

use crate::encode::room::{Room, decode_options, options};

fn prepare_options(target: RestoreTarget) -> PrepareOptions {
    PrepareOptions { now: options().now, ..PrepareOptions::new("n1=127.0.0.1:2380".parse().unwrap(), target) }
}

fn room(cluster_id: &str) -> Room {
    let mut decode_options = decode_options();
    decode_options.cluster_id = cluster_id.into();
    decode_options.events.adapters = vec![ekv_backup::Protocol::Redis];
    Room::with_dump_of(&REDIS_1.bytes(), &decode_options)
}

#[test]
fn data_directory_is_that_of_encode_and_prepare_restore() {
    let room = room("");
    let prepare = prepare_options(RestoreTarget::FreshCluster);
    room.encode("dump", "out.fsm", &options()).unwrap();
    prepare_restore(&room.path("out.fsm"), None, &room.path("two-steps"), &prepare, &NoProgress).unwrap();
    let before = room.names();
    let report = restore(&room.path("dump"), &room.path("n1"), &options(), &prepare, &NoProgress).unwrap();
    let files: BTreeMap<_, _> = read_files(&room.path("n1"));
    assert_eq!(files.len(), 4);
    assert!(files == read_files(&room.path("two-steps")));
    assert!(report.encoded.self_test.matched);
    assert_eq!(report.encoded.records, report.prepared.records);
    let mut after = before;
    after.push("n1".to_owned());
    after.sort();
    assert_eq!(room.names(), after, "no payload is left behind");
}

#[test]
fn self_test_is_made_even_if_it_was_not_asked_for() {
    let room = room("");
    let mut untested = options();
    untested.self_test = false;
    let prepare = prepare_options(RestoreTarget::FreshCluster);
    let report = restore(&room.path("dump"), &room.path("n1"), &untested, &prepare, &NoProgress).unwrap();
    assert!(report.encoded.self_test.ran);
}

#[test]
fn cluster_is_compared_with_that_of_the_manifest() {
    for (manifest, target, expected) in [("lab", "prod", "is of cluster \"lab\""), ("", "prod", "does not say")] {
        let room = room(manifest);
        let before = room.names();
        let prepare = prepare_options(RestoreTarget::Cluster(target.into()));
        let error = restore(&room.path("dump"), &room.path("n1"), &options(), &prepare, &NoProgress).unwrap_err();
        assert_eq!(error.class(), Class::Data);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.downcast::<RestoreError>().is_ok());
        assert_eq!(room.names(), before);
    }
    let room = room("lab");
    let prepare = prepare_options(RestoreTarget::Cluster("lab".into()));
    restore(&room.path("dump"), &room.path("n1"), &options(), &prepare, &NoProgress).unwrap();
}

#[test]
fn existing_data_directory_and_damaged_dump_are_refused() {
    let room = room("");
    let prepare = prepare_options(RestoreTarget::FreshCluster);
    std::fs::create_dir(room.path("n1")).unwrap();
    let before = room.names();
    let error = restore(&room.path("dump"), &room.path("n1"), &options(), &prepare, &NoProgress).unwrap_err();
    assert_eq!(error.class(), Class::Environment);
    std::fs::remove_dir(room.path("n1")).unwrap();
    std::fs::write(room.path("dump/redis/db_0/strings_ttl.jsonl"), b"").unwrap();
    let error = restore(&room.path("dump"), &room.path("n1"), &options(), &prepare, &NoProgress).unwrap_err();
    assert_eq!(error.class(), Class::Data);
    assert_eq!(room.names().len(), before.len() - 1);
}
