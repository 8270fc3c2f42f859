use super::*;
use ekv_model::{Cancelled, Monitor, NoMonitor};
use ekv_snapshot::ErrorKind;
use ekv_spill::SystemScratch;
use std::fs;
use std::io;
use std::path::PathBuf;

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

/// Section 17.1: the first snapshot of a fresh node.
const FRESH: &[u8] = b"EKVTHLC1\0\0\0\0\0\0\0\0EKVPBBL1\0\0\0\0\0\0\0\0\x60\x1f\xf4\x84";

fn content(input: &Input) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(input.len).unwrap()];
    assert_eq!(input.fill_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

fn opened(path: &Path) -> OpenedSnapshot {
    match open(path, &Resources::DEFAULT, &scratch(), &NoMonitor).unwrap() {
        Opened::Snapshot(snapshot) => snapshot,
        Opened::DataDirectory(_) | Opened::OffloadStore(_) => panic!("a directory"),
    }
}

/// Keeps a stream as standard input is kept.
fn spooled_with(stream: impl Read, resources: &Resources, monitor: &dyn Monitor) -> Result<OpenedSnapshot> {
    spool(stream, STANDARD_INPUT, &Spooling { resources, scratch: &scratch(), monitor, is_other: false })
}

fn failure(path: &Path) -> Error {
    open(path, &Resources::DEFAULT, &scratch(), &NoMonitor).map(drop).unwrap_err()
}

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Dir(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

#[test]
fn footer_is_required_exactly_in_a_folder_named_fsm_snap() {
    let dir = Dir::new();
    let inside = dir.write("n1/fsm-snap/00000000000007d1.fsm", FRESH);
    let snapshot = opened(&inside);
    assert_eq!((snapshot.input.footer, snapshot.snapshot_index), (FooterPolicy::Required, Some(2001)));
    assert_eq!(content(&snapshot.input), FRESH);
    assert!(!snapshot.was_compressed);
    for name in ["loose.fsm", "fsm-snap-copy/x.fsm", "fsm-snap/deeper/x.fsm"] {
        let snapshot = opened(&dir.write(name, FRESH));
        assert_eq!((snapshot.input.footer, snapshot.snapshot_index), (FooterPolicy::Optional, None), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn link_into_a_folder_named_fsm_snap_keeps_the_footer_required() {
    let dir = Dir::new();
    let inside = dir.write("n1/fsm-snap/0000000000000001.fsm", FRESH);
    let link = dir.0.path().join("latest.fsm");
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    assert_eq!(opened(&link).input.footer, FooterPolicy::Required);
}

#[test]
fn directory_leads_to_its_groups() {
    let dir = Dir::new();
    dir.write("n1/group-7/fsm-snap/0000000000000001.fsm", FRESH);
    let Opened::DataDirectory(groups) = open(dir.0.path(), &Resources::DEFAULT, &scratch(), &NoMonitor).unwrap() else {
        panic!("a file")
    };
    assert_eq!(groups.iter().map(|group| group.group_id).collect::<Vec<_>>(), [Some(7)]);
    fs::create_dir(dir.0.path().join("empty")).unwrap();
    assert!(matches!(failure(&dir.0.path().join("empty")).kind(), ErrorKind::NotFound { .. }));
}

#[test]
fn missing_file_is_an_error_that_names_it_as_the_user_did() {
    let error = failure(Path::new("no/such/snapshot.fsm"));
    assert_eq!(error.to_string(), "no/such/snapshot.fsm: cannot open the file");
}

/// Opens a named pipe into which `bytes` are written.
#[cfg(unix)]
fn through_a_pipe(bytes: &[u8]) -> Result<OpenedSnapshot> {
    let dir = Dir::new();
    let pipe = dir.0.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::thread::scope(|scope| {
        // A writer whose bytes are not wanted any more is told so.
        scope.spawn(|| drop(fs::write(&pipe, bytes)));
        match open(&pipe, &Resources::DEFAULT, &scratch(), &NoMonitor)? {
            Opened::Snapshot(snapshot) => Ok(snapshot),
            Opened::DataDirectory(_) | Opened::OffloadStore(_) => panic!("a directory"),
        }
    })
}

#[cfg(unix)]
#[test]
fn named_pipe_is_read_as_standard_input_is() {
    let snapshot = through_a_pipe(FRESH).unwrap();
    assert_eq!(content(&snapshot.input), FRESH);
    assert_eq!((snapshot.input.footer, snapshot.snapshot_index), (FooterPolicy::Optional, None));
    assert!(snapshot.input.name.ends_with("/pipe"), "{}", snapshot.input.name);
    assert_eq!(through_a_pipe(b"").unwrap().input.len, 0);
    assert_eq!(opened(Path::new("/dev/null")).input.len, 0);
}

#[cfg(unix)]
#[test]
fn socket_is_refused() {
    let dir = Dir::new();
    let socket = dir.0.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(matches!(failure(&socket).kind(), ErrorKind::Io { .. } | ErrorKind::NotRegular { .. }));
}

/// Gives its bytes one by one, with interruptions, and then an error if it has one.
struct Trickle<'a>(&'a [u8], bool, Option<io::Error>);

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        match (self.0.split_first(), self.2.take()) {
            (Some((byte, rest)), failure) => {
                (buf[0], self.0, self.2) = (*byte, rest, failure);
                Ok(1)
            }
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(0),
        }
    }
}

#[test]
fn stream_is_copied_whole_however_small_its_pieces() {
    for bytes in [&b"a"[..], b"abc", FRESH] {
        let snapshot = spooled_with(Trickle(bytes, false, None), &Resources::DEFAULT, &NoMonitor).unwrap();
        assert_eq!(content(&snapshot.input), bytes);
        assert_eq!((snapshot.input.name.as_str(), snapshot.input.footer), ("standard input", FooterPolicy::Optional));
    }
}

#[test]
fn failing_stream_is_an_error_of_standard_input() {
    let broken = io::Error::from_raw_os_error(5);
    let error =
        spooled_with(Trickle(FRESH, false, Some(broken)), &Resources::DEFAULT, &NoMonitor).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { .. }));
    assert_eq!(error.to_string(), "standard input: cannot read the snapshot");
}

/// What begins like a snapshot and never ends.
fn endless() -> impl Read {
    FRESH[..32].chain(io::repeat(7))
}

#[test]
fn stream_that_does_not_begin_like_a_snapshot_is_refused_before_anything_is_kept() {
    struct NoScratch;
    impl Scratch for NoScratch {
        fn create(&self) -> ekv_spill::Result<fs::File> {
            panic!("a scratch file is made")
        }
        fn place(&self) -> String {
            String::new()
        }
    }
    let scratch: Arc<dyn Scratch> = Arc::new(NoScratch);
    let spooling = Spooling { resources: &Resources::DEFAULT, scratch: &scratch, monitor: &NoMonitor, is_other: false };
    let error = spool(io::repeat(7), STANDARD_INPUT, &spooling).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnknownMagic { .. }), "{error}");
    let header_of_later_servers = b"EKVTHLC9".chain(io::repeat(0));
    let error = spool(header_of_later_servers, STANDARD_INPUT, &spooling).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::HeaderVersion { found: '9' }), "{error}");
}

#[test]
fn stream_of_more_bytes_than_allowed_is_refused_and_one_of_as_many_is_not() {
    let limit = |bytes_max| Resources { bytes_max: Some(bytes_max), ..Resources::DEFAULT };
    let len = u64::try_from(FRESH.len()).unwrap();
    assert!(spooled_with(FRESH, &limit(len), &NoMonitor).is_ok());
    let streams: [(Box<dyn Read>, u64); 2] = [(Box::new(FRESH), len - 1), (Box::new(endless()), 1 << 20)];
    for (stream, max) in streams {
        let error = spooled_with(stream, &limit(max), &NoMonitor).map(drop).unwrap_err();
        let expected = format!("standard input: the snapshot has more than {max} bytes; --max-bytes allows more");
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.class(), ekv_model::Class::Data);
    }
}

#[test]
fn copying_stops_when_the_watcher_says_so() {
    struct Stop;
    impl Monitor for Stop {
        fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
            assert!(bytes <= 1 << 20, "copied on after the request to stop");
            Err(Cancelled)
        }
    }
    let error = spooled_with(endless(), &Resources::DEFAULT, &Stop).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Cancelled));
}

#[cfg(not(feature = "zstd"))]
#[test]
fn compressed_snapshot_is_refused_with_a_way_out_by_a_build_without_zstd() {
    let error = failure(&Dir::new().write("x.zst", &[0x28, 0xb5, 0x2f, 0xfd, 0]));
    assert!(matches!(error.kind(), ErrorKind::UnsupportedForm { .. }));
    assert!(error.to_string().contains("zstd -d"), "{error}");
}

#[cfg(feature = "zstd")]
mod compressed {
    use super::*;
    use ekv_files::compressed::EXPANSION_FREE_LEN;
    use ekv_testkit::CountedScratch;

    fn compress(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    #[test]
    fn compressed_file_keeps_the_rules_of_its_place_and_name() {
        let dir = Dir::new();
        let snapshot = opened(&dir.write("n1/fsm-snap/0000000000000064.fsm.zst", &compress(FRESH)));
        assert_eq!(content(&snapshot.input), FRESH);
        assert_eq!((snapshot.input.footer, snapshot.snapshot_index), (FooterPolicy::Required, Some(100)));
        assert!(snapshot.was_compressed);
        assert!(snapshot.input.name.ends_with("0000000000000064.fsm.zst (decompressed)"));
        // The bytes decide, not the name.
        let unnamed = opened(&dir.write("copy", &compress(FRESH)));
        assert_eq!((content(&unnamed.input).as_slice(), unnamed.snapshot_index), (FRESH, None));
    }

    #[test]
    fn compressed_stream_of_several_frames_is_read_to_its_end() {
        let frames = [compress(&FRESH[..10]), compress(&FRESH[10..])].concat();
        let snapshot = spooled_with(Trickle(&frames, false, None), &Resources::DEFAULT, &NoMonitor).unwrap();
        assert_eq!(content(&snapshot.input), FRESH);
        assert_eq!(snapshot.input.name, "standard input (decompressed)");
    }

    #[test]
    fn damaged_or_cut_compressed_bytes_are_invalid_data() {
        let dir = Dir::new();
        let mut checked = zstd::Encoder::new(Vec::new(), 3).unwrap();
        checked.include_checksum(true).unwrap();
        io::Write::write_all(&mut checked, FRESH).unwrap();
        let good = checked.finish().unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for (name, bytes) in [("flipped", &flipped[..]), ("cut", &good[..good.len() - 3]), ("magic", &good[..4])] {
            let error = failure(&dir.write(name, bytes));
            assert!(matches!(error.kind(), ErrorKind::Invalid { structure: "zstd stream", .. }), "{name}: {error}");
        }
    }

    #[test]
    fn failing_stream_is_not_mistaken_for_damaged_data() {
        let bytes = compress(FRESH);
        let broken = Trickle(&bytes[..6], false, Some(io::Error::from_raw_os_error(5)));
        let error = spooled_with(broken, &Resources::DEFAULT, &NoMonitor).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
    }

    #[test]
    fn file_that_begins_with_a_skippable_frame_is_decompressed_from_a_file_and_a_pipe() {
        let skippable = b"\x50\x2a\x4d\x18\x04\0\0\0size";
        for bytes in [
            &[&skippable[..], &compress(FRESH)].concat(),
            &[&skippable[..], &compress(b""), skippable, &compress(FRESH), skippable].concat(),
        ] {
            let dir = Dir::new();
            let snapshot = opened(&dir.write("n1/fsm-snap/0000000000000064.fsm.zst", bytes));
            assert_eq!(content(&snapshot.input), FRESH);
            assert_eq!((snapshot.snapshot_index, snapshot.was_compressed), (Some(100), true));
            let snapshot = spooled_with(Trickle(bytes, false, None), &Resources::DEFAULT, &NoMonitor).unwrap();
            assert_eq!(content(&snapshot.input), FRESH);
        }
    }

    #[test]
    fn compressed_data_of_nothing_are_nothing() {
        let skippable = b"\x5f\x2a\x4d\x18\0\0\0\0".to_vec();
        for bytes in [compress(b""), skippable.clone(), [compress(b""), skippable, compress(b"")].concat()] {
            assert_eq!(opened(&Dir::new().write("x.zst", &bytes)).input.len, 0);
            assert_eq!(spooled_with(&bytes[..], &Resources::DEFAULT, &NoMonitor).unwrap().input.len, 0);
        }
    }

    #[test]
    fn what_grows_beyond_its_limit_is_refused_with_the_option_that_allows_more() {
        let mut bytes = FRESH[..32].to_vec();
        bytes.resize(usize::try_from(EXPANSION_FREE_LEN).unwrap() + 1, 0);
        let compressed = compress(&bytes);
        let limit = |expansion_max| Resources { expansion_max, ..Resources::DEFAULT };
        assert!(spooled_with(&compressed[..], &limit(40_000), &NoMonitor).is_ok());
        let error = spooled_with(&compressed[..], &limit(10), &NoMonitor).map(drop).unwrap_err();
        assert!(
            error.to_string().ends_with("more than 10 bytes for each compressed one; --max-expansion allows more"),
            "{error}"
        );
    }

    #[test]
    fn scratch_space_of_a_compressed_snapshot_is_at_most_what_its_length_allows() {
        let zeros = vec![0; 40 << 20];
        let begins_well = [&FRESH[..32], &zeros].concat();
        for (bytes, expansion_max) in [(&zeros, 1), (&begins_well, 1), (&begins_well, 1000), (&begins_well, 100_000)] {
            let compressed = compress(bytes);
            let counted = Arc::new(CountedScratch::new());
            let scratch: Arc<dyn Scratch> = counted.clone();
            let resources = Resources { expansion_max, ..Resources::DEFAULT };
            let spooling = Spooling { resources: &resources, scratch: &scratch, monitor: &NoMonitor, is_other: false };
            let kept = spool(&compressed[..], STANDARD_INPUT, &spooling);
            let len = u64::try_from(compressed.len()).unwrap();
            let (allowed, whole) = ((len * expansion_max).max(EXPANSION_FREE_LEN), u64::try_from(bytes.len()).unwrap());
            assert_eq!(kept.is_ok(), allowed >= whole && bytes.starts_with(b"EKV"));
            let expected = if bytes.starts_with(b"EKV") { allowed.min(whole) } else { 0 };
            assert!(counted.bytes() <= expected, "{} of {expected} bytes", counted.bytes());
        }
    }

    #[test]
    fn window_above_the_limit_is_refused_with_a_way_out() {
        // A frame header that asks for a window of 256 MiB, and an empty last block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (28 - 10) << 3, 0x01, 0x00, 0x00];
        let accepted = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00, 0x00];
        let dir = Dir::new();
        assert_eq!(opened(&dir.write("128", &accepted)).input.len, 0);
        let error = failure(&dir.write("256", &frame));
        assert!(matches!(error.kind(), ErrorKind::UnsupportedForm { .. }), "{error}");
        assert!(error.to_string().contains("zstd -d --long=31"), "{error}");
    }
}
