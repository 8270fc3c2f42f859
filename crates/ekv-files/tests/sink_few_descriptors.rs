//! Writing with very few open files. Alone in its program, as the limit belongs to the whole process.
#![cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::fs;

use ekv_dump::DumpWriter;
use ekv_files::DumpPath;
use ekv_files::sink::{DirOptions, DirSink, Fsync, Sink};
use rustix::process::{Resource, getrlimit, setrlimit};

#[test]
fn twenty_open_files_are_enough_for_hundreds_of_directories() {
    let parent = tempfile::tempdir().unwrap();
    let before = getrlimit(Resource::Nofile);
    let mut few = before;
    few.current = Some(20);
    for fsync in [Fsync::Full, Fsync::File, Fsync::None] {
        setrlimit(Resource::Nofile, few).unwrap();
        let target = parent.path().join(fsync.name());
        let options = DirOptions { fsync, ..DirOptions::default() };
        let sink: Box<dyn Sink> = Box::new(DirSink::create(&target, options).unwrap());
        let mut writer = DumpWriter::new(sink);
        for round in 0..2 {
            for i in 0..300 {
                let path = format!("a/b/c/d{i}/e/f/file{round}");
                writer.write_file(&DumpPath::new(path.as_bytes()).unwrap(), path.as_bytes()).unwrap();
            }
        }
        let (published, _) = writer.finish(b"{}").unwrap();
        setrlimit(Resource::Nofile, before).unwrap();
        assert!(published.warnings.is_empty(), "{:?}", published.warnings);
        assert_eq!(fs::read(target.join("a/b/c/d299/e/f/file1")).unwrap(), b"a/b/c/d299/e/f/file1");
    }
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 3, "no staging is left");
}
