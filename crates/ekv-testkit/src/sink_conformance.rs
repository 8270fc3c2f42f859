//! What every sink must do, run over each of them.

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};

use ekv_dump::DumpWriter;
use ekv_files::sink::{MemoryEntries, Sink, SinkError};
use ekv_files::{DumpPath, Error, ErrorKind};

/// A new, empty sink, and a way to see what it has published (`None` if nothing).
pub struct SinkUnderTest {
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// Reads what was published.
    pub published: Box<dyn FnOnce() -> Option<MemoryEntries>>,
    /// When it sees that a name is taken.
    pub taken_names: TakenNames,
}

/// When a sink sees that a name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenNames {
    /// When the name is used again.
    AtOnce,
    /// Never, since it keeps no names: [`DumpWriter`] sees it.
    Never,
}

/// Checks the contract of [`Sink`]; `make` gives a new sink each time.
pub fn sink_conformance(make: impl Fn() -> SinkUnderTest) {
    publishes_exactly_what_was_written(make());
    publishes_an_empty_dump(make());
    gives_scratch_files(make());
    for (first, second) in FILES_IN_THE_WAY.into_iter().chain([("dir/", "dir"), ("a", "a/")]) {
        if make().taken_names == TakenNames::AtOnce {
            refuses_a_name_that_is_taken(make(), first, second);
        }
    }
    for (first, second) in FILES_IN_THE_WAY.into_iter().chain([("a", "CHECKSUMS"), ("a", "CHECKSUMS/a")]) {
        never_publishes_a_name_twice(make(), first, second);
    }
    refuses_misuse(&make);
    publishes_nothing_after_an_error(&make);
    publishes_nothing_when_given_up(&make);
}

/// Names of files that cannot be in one dump.
const FILES_IN_THE_WAY: [(&str, &str); 5] = [("a", "a"), ("d/a", "d/a"), ("d/a", "d"), ("d", "d/a"), ("a", "a/b/c")];

fn path(text: &str) -> DumpPath {
    DumpPath::new(text.as_bytes()).unwrap()
}

/// Creates a file, or a directory if the name ends in a slash.
fn create(sink: &mut dyn Sink, name: &str) -> Result<(), Error> {
    match name.strip_suffix('/') {
        Some(name) => sink.directory(&path(name)),
        None => {
            sink.begin(&path(name))?;
            sink.end()
        }
    }
}

fn publishes_exactly_what_was_written(SinkUnderTest { mut sink, published, .. }: SinkUnderTest) {
    let large: Vec<u8> = (0..300_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let longest = [b'k'; 255];
    let files: [(&[u8], &[u8]); 9] = [
        (b"z", b"first"),
        (b"a/b/c/deep", b""),
        (b"a/b/large", &large),
        (b"a/b-", b"-"),
        (b"a/.hidden", b"."),
        (b"a/ new\nline\\ ", b"odd"),
        (b"caf\xc3\xa9", b"utf-8"),
        (&longest, b"long"),
        (b"MANIFEST.json", b"{}"),
    ];
    sink.directory(&path("empty/inner")).unwrap();
    sink.directory(&path("empty")).unwrap();
    let mut expected: MemoryEntries = BTreeMap::new();
    for directory in ["a", "a/b", "a/b/c", "empty", "empty/inner"] {
        expected.insert(directory.as_bytes().to_vec(), None);
    }
    for (name, content) in files {
        sink.begin(&DumpPath::new(name).unwrap()).unwrap();
        let (head, tail) = content.split_at(content.len() / 3);
        sink.write(b"").unwrap();
        head.chunks(7).for_each(|piece| sink.write(piece).unwrap());
        sink.write(tail).unwrap();
        sink.end().unwrap();
        expected.insert(name.to_vec(), Some(content.to_vec()));
    }
    sink.directory(&path("a/b/c")).unwrap();
    let report = sink.publish().unwrap();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert!(published() == Some(expected));
}

fn publishes_an_empty_dump(SinkUnderTest { sink, published, .. }: SinkUnderTest) {
    sink.publish().unwrap();
    assert_eq!(published(), Some(BTreeMap::new()));
}

fn gives_scratch_files(SinkUnderTest { mut sink, published, .. }: SinkUnderTest) {
    let scratch = sink.scratch();
    let (mut one, mut other) = (scratch.create().unwrap(), scratch.create().unwrap());
    one.write_all(b"one").unwrap();
    other.write_all(b"other").unwrap();
    one.rewind().unwrap();
    let mut read = String::new();
    one.read_to_string(&mut read).unwrap();
    assert_eq!(read, "one");
    create(sink.as_mut(), "file").unwrap();
    sink.publish().unwrap();
    assert_eq!(published().unwrap().into_keys().collect::<Vec<_>>(), [b"file"]);
}

fn refuses_a_name_that_is_taken(SinkUnderTest { mut sink, published, .. }: SinkUnderTest, first: &str, second: &str) {
    create(sink.as_mut(), first).unwrap();
    let error = create(sink.as_mut(), second).unwrap_err();
    let taken = |error: &Error| matches!(error.kind(), ErrorKind::Sink(SinkError::NameTaken { .. }));
    assert!(taken(&error), "{first}, then {second}: {error}");
    assert_eq!(error.class(), ekv_model::Class::Data);
    sink.abort().unwrap();
    assert_eq!(published(), None);
}

fn never_publishes_a_name_twice(SinkUnderTest { sink, published, .. }: SinkUnderTest, first: &str, second: &str) {
    let mut writer = DumpWriter::new(sink);
    let wrote = [first, "a-", second, "d-", "z"].into_iter().try_for_each(|name| writer.write_file(&path(name), b"x"));
    let error = wrote.and_then(|()| writer.finish(b"{}").map(drop)).unwrap_err();
    let taken = matches!(error.kind(), ErrorKind::Sink(SinkError::NameTaken { .. }));
    assert!(taken, "{first}, then {second}: {error}");
    assert_eq!(published(), None);
}

type Step = fn(&mut dyn Sink) -> Result<(), Error>;

fn refuses_misuse(make: &impl Fn() -> SinkUnderTest) {
    let steps: [(&str, Step); 6] = [
        ("write without a file", |sink| sink.write(b"x")),
        ("end without a file", |sink| sink.end()),
        ("end twice", |sink| {
            create(sink, "a")?;
            sink.end()
        }),
        ("begin twice", |sink| {
            sink.begin(&path("a"))?;
            sink.begin(&path("b"))
        }),
        ("directory while a file is open", |sink| {
            sink.begin(&path("a"))?;
            sink.directory(&path("b"))
        }),
        ("root as a file", |sink| sink.begin(&DumpPath::root())),
    ];
    for (name, step) in steps {
        let SinkUnderTest { mut sink, published, .. } = make();
        assert_is_misuse(name, step(sink.as_mut()));
        drop(sink);
        assert_eq!(published(), None, "{name}");
    }
    let SinkUnderTest { mut sink, published, .. } = make();
    sink.begin(&path("a")).unwrap();
    assert_is_misuse("publish while a file is open", sink.publish());
    assert_eq!(published(), None);
}

fn publishes_nothing_after_an_error(make: &impl Fn() -> SinkUnderTest) {
    let steps: [(&str, Step); 4] = [
        ("directory", |sink| sink.directory(&path("b"))),
        ("begin", |sink| sink.begin(&path("b"))),
        ("write", |sink| sink.write(b"x")),
        ("end", |sink| sink.end()),
    ];
    for (name, step) in steps {
        let SinkUnderTest { mut sink, published, .. } = make();
        sink.end().unwrap_err();
        assert_is_misuse(name, step(sink.as_mut()));
        assert_is_misuse(name, sink.publish());
        assert_eq!(published(), None, "{name}");
    }
}

fn publishes_nothing_when_given_up(make: &impl Fn() -> SinkUnderTest) {
    for abort in [false, true] {
        for open in [false, true] {
            let SinkUnderTest { mut sink, published, .. } = make();
            create(sink.as_mut(), "a/b").unwrap();
            if open {
                sink.begin(&path("c")).unwrap();
                sink.write(b"half").unwrap();
            }
            if abort {
                sink.abort().unwrap();
            } else {
                drop(sink);
            }
            assert_eq!(published(), None);
        }
    }
}

fn assert_is_misuse<T>(name: &str, result: Result<T, Error>) {
    match result {
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Sink(SinkError::Misuse { .. })), "{name}: {error}");
        }
        Ok(_) => panic!("{name} was accepted"),
    }
}
