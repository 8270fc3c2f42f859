//! Modes of what is written, under several umasks. Alone in its program, as the umask belongs to the whole process.
//!
//! Source: `docs/format/tree.md`, section 1.
#![cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ekv_files::sink::{DirOptions, DirSink, Fsync, Sink};
use ekv_files::{DumpPath, Error};
use rustix::fs::Mode;
use rustix::process::umask;

fn write(target: &Path) -> Result<(), Error> {
    write_to(DirSink::create(target, DirOptions::default())?)
}

fn write_to(sink: DirSink) -> Result<(), Error> {
    let mut sink = Box::new(sink);
    sink.begin(&DumpPath::new(b"a/b/file")?)?;
    sink.end()?;
    sink.publish()?;
    Ok(())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn modes(target: &Path) -> [u32; 4] {
    [target, &target.join("a"), &target.join("a/b"), &target.join("a/b/file")].map(mode)
}

#[test]
fn umask_narrows_directories_and_never_widens_anything() {
    for (bits, directory_mode) in [(0, 0o755), (0o022, 0o755), (0o027, 0o750), (0o077, 0o700)] {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("dump");
        let private = parent.path().join("private");
        let before = umask(Mode::from_bits_truncate(bits));
        let result = write(&target);
        let private_result = DirSink::create_private(&private, Fsync::Full).and_then(write_to);
        umask(before);
        result.unwrap();
        assert_eq!(modes(&target), [0o700, directory_mode, directory_mode, 0o600], "umask {bits:o}");
        private_result.unwrap();
        assert_eq!(modes(&private), [0o700, 0o700, 0o700, 0o600], "umask {bits:o}");
    }

    let parent = tempfile::tempdir().unwrap();
    let before = umask(Mode::from_bits_truncate(0o777));
    let result = write(&parent.path().join("dump"));
    umask(before);
    assert!(result.is_err(), "a directory that its owner cannot use is no place for a dump");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}
