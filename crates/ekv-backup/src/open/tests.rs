use super::*;
use ekv_snapshot::NoWatch;
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
    match open(path, &scratch(), &NoWatch).unwrap() {
        Opened::Snapshot(snapshot) => snapshot,
        Opened::DataDirectory(_) => panic!("a data directory"),
    }
}

fn failure(path: &Path) -> Error {
    open(path, &scratch(), &NoWatch).map(drop).unwrap_err()
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
    let Opened::DataDirectory(groups) = open(dir.0.path(), &scratch(), &NoWatch).unwrap() else { panic!("a file") };
    assert_eq!(groups.iter().map(|group| group.group_id).collect::<Vec<_>>(), [Some(7)]);
    fs::create_dir(dir.0.path().join("empty")).unwrap();
    assert!(matches!(failure(&dir.0.path().join("empty")).kind(), ErrorKind::NotFound { .. }));
}

#[test]
fn missing_file_is_an_error_that_names_it_as_the_user_did() {
    let error = failure(Path::new("no/such/snapshot.fsm"));
    assert_eq!(error.to_string(), "no/such/snapshot.fsm: cannot open the file");
}

#[cfg(unix)]
#[test]
fn named_pipe_is_refused_without_waiting_for_a_writer() {
    let dir = Dir::new();
    let pipe = dir.0.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(failure(&pipe).to_string().contains("a named pipe"));
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
        let snapshot = open_stream(Trickle(bytes, false, None), &scratch(), &NoWatch).unwrap();
        assert_eq!(content(&snapshot.input), bytes);
        assert_eq!((snapshot.input.name.as_str(), snapshot.input.footer), ("standard input", FooterPolicy::Optional));
    }
}

#[test]
fn stream_to_which_nothing_was_written_is_no_snapshot() {
    let error = open_stream(io::empty(), &scratch(), &NoWatch).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "standard input: no snapshot here: it is empty");
}

#[test]
fn failing_stream_is_an_error_of_standard_input() {
    let broken = io::Error::from_raw_os_error(5);
    let error = open_stream(Trickle(FRESH, false, Some(broken)), &scratch(), &NoWatch).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { .. }));
    assert_eq!(error.to_string(), "standard input: cannot read the snapshot");
}

#[test]
fn copying_stops_when_the_watcher_says_so() {
    struct Stop;
    impl Watch for Stop {
        fn progress(&self, byte_offset: u64) -> Result<()> {
            assert!(byte_offset <= 1 << 20, "copied on after the request to stop");
            Err(Error::new(ErrorKind::Cancelled))
        }
    }
    let error = open_stream(io::repeat(7), &scratch(), &Stop).map(drop).unwrap_err();
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
        let snapshot = open_stream(Trickle(&frames, false, None), &scratch(), &NoWatch).unwrap();
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
        let error = open_stream(broken, &scratch(), &NoWatch).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
    }

    #[test]
    fn window_above_the_limit_is_refused() {
        // A frame header that asks for a window of 256 MiB, and an empty last block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (28 - 10) << 3, 0x01, 0x00, 0x00];
        let accepted = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00, 0x00];
        let dir = Dir::new();
        assert_eq!(opened(&dir.write("128", &accepted)).input.len, 0);
        let error = failure(&dir.write("256", &frame));
        assert!(matches!(error.kind(), ErrorKind::Invalid { .. }), "{error}");
    }
}
