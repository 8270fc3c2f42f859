//! Info files that do not say what they should. Source: `docs/format/restore.md`, section 14.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use ekv_backup::Class;
use ekv_backup::restore::{RestoreTarget, SelfTest};

use crate::prepare::scene::{Scene, T};

#[test]
fn info_file_that_is_missing_or_no_regular_file_is_refused() {
    let scene = Scene::golden();
    let info = scene.path("m.fsm.encode_info.json");
    fs::rename(&info, scene.path("real.json")).unwrap();
    assert!(scene.refusal(Class::Environment).to_string().contains("restored only together with the file"));
    symlink("real.json", &info).unwrap();
    scene.refusal(Class::Environment);
    fs::remove_file(&info).unwrap();
    assert!(Command::new("mkfifo").arg(&info).status().unwrap().success());
    scene.refusal(Class::Environment);
    fs::remove_file(&info).unwrap();
    fs::create_dir(&info).unwrap();
    scene.refusal(Class::Environment);
}

#[test]
fn info_file_that_is_too_long_garbage_or_of_another_version_is_refused() {
    let scene = Scene::golden();
    let info = scene.path("m.fsm.encode_info.json");
    let good = fs::read_to_string(&info).unwrap();
    let padded = |len: usize| format!("{good}{}", " ".repeat(len - good.len()));
    for bad in [
        String::new(),
        "garbage".to_owned(),
        good[..100].to_owned(),
        padded((1 << 20) + 1),
        good.replace("\"format_version\": 1", "\"format_version\": 2"),
        good.replace("\"encoder_key_format_version\": 1", "\"encoder_key_format_version\": 2"),
        good.replace("95e82027", "95e82028"),
        good.replace("95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d", ""),
        good.replace("\"last_commit_ts\": 111411200000000007", "\"last_commit_ts\": 111411200000000008"),
    ] {
        fs::write(&info, &bad).unwrap();
        scene.refusal(Class::Data);
    }
    fs::write(&info, padded(1 << 20)).unwrap();
    scene.prepare().unwrap();
}

#[test]
fn payload_that_was_not_verified_needs_to_be_allowed() {
    for self_test in [
        SelfTest { ran: false, matched: false },
        SelfTest { ran: true, matched: false },
        SelfTest { ran: false, matched: true },
    ] {
        let mut scene = Scene::golden();
        scene.info.self_test = self_test;
        scene.write_info();
        assert!(scene.refusal(Class::Data).to_string().contains("--allow-unverified-self-test"));
        scene.options.allow_unverified_self_test = true;
        scene.prepare().unwrap();
    }
}

#[test]
fn cluster_that_was_asked_for_must_be_the_one_of_the_payload() {
    let cases =
        [("lab", "lab", true), ("lab", "other", false), ("", "lab", false), ("", "", false), ("lab", "", false)];
    for (source, target, accepted) in cases {
        let mut scene = Scene::golden();
        scene.info.manifest_cluster_id = source.into();
        scene.write_info();
        scene.options.target = RestoreTarget::Cluster(target.into());
        scene.options.allow_unverified_self_test = true;
        if accepted {
            scene.prepare().unwrap();
        } else {
            scene.refusal(Class::Data);
        }
    }
}

#[test]
fn fresh_cluster_takes_a_payload_of_any_or_no_cluster() {
    for source in ["", "lab"] {
        let mut scene = Scene::golden();
        scene.info.manifest_cluster_id = source.into();
        scene.write_info();
        assert_eq!(scene.prepare().unwrap().source_cluster_id, source);
    }
}

#[test]
fn timestamp_from_which_no_node_can_go_on_is_refused_and_a_future_one_must_be_allowed() {
    let payload = |ts: u64| [b"EKVPBBL1".as_slice(), &ts.to_le_bytes()].concat();
    let mut end_of_time = Scene::of(&payload(u64::MAX << 16));
    end_of_time.options.allow_future_timestamps = true;
    assert!(end_of_time.refusal(Class::Data).to_string().contains("end of time"));

    let two_days_ahead = (1_800_000_000_000_u64 + 2 * 86_400_000) << 16;
    let mut future = Scene::of(&payload(two_days_ahead));
    assert!(future.refusal(Class::Data).to_string().contains("--allow-future-timestamps"));
    future.options.allow_future_timestamps = true;
    future.prepare().unwrap();

    // The info file cannot hide the timestamp of the payload.
    let mut hidden = Scene::of(&payload(two_days_ahead));
    hidden.info.last_commit_ts = T;
    hidden.write_info();
    assert!(hidden.refusal(Class::Data).to_string().contains("states the last commit timestamp"));
}
