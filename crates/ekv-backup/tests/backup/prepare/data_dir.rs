//! What may lie where the data directory shall be. Source: `docs/format/restore.md`, section 14.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;

use ekv_backup::restore::{DurableFsync, prepare_restore};
use ekv_backup::{Class, Phase, Progress};
use ekv_model::{Cancelled, Monitor};

use crate::prepare::scene::Scene;

#[test]
fn anything_at_the_place_of_the_data_directory_is_refused_and_left_alone() {
    let places = [
        ("file", "it is a file"),
        ("empty directory", "it is an empty directory"),
        ("full directory", "it is a directory"),
        ("dangling link", "it is a symbolic link"),
        ("link to a directory", "it is a symbolic link"),
    ];
    for (what, said) in places {
        let scene = Scene::golden();
        let place = scene.path("n1");
        match what {
            "file" => fs::write(&place, b"precious").unwrap(),
            "empty directory" => fs::create_dir(&place).unwrap(),
            "full directory" => fs::create_dir_all(place.join("fsm.db")).unwrap(),
            "dangling link" => symlink("nowhere", &place).unwrap(),
            _ => symlink(".", &place).unwrap(),
        }
        let error = scene.refusal(Class::Environment);
        assert!(error.to_string().contains("exists already: ") && error.to_string().contains(said), "{what}: {error}");
        assert!(fs::symlink_metadata(&place).is_ok(), "{what}");
    }
}

#[test]
fn missing_parent_and_paths_without_a_name_are_refused() {
    let scene = Scene::golden();
    for place in ["missing/n1", ".", "..", "n1/.."] {
        let (payload, place) = (scene.path("m.fsm"), scene.path(place));
        let error = prepare_restore(&payload, None, &place, &scene.options, &ekv_backup::NoProgress).unwrap_err();
        assert_eq!(error.class(), Class::Environment, "{error}");
    }
    assert_eq!(scene.entries(), ["m.fsm", "m.fsm.encode_info.json"]);
}

/// Does something when a phase begins.
struct When<F: Fn()>(Phase, F, Cell<bool>);

impl<F: Fn()> Progress for When<F> {
    fn begin(&self, phase: Phase, _: Option<u64>) {
        if phase == self.0 && !self.2.replace(true) {
            (self.1)();
        }
    }
}

impl<F: Fn()> Monitor for When<F> {
    fn advance(&self, _: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}

#[test]
fn directory_that_appears_right_before_the_rename_is_not_replaced() {
    for fsync in [DurableFsync::Full, DurableFsync::File] {
        let mut scene = Scene::golden();
        scene.options.fsync = fsync;
        let place = scene.path("n1");
        let progress = When(Phase::Publish, || fs::create_dir(&place).unwrap(), Cell::new(false));
        let error = prepare_restore(&scene.path("m.fsm"), None, &place, &scene.options, &progress).unwrap_err();
        assert!(error.to_string().contains("exists already"), "{error}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
        assert_eq!(scene.entries(), ["m.fsm", "m.fsm.encode_info.json", "n1"]);
    }
}

/// Cancels when a phase begins.
struct CancelAt(Phase, Cell<bool>);

impl Progress for CancelAt {
    fn begin(&self, phase: Phase, _: Option<u64>) {
        self.1.set(self.1.get() || phase == self.0);
    }
}

impl Monitor for CancelAt {
    fn advance(&self, _: u64) -> Result<(), Cancelled> {
        if self.1.get() { Err(Cancelled) } else { Ok(()) }
    }
}

#[test]
fn cancelled_run_leaves_nothing() {
    for phase in [Phase::Copy, Phase::ReadBack] {
        let scene = Scene::golden();
        let progress = CancelAt(phase, Cell::new(false));
        let place = scene.path("n1");
        let error = prepare_restore(&scene.path("m.fsm"), None, &place, &scene.options, &progress).unwrap_err();
        assert_eq!(error.class(), Class::Cancelled, "{error}");
        assert_eq!(scene.entries(), ["m.fsm", "m.fsm.encode_info.json"]);
    }
}

#[test]
fn leftover_of_the_reference_tool_is_no_obstacle() {
    let scene = Scene::golden();
    fs::create_dir(scene.path("n1.restore-prep")).unwrap();
    scene.prepare().unwrap();
    assert!(scene.path("n1.restore-prep").is_dir());
    scene.refusal(Class::Environment);
}
