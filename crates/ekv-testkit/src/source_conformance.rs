//! What every source must do, run over each of them.

use std::io::Read;

use ekv_files::sink::{MemoryEntries, Sink};
use ekv_files::source::{Refusal, ScopedSource, Source, SourceError, Visitor};
use ekv_files::{DumpPath, Error, ErrorKind, Result};

/// Checks the contract of [`Source`]; `make` gives a source of what `write` wrote to a sink.
pub fn source_conformance<S: Source>(make: impl Fn(&dyn Fn(&mut dyn Sink)) -> S) {
    shows_exactly_what_is_there(&mut make(&write_everything));
    shows_a_lone_directory(&mut make(&|sink| sink.directory(&path(b"alone")).unwrap()));
    stops_at_the_first_error_of_the_visitor(&mut make(&write_everything));
}

/// Checks the contract of [`ScopedSource`], that of [`Source`] included.
pub fn scoped_source_conformance<S: ScopedSource>(make: impl Fn(&dyn Fn(&mut dyn Sink)) -> S) {
    source_conformance(&make);
    walks_again_and_again(&mut make(&write_everything));
    shows_one_directory_in_byte_order(&mut make(&write_everything));
    opens_any_file_at_any_time(&mut make(&write_everything));
    says_what_is_not_there(&mut make(&write_everything));
}

/// Paths and contents, in an order that no source shows them in.
fn files() -> Vec<(Vec<u8>, Vec<u8>)> {
    let large: Vec<u8> = (0..300_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let deep = format!("{}/file", vec!["deep"; 30].join("/"));
    let mut files = vec![
        (b"z".to_vec(), b"last".to_vec()),
        (b"a/b/large".to_vec(), large),
        (b"a/b/empty".to_vec(), Vec::new()),
        (b"a/b-".to_vec(), b"-".to_vec()),
        (b"a/b.c".to_vec(), b".".to_vec()),
        (b"a-b/x".to_vec(), b"x".to_vec()),
        (b"a/ new\nline\\ ".to_vec(), b"odd".to_vec()),
        ("caf\u{e9}/\u{e9}".as_bytes().to_vec(), b"utf-8".to_vec()),
        (vec![b'k'; 255], b"long".to_vec()),
        (deep.into_bytes(), b"deep".to_vec()),
    ];
    for number in 0..1000 {
        files.push((format!("many/{:04}", number * 7 % 1000).into_bytes(), number.to_string().into_bytes()));
    }
    files
}

fn write_everything(sink: &mut dyn Sink) {
    sink.directory(&path(b"empty/inner")).unwrap();
    for (name, content) in files() {
        sink.begin(&path(&name)).unwrap();
        sink.write(&content).unwrap();
        sink.end().unwrap();
    }
}

/// What [`write_everything`] wrote.
fn expected() -> MemoryEntries {
    let mut entries: MemoryEntries = [b"empty".to_vec(), b"empty/inner".to_vec()].map(|path| (path, None)).into();
    for (name, content) in files() {
        let slashes = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        entries.extend(slashes.map(|(at, _)| (name[..at].to_vec(), None)));
        entries.insert(name, Some(content));
    }
    entries
}

fn path(text: &[u8]) -> DumpPath {
    DumpPath::new(text).unwrap()
}

/// Collects what it is shown, and sees that directories come before what is in them and files come once.
#[derive(Default)]
struct Collector {
    entries: MemoryEntries,
    /// Paths in the order in which they came.
    order: Vec<Vec<u8>>,
    /// The directory that alone is shown; empty for the root.
    directory: Vec<u8>,
}

impl Collector {
    fn check_parent(&self, path: &DumpPath) {
        let parent = path.split_last().0;
        let is_known = parent == self.directory || parent.is_empty() || self.entries.get(parent) == Some(&None);
        assert!(is_known, "{path} comes before its directory");
    }
}

impl Visitor for Collector {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.check_parent(path);
        self.entries.insert(path.as_bytes().to_vec(), None);
        self.order.push(path.as_bytes().to_vec());
        Ok(())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        self.check_parent(path);
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        assert!(self.entries.insert(path.as_bytes().to_vec(), Some(bytes)).is_none(), "{path} comes twice");
        self.order.push(path.as_bytes().to_vec());
        Ok(())
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        Err(Error::new(SourceError::Refused(refusal)).at(path.as_bytes()))
    }
}

fn collect(source: &mut dyn Source) -> Collector {
    let mut collector = Collector::default();
    source.walk(&mut collector).unwrap();
    collector
}

fn shows_exactly_what_is_there(source: &mut dyn Source) {
    assert!(collect(source).entries == expected());
}

fn shows_a_lone_directory(source: &mut dyn Source) {
    assert_eq!(collect(source).entries, MemoryEntries::from([(b"alone".to_vec(), None)]));
}

/// Reads one byte of each file, and fails at the tenth.
#[derive(Default)]
struct Impatient {
    files: u32,
}

impl Visitor for Impatient {
    fn directory(&mut self, _path: &DumpPath) -> Result<()> {
        assert!(self.files < 10, "something is shown after the error");
        Ok(())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        assert!(self.files < 10, "something is shown after the error");
        let len = content.read(&mut [0]).unwrap();
        let is_empty = expected()[path.as_bytes()].as_ref().unwrap().is_empty();
        assert_eq!(len, usize::from(!is_empty), "{path}");
        self.files += 1;
        if self.files == 10 { Err(Error::new(SourceError::Refused(Refusal::Socket))) } else { Ok(()) }
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        panic!("{path}: {refusal}")
    }
}

fn stops_at_the_first_error_of_the_visitor(source: &mut dyn Source) {
    let error = source.walk(&mut Impatient::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Source(SourceError::Refused(Refusal::Socket))), "{error}");
}

fn walks_again_and_again(source: &mut dyn ScopedSource) {
    let first = collect(source);
    let second = collect(source);
    assert!(first.entries == expected() && second.entries == expected());
    assert!(first.order == second.order, "the order depends on the dump alone");
}

fn shows_one_directory_in_byte_order(source: &mut dyn ScopedSource) {
    let expected = expected();
    let directories = expected.iter().filter(|(_, content)| content.is_none()).map(|(path, _)| path.as_slice());
    for directory in directories.chain([&b""[..]]) {
        let mut collector = Collector { directory: directory.to_vec(), ..Collector::default() };
        let shown = if directory.is_empty() { DumpPath::root() } else { path(directory) };
        source.walk_directory(&shown, &mut collector).unwrap();
        let inner = expected.iter().filter(|(name, _)| path(name).split_last().0 == directory);
        let inner: Vec<(&Vec<u8>, &Option<Vec<u8>>)> = inner.collect();
        assert_eq!(collector.order.iter().collect::<Vec<_>>(), inner.iter().map(|(path, _)| *path).collect::<Vec<_>>());
        assert!(inner.iter().all(|(path, content)| collector.entries.get(*path) == Some(content)), "{shown}");
    }
}

fn opens_any_file_at_any_time(source: &mut dyn ScopedSource) {
    for (name, expected) in files().into_iter().rev().step_by(3).chain(files().into_iter().step_by(7)) {
        let mut content = Vec::new();
        source.open_file(&path(&name)).unwrap().read_to_end(&mut content).unwrap();
        assert!(content == expected, "{}", name.escape_ascii());
    }
}

fn says_what_is_not_there(source: &mut dyn ScopedSource) {
    let is_missing = |error: &Error| match error.kind() {
        ErrorKind::Source(SourceError::Io { source, .. }) => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    };
    for name in ["missing", "a/missing", "many/00000", "many/000", "zz", "A"] {
        let error = source.open_file(&path(name.as_bytes())).err().unwrap();
        assert!(is_missing(&error), "{name}: {error}");
    }
    assert!(source.open_file(&path(b"a/b")).is_err(), "a directory is no file");
    let error = source.walk_directory(&path(b"missing"), &mut Collector::default()).unwrap_err();
    assert!(is_missing(&error), "{error}");
    assert!(source.walk_directory(&path(b"z"), &mut Collector::default()).is_err(), "a file is no directory");
}
