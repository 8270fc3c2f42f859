//! The files of a new member's data directory: how they are written, and how they are read back before anybody sees them.
//!
//! Source: `docs/format/restore.md`, sections 7.2 and 8.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use ekv_files::DumpPath;
use ekv_files::sink::{DirSink, DrySink, Sink};
use ekv_model::{Class, Monitor, Result};
use ekv_node::datadir;
use ekv_node::raft::peers::{PEERS_FILE, Peers};
use ekv_node::raft::wal::{self, HardState, WAL_PATH, Wal};
use ekv_node::snapfile::{self, ConfState, SnapData, SnapFile, SnapMetadata, Token};
use ekv_snapshot::server_file::{FramedPayload, ServerFrame, ceiling_ms, verify_footer};
use ekv_snapshot::{CommitTs, ErrorKind, FooterPolicy, Header, Input, RestorablePayload, RestorableTotals};
use sha2::{Digest, Sha256};

use super::encode_info::format_sha256;
use super::{Payload, PeerList, RestoreError};

/// Longest peers file that is read back, in bytes; 1024 members with the longest texts need less.
const PEERS_LEN_MAX: u64 = 4 << 20;

/// A sink whose files can be read back before they are published.
pub(super) trait ReadableSink: Sink {
    /// Opens a file that was written.
    fn open_staged(&mut self, path: &DumpPath) -> ekv_files::Result<File>;
}

impl ReadableSink for DirSink {
    fn open_staged(&mut self, path: &DumpPath) -> ekv_files::Result<File> {
        DirSink::open_staged(self, path)
    }
}

impl ReadableSink for DrySink {
    fn open_staged(&mut self, path: &DumpPath) -> ekv_files::Result<File> {
        DrySink::open_staged(self, path)
    }
}

/// Where the new member begins.
pub(super) struct Beginning<'a> {
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) peers: &'a PeerList,
}

/// What the payload turned out to be while it was copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) totals: RestorableTotals,
    /// Without header and footer, in bytes.
    pub(super) payload_len: u64,
    pub(super) sha256: [u8; 32],
    /// Checksum of the server file, which the token states.
    pub(super) crc32c: u32,
}

impl Beginning<'_> {
    /// Paths of the files, relative to the data directory, in the order in which they are written.
    pub(super) fn paths(&self) -> [String; 4] {
        let (fsm, snap) = (datadir::fsm_path(self.index), datadir::snap_path(self.term, self.index));
        [fsm, snap, WAL_PATH.to_owned(), PEERS_FILE.to_owned()]
    }

    /// Writes the `.fsm` file: copies the payload, and checks and hashes what is copied.
    pub(super) fn write_payload(
        &self,
        stage: &mut dyn ReadableSink,
        payload: &Payload,
        entries_max: Option<u64>,
        monitor: &dyn Monitor,
    ) -> Result<Copied> {
        let mut framed = FramedPayload::open(&payload.input)?;
        let source = framed.as_ref().map_or(&payload.input, |framed| &framed.payload).clone();
        let (mut frame, header) = ServerFrame::begin(CommitTs(payload.info.last_commit_ts));
        let mut sha256 = Sha256::new();
        let mut reader = RestorablePayload::new(&source, monitor).at_most(entries_max.unwrap_or(u64::MAX));
        let [fsm, ..] = self.paths();
        stage.begin(&dump_path(&fsm)?)?;
        stage.write(&header)?;
        while let Some(piece) = reader.next_piece()? {
            sha256.update(piece);
            frame.update(piece);
            if let Some(framed) = &mut framed {
                framed.frame.update(piece);
            }
            stage.write(piece)?;
        }
        stage.write(&frame.footer())?;
        stage.end()?;
        if let Some(framed) = framed {
            framed.finish()?;
        }
        let copied = Copied {
            totals: reader.totals(),
            payload_len: source.len,
            sha256: sha256.finalize().into(),
            crc32c: frame.crc32c(),
        };
        copied.check(payload)?;
        Ok(copied)
    }

    /// Writes the `.fsm` file of a stream that has its header already, byte by byte as it is; `crc32c` is that of all of it.
    pub(super) fn write_stream(
        &self,
        stage: &mut dyn ReadableSink,
        stream: &Input,
        crc32c: u32,
        monitor: &dyn Monitor,
    ) -> Result<[u8; 32]> {
        let [fsm, ..] = self.paths();
        let (mut sha256, mut reader) = (Sha256::new(), stream.reader(0, stream.len));
        let mut buffer = vec![0; ekv_model::CHUNK_LEN];
        stage.begin(&dump_path(&fsm)?)?;
        loop {
            let len = reader.read(&mut buffer).map_err(|error| ekv_snapshot::Error::io("read the payload", error))?;
            let piece = buffer.get(..len).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            sha256.update(piece);
            stage.write(piece)?;
            monitor.advance(u64::try_from(len).unwrap_or(u64::MAX))?;
        }
        stage.write(&crc32c.to_be_bytes())?;
        stage.end()?;
        Ok(sha256.finalize().into())
    }

    /// Writes the three small files.
    pub(super) fn write_raft_files(&self, stage: &mut dyn ReadableSink, copied: &Copied) -> Result<()> {
        let [_, snap, wal, peers] = self.paths();
        let metadata = self.metadata();
        let token = Token { index: self.index, crc32c: copied.crc32c };
        for (path, content) in [
            (snap, snapfile::encode(&metadata, token)?),
            (wal, wal::encode(&metadata)),
            (peers, self.peers_file().encode()?),
        ] {
            stage.begin(&dump_path(&path)?)?;
            stage.write(&content)?;
            stage.end()?;
        }
        Ok(())
    }

    /// Reads all files with readers that share nothing with the writers but the formats, and compares.
    pub(super) fn read_back(
        &self,
        stage: &mut dyn ReadableSink,
        expected: Header,
        copied: &Copied,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let [fsm, snap, wal, peers] = self.paths();
        let token = Token { index: self.index, crc32c: copied.crc32c };
        let found = SnapFile::read(&open(stage, &snap)?).map_err(|error| unreadable(&snap, error))?;
        compare(&snap, &found, &SnapFile { metadata: self.metadata(), data: SnapData::Token(token) })?;

        let found = Wal::read(&open(stage, &wal)?).map_err(|error| unreadable(&wal, error))?;
        let hard_state = Some(HardState { term: self.term, vote: 0, commit: self.index });
        let snapshots = vec![SnapMetadata::default(), self.metadata()];
        compare(&wal, &found, &Wal { snapshots, hard_state, entry_count: 0 })?;

        let mut bytes = Vec::new();
        let mut file = stage.open_staged(&dump_path(&peers)?)?.take(PEERS_LEN_MAX);
        file.read_to_end(&mut bytes).map_err(|source| different(&peers, source))?;
        let found = Peers::decode(&bytes).map_err(|error| unreadable(&peers, error))?;
        compare(&peers, &found, &self.peers_file())?;

        let input = Input { token_crc32c: Some(token.crc32c), ..open(stage, &fsm)? };
        let header = Header::read(&input).map_err(|error| unreadable(&fsm, error))?;
        compare(&fsm, &header, &expected)?;
        let around = header.len().saturating_add(ekv_snapshot::format::FOOTER_LEN);
        compare(&fsm, &input.len, &copied.payload_len.saturating_add(around))?;
        let footer = verify_footer(&input, monitor).map_err(|error| unreadable(&fsm, error))?;
        Ok(compare(&fsm, &footer, &copied.crc32c)?)
    }

    fn metadata(&self) -> SnapMetadata {
        let conf_state = ConfState { voters: self.peers.node_ids(), ..ConfState::default() };
        SnapMetadata { term: self.term, index: self.index, conf_state }
    }

    fn peers_file(&self) -> Peers {
        Peers { index: self.index, peers: self.peers.peers().to_vec(), bootstrap_seed_active: false }
    }
}

/// The header that a payload gets.
pub(super) fn header_of(payload: &Payload) -> Header {
    Header::V1 { ceiling_ms: ceiling_ms(CommitTs(payload.info.last_commit_ts)) }
}

impl Copied {
    /// Compares what was copied with what the info file says.
    fn check(&self, payload: &Payload) -> Result<(), RestoreError> {
        let Payload { input, info } = payload;
        if self.sha256 != info.output_fsm_sha256 {
            let (found, expected) = (format_sha256(&self.sha256), format_sha256(&info.output_fsm_sha256));
            return Err(RestoreError::Sha256 { payload: input.name.clone(), found, expected });
        }
        let found = self.totals.last_commit_ts.0;
        if found != info.last_commit_ts {
            let (payload, expected) = (input.name.clone(), info.last_commit_ts);
            return Err(RestoreError::LastCommitTs { payload, found, expected });
        }
        Ok(())
    }
}

fn dump_path(path: &str) -> ekv_files::Result<DumpPath> {
    Ok(DumpPath::new(path.as_bytes())?)
}

/// A staged file as an input.
fn open(stage: &mut dyn ReadableSink, path: &str) -> Result<Input> {
    let file = stage.open_staged(&dump_path(path)?)?;
    let len = file.metadata().map_err(|source| different(path, source))?.len();
    let footer = FooterPolicy::Required;
    Ok(Input { source: Arc::new(file), len, name: path.to_owned(), footer, token_crc32c: None })
}

/// The error for a file that its reader refuses.
fn unreadable(path: &str, error: ekv_snapshot::Error) -> ekv_model::Error {
    match error.kind() {
        ErrorKind::Cancelled => ekv_model::Error::new(Class::Cancelled, error),
        _ => different(path, error).into(),
    }
}

fn compare<T: PartialEq + std::fmt::Debug>(path: &str, found: &T, expected: &T) -> Result<(), RestoreError> {
    match found == expected {
        true => Ok(()),
        false => Err(different(path, format!("found {found:?}, expected {expected:?}"))),
    }
}

fn different(path: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RestoreError {
    RestoreError::ReadBack { file: path.to_owned(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use ekv_testkit::{FaultyInput, ReadFault, input_of};

    use super::*;

    #[test]
    fn failure_to_read_back_keeps_the_cause_of_the_system() {
        let input = input_of(Arc::new(FaultyInput::new(vec![0; 100], ReadFault::BrokenFrom(0))), 100);
        let error = Wal::read(&input).map_err(|error| unreadable("wal/0.wal", error)).unwrap_err();
        assert_eq!(error.to_string(), "wal/0.wal does not read back as it was written");
        let cause = error.source().and_then(Error::source).unwrap();
        assert!(cause.to_string().ends_with("(os error 5)"), "{cause}");
        assert_eq!(error.class(), Class::WriteIo);
    }
}
