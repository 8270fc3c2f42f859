use std::cell::Cell;
use std::error::Error as _;
use std::fs;
use std::path::PathBuf;

use ekv_dump::DumpFault;
use ekv_files::archive::{ArchiveLimits, Compression, ZstdLevel};
use ekv_files::source::Refusal;
use ekv_spill::SystemScratch;

use super::*;
use crate::DumpTarget;
use crate::dump_target::NewName;

const NAME: &str = "backups/dump.tar";

/// An archive with one file, in a directory.
fn archive(room: &Path, compression: Compression) -> PathBuf {
    let path = room.join("archive");
    let target = DumpTarget::Archive(NewName::new(&path), compression);
    let (mut sink, _) = target.create(jiff::Timestamp::UNIX_EPOCH, 1, &Resources::DEFAULT).unwrap();
    sink.directory(&DumpPath::new(b"redis").unwrap()).unwrap();
    sink.begin(&DumpPath::new(b"redis/file").unwrap()).unwrap();
    // Does not compress.
    let content: Vec<u8> =
        (0..300_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).rotate_left(9).to_le_bytes()).collect();
    sink.write(&content).unwrap();
    sink.end().unwrap();
    sink.publish().unwrap();
    path
}

/// A file of which the read with this number fails; reads are counted from 0.
struct Failing<'c> {
    file: File,
    fails_at: usize,
    reads: &'c Cell<usize>,
}

impl Read for Failing<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads.set(self.reads.get() + 1);
        match self.reads.get() - 1 == self.fails_at {
            true => Err(io::Error::from_raw_os_error(5)),
            false => self.file.read(buf),
        }
    }
}

/// Reads everything.
struct ReadAll;

impl Visitor for ReadAll {
    fn directory(&mut self, _path: &DumpPath) -> ekv_files::Result<()> {
        Ok(())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> ekv_files::Result<()> {
        let copied = io::copy(content, &mut io::sink());
        copied.map(|_| ()).map_err(|source| {
            let error = ekv_files::Error::new(SourceError::Io { operation: SourceOperation::Read, source });
            error.at(path.as_bytes())
        })
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> ekv_files::Result<()> {
        panic!("{path:?}: {refusal}")
    }
}

/// Fails each read of an archive in turn; answers how many failures there were outside the content of the file, and inside.
fn fail_each_read(path: &Path, read: impl Fn(Failing<'_>) -> ekv_files::Result<()>) -> (usize, usize) {
    let (mut of_the_archive, mut of_the_file) = (0, 0);
    for fails_at in 0.. {
        let reads = Cell::new(0);
        let Err(error) = read(Failing { file: File::open(path).unwrap(), fails_at, reads: &reads }) else {
            assert_eq!(reads.get(), fails_at, "a failing read went unnoticed");
            break;
        };
        assert_eq!(error.source().unwrap().to_string(), io::Error::from_raw_os_error(5).to_string());
        match error.location().path.as_deref() {
            Some(b"redis/file") => of_the_file += 1,
            path => {
                assert_eq!(path, Some(NAME.as_bytes()), "read {fails_at}: {error}");
                of_the_archive += 1;
            }
        }
    }
    (of_the_archive, of_the_file)
}

#[test]
fn any_failing_read_of_an_archive_names_the_archive_or_the_entry() {
    let room = tempfile::tempdir().unwrap();
    for compression in [Compression::None, Compression::Zstd(ZstdLevel::DEFAULT)] {
        let path = archive(room.path(), compression);
        let name = Path::new(NAME);
        let (of_the_archive, of_the_file) = fail_each_read(&path, |input| {
            NamedDump::open(name, || ArchiveSource::new(input, ArchiveLimits::default()))?.walk(&mut ReadAll)
        });
        assert!(of_the_archive >= 2 && of_the_file >= 2, "{of_the_archive} and {of_the_file}");
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let (of_the_archive, _) = fail_each_read(&path, |input| {
            NamedDump::open(name, || IndexedArchive::spool(input, &scratch, ArchiveLimits::default())).map(|_| ())
        });
        assert!(of_the_archive >= 2, "{of_the_archive}");
        fs::remove_file(path).unwrap();
    }
}

/// A source with an error.
struct Broken(fn() -> ekv_files::Error);

impl Source for Broken {
    fn walk(&mut self, _visitor: &mut dyn Visitor) -> ekv_files::Result<()> {
        Err(self.0())
    }
}

fn unlisted() -> ekv_files::Error {
    let source = io::Error::from_raw_os_error(5);
    SourceError::Io { operation: SourceOperation::ListDirectory, source }.into()
}

fn message_of(error: fn() -> ekv_files::Error) -> String {
    let mut dump = NamedDump::open(Path::new("dump"), || Ok(Broken(error))).unwrap_or_else(|_| unreachable!());
    dump.walk(&mut ReadAll).unwrap_err().to_string()
}

#[test]
fn error_about_the_root_names_the_dump_and_any_other_keeps_its_place() {
    assert_eq!(message_of(unlisted), "dump: cannot list the directory");
    assert_eq!(message_of(|| unlisted().at(b"")), "dump: cannot list the directory");
    assert_eq!(message_of(|| unlisted().at(b"redis")), "redis: cannot list the directory");
    let not_about_the_dump = || DumpFault::NotADump { missing: "CHECKSUMS" }.into();
    assert_eq!(message_of(not_about_the_dump), "this is no complete dump: it has no CHECKSUMS");
}

#[test]
fn error_of_an_archive_on_standard_input_says_so() {
    let opened = NamedDump::open(Path::new("-"), || ArchiveSource::new(io::empty(), ArchiveLimits::default()));
    let error = opened.err().unwrap().to_string();
    assert!(error.starts_with("standard input: "), "{error}");
}

#[test]
fn limits_that_somebody_asked_for_hold_for_a_directory_as_for_an_archive() {
    let room = tempfile::tempdir().unwrap();
    fs::create_dir_all(room.path().join("dump/a")).unwrap();
    for (name, content) in [("a/one", "1234"), ("two", "56")] {
        fs::write(room.path().join("dump").join(name), content).unwrap();
    }
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let open = |entries_max, bytes_max| {
        let resources = Resources { entries_max, bytes_max, ..Resources::DEFAULT };
        open_directory(&room.path().join("dump"), &scratch, &resources).map(|_| ())
    };
    assert!(open(None, None).is_ok() && open(Some(3), Some(6)).is_ok());
    let error = open(Some(2), None).unwrap_err();
    assert!(error.to_string().ends_with("the dump has more than 2 entries; --max-entries allows more"), "{error}");
    let error = open(Some(3), Some(5)).unwrap_err();
    assert!(
        error.to_string().ends_with("the files of the dump have more than 5 bytes; --max-bytes allows more"),
        "{error}"
    );
}
