//! A file system that is really full. Needs the right to mount one; skipped with a reason otherwise.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests may panic and say why they skip")]

use std::fs;
use std::path::Path;
use std::process::Command;

use ekv_files::sink::{DirOptions, DirSink, Sink};
use ekv_files::{DumpPath, Error};
use ekv_model::Class;

/// A mounted tmpfs of 200 KiB; unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=200k", "none"]).arg(at).output();
        match mount {
            Ok(output) if output.status.success() => Some(SmallDisk(at)),
            Ok(output) => {
                println!("skipped, cannot mount a tmpfs: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                println!("skipped, cannot mount a tmpfs: {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

fn write(sink: &mut dyn Sink, files: u32, content: &[u8]) -> Result<(), Error> {
    for i in 0..files {
        sink.begin(&DumpPath::new(format!("d{}/file{i}", i % 10).as_bytes())?)?;
        sink.write(content)?;
        sink.end()?;
    }
    Ok(())
}

#[test]
fn full_disk_is_reported_as_out_of_space_and_gives_its_space_back() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(place.path()) else { return };
    for (files, len) in [(10_000, 100), (10, 150_000)] {
        let mut sink = Box::new(DirSink::create(&disk.0.join("dump"), DirOptions::default()).unwrap());
        let error = write(sink.as_mut(), files, &vec![b'x'; len]).unwrap_err();
        assert_eq!(error.class(), Class::OutOfSpace, "{error}");
        assert!(error.to_string().contains("/.dump.ekv-staging-"), "{error}");
        sink.abort().unwrap();
        assert_eq!(fs::read_dir(disk.0).unwrap().count(), 0);
        fs::write(disk.0.join("large"), vec![b'x'; 150_000]).unwrap();
        fs::remove_file(disk.0.join("large")).unwrap();
    }
}
