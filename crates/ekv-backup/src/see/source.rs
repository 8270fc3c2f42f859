//! A snapshot, a node's data directory, a dump, an archive, an RDB file or a running server: told apart by what is there, read in one way.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use ekv_dump::manifest::{Adapters, MANIFEST_FILE, StoredManifest};
use ekv_dump::replay::{Checking, ReplayOptions, Replayed, read_manifest};
use ekv_files::DumpPath;
use ekv_files::checksums::CHECKSUMS_FILE;
use ekv_files::source::{ScopedSource, read_error};
use ekv_model::{Consumer, Map, Name, Result};
use ekv_snapshot::CommitTs;
use ekv_spill::Scratch;
use ekv_text::hex::hex;
use sha2::{Digest as _, Sha256};

use crate::dump_source::{index_note, open_archive_stream};
use crate::input_place::{InputPlace, STANDARD_INPUT, open_stream};
use crate::loaded::ReadOptions;
use crate::losses::{dump_loss_of, first_losses};
use crate::open::kind::Kind;
use crate::open::open_snapshot_stream;
use crate::pipe::{Books, Events, Header};
use crate::progress::{Phase, Progress};
use crate::rdb::{RdbEvents, RdbFile};
use crate::server::{LiveServer, ServerEvents, ServerTarget};
use crate::time::{format_commit_ts, format_unix_ms};
use crate::{CommandError, DumpEvents, EventOptions, Protocol, ReadTime, Store, StoreEvents, open_dump};

/// Memory for sorting while a dump is read, in bytes.
const DUMP_SORT_LEN: usize = 12 << 20;
/// Bytes of a stream that are looked at before it is known what it is: more than the first block of compressed data.
const STREAM_HEAD_LEN: u64 = 256 << 10;

/// Something that holds keys, tables, buckets and queues, open and checked as far as that is possible before its data are read.
pub enum Source {
    /// A snapshot, or the newest sound snapshots of a node: all checks have passed.
    Store(Box<Store>),
    /// A dump, in a directory or an archive: its files are compared with CHECKSUMS as they are read.
    Dump(Box<OpenDump>),
    /// An RDB file of Redis or Valkey: its structure and its checksum have proved sound.
    Rdb(Box<RdbFile>),
    /// A running server of Redis or Valkey, which changes while it is read.
    Server(Box<LiveServer>),
}

/// A dump of which the manifest has been read.
pub struct OpenDump {
    files: Box<dyn ScopedSource>,
    manifest: StoredManifest,
}

/// What became of everything that was read.
pub enum SourceBooks {
    /// Of a snapshot, a node, an RDB file or a running server.
    Store(Box<Books>),
    /// Of a dump.
    Dump(Box<Replayed>),
}

impl Source {
    /// Opens what `input` names: a file, a directory, a pipe, or `-` for standard input, of which their content tells what it is; or a running
    /// server by its address.
    ///
    /// # Errors
    /// As [`Store::open`] and [`open_dump`]; for a dump also a time to read at, since a dump holds one moment, and one that is older than
    /// `read` wants it.
    pub fn open(input: &Path, read: &ReadOptions, progress: &dyn Progress) -> Result<Source> {
        let source = Source::open_beside(input, read, progress)?;
        match (read.at, &source) {
            (Some(at), Source::Dump(_)) => source.at(at, progress),
            (Some(_), Source::Rdb(file)) => file.check_states_no_moment().map(|()| source).map_err(Into::into),
            _ => Ok(source),
        }
    }

    /// As [`Source::open`], but a dump or an RDB file is opened whatever time is asked for: it holds its own.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open_beside(input: &Path, read: &ReadOptions, progress: &dyn Progress) -> Result<Source> {
        Source::open_as(input, read, true, progress)
    }

    /// As [`Source::open`], but a dump is refused.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub(crate) fn open_but_dump(input: &Path, read: &ReadOptions, progress: &dyn Progress) -> Result<Source> {
        let source = Source::open_as(input, read, false, progress)?;
        match (read.at, &source) {
            (Some(_), Source::Rdb(file)) => file.check_states_no_moment().map(|()| source).map_err(Into::into),
            _ => Ok(source),
        }
    }

    fn open_as(input: &Path, read: &ReadOptions, takes_dumps: bool, progress: &dyn Progress) -> Result<Source> {
        if let Some(address) = ServerTarget::address_in(input) {
            return Ok(Source::Server(Box::new(LiveServer::open(address, read)?)));
        }
        let kind = || Kind::of_file(input).map(|(kind, _)| kind);
        match InputPlace::of(input) {
            Ok(InputPlace::Directory) if takes_dumps && input.join(MANIFEST_FILE).exists() => {
                Source::of_dump(input, open_dump(input, &read.resources)?, read)
            }
            Ok(InputPlace::File) if takes_dumps && kind() == Some(Kind::Tar) => {
                Source::of_dump(input, open_dump(input, &read.resources)?, read)
            }
            Ok(InputPlace::File) if kind() == Some(Kind::Rdb) => {
                Ok(Source::Rdb(Box::new(RdbFile::open(input, read, progress)?)))
            }
            Ok(InputPlace::StandardInput) => {
                Source::of_stream(input, STANDARD_INPUT, io::stdin().lock(), read, takes_dumps, progress)
            }
            Ok(InputPlace::Stream | InputPlace::Object) => {
                let name = input.display().to_string();
                let stream = open_stream(input)
                    .map_err(|error| ekv_snapshot::Error::io("open the file", error).in_file(&name))?;
                Source::of_stream(input, &name, stream, read, takes_dumps, progress)
            }
            _ => Ok(Source::Store(Box::new(Store::open(input, read, progress)?))),
        }
    }

    fn of_stream(
        input: &Path,
        name: &str,
        mut stream: impl Read,
        read: &ReadOptions,
        takes_dumps: bool,
        progress: &dyn Progress,
    ) -> Result<Source> {
        let mut head = Vec::new();
        let looked = stream.by_ref().take(STREAM_HEAD_LEN).read_to_end(&mut head);
        looked.map_err(|error| ekv_snapshot::Error::io("read the stream", error).in_file(name))?;
        let kind = Kind::of_beginning(&head);
        let whole = head.as_slice().chain(stream);
        if kind == Some(Kind::Rdb) {
            return Ok(Source::Rdb(Box::new(RdbFile::of_stream(whole, name, read, progress)?)));
        }
        if kind == Some(Kind::Tar) && takes_dumps {
            return Source::of_dump(input, open_archive_stream(input, whole, &read.resources)?, read);
        }
        let scratch = read.resources.scratch();
        progress.begin(Phase::Check, None);
        let opened = open_snapshot_stream(whole, name, &read.resources, &scratch, progress)?;
        Ok(Source::Store(Box::new(Store::of_input(opened.input, read, &scratch, progress)?)))
    }

    fn of_dump(input: &Path, mut files: Box<dyn ScopedSource>, read: &ReadOptions) -> Result<Source> {
        let manifest = read_manifest(files.as_mut(), &read.resources.scratch())?;
        let newest = CommitTs(manifest.manifest.last_commit_ts);
        if let Some(limit) = read.not_before_ms.filter(|limit| newest.unix_ms() < *limit) {
            let (file, end, limit) = (input.display().to_string(), format_commit_ts(newest), format_unix_ms(limit));
            return Err(CommandError::TooOld { file, end, limit }.into());
        }
        Ok(Source::Dump(Box::new(OpenDump { files, manifest })))
    }

    /// Why all of an archive was read, where its index would have saved that; known in the end.
    pub fn index_note(&self) -> Option<String> {
        match self {
            Source::Store(_) | Source::Rdb(_) | Source::Server(_) => None,
            Source::Dump(dump) => index_note(dump.files.as_ref()),
        }
    }

    /// Adapters whose data the source leaves out, if it is a dump that was made so, or cannot hold although `other` does, if it is an RDB file.
    pub(crate) fn left_out(&self, other: &Source) -> Vec<Protocol> {
        let held = |adapter: &Protocol| match self {
            Source::Store(_) => true,
            Source::Dump(dump) => {
                let StoredManifest { manifest, account, .. } = &dump.manifest;
                // What is not told of is not there, if nothing of the store was left out or lost.
                let has_all = account.choices.is_empty() && account.loss_count == 0;
                let may_be_nothing = !Adapters::tells_of_nothing(*adapter) && (has_all || !other.has_data_of(*adapter));
                manifest.adapters.has(*adapter) || may_be_nothing
            }
            Source::Rdb(_) | Source::Server(_) => *adapter == Protocol::Redis || !other.has_data_of(*adapter),
        };
        Protocol::IN_DUMPS.into_iter().filter(|adapter| !held(adapter)).collect()
    }

    /// Whether there are data of an adapter.
    pub(crate) fn has_data_of(&self, adapter: Protocol) -> bool {
        match self {
            Source::Store(store) => store.has_data_of(adapter),
            Source::Dump(dump) => !dump.manifest.manifest.adapters.scopes(adapter).is_empty(),
            Source::Rdb(_) | Source::Server(_) => adapter == Protocol::Redis,
        }
    }

    /// The filters with which it was made, if it is a part.
    pub fn selection(&self) -> Option<&str> {
        match self {
            Source::Store(_) | Source::Rdb(_) | Source::Server(_) => None,
            Source::Dump(dump) => dump.manifest.account.selection.as_deref(),
        }
    }

    /// The same store at another moment. See [`Store::at`].
    ///
    /// # Errors
    /// As [`Store::at`]; [`CommandError::OneMoment`] for a dump.
    pub fn at(&self, at: ReadTime, progress: &dyn Progress) -> Result<Source> {
        match self {
            Source::Store(store) => Ok(Source::Store(Box::new(store.at(Some(at), progress)?))),
            Source::Dump(dump) => {
                let time = format_commit_ts(CommitTs(dump.manifest.read_ts()));
                Err(CommandError::OneMoment { time }.into())
            }
            Source::Rdb(_) | Source::Server(_) => Err(CommandError::NoVersions.into()),
        }
    }

    /// The moment that it holds, if it is one without versions.
    pub fn moment_of_dump(&self) -> Option<CommitTs> {
        (!matches!(self, Source::Store(_))).then(|| CommitTs(self.header().read_ts))
    }

    /// The moment that is read, in Unix milliseconds.
    pub fn moment_ms(&self) -> u64 {
        CommitTs(self.header().read_ts).unix_ms()
    }

    /// What is known before the first event.
    pub fn header(&self) -> Header {
        match self {
            Source::Store(store) => store.header(),
            Source::Rdb(file) => file.header(),
            Source::Server(server) => server.header(),
            Source::Dump(dump) => {
                let manifest = &dump.manifest.manifest;
                Header {
                    read_ts: dump.manifest.read_ts(),
                    last_commit_ts: manifest.last_commit_ts,
                    snapshot_index: Some(manifest.snapshot_index),
                    ..Header::default()
                }
            }
        }
    }

    /// What tells it from other sources: of a dump the SHA-256 of CHECKSUMS, else its moment and its checksum.
    ///
    /// # Errors
    /// CHECKSUMS that cannot be read; a running server, which is another one each time.
    pub(crate) fn identity(&mut self) -> Result<String> {
        if let Source::Server(_) = self {
            let text = "a running server changes, and nothing tells what of it was there before: decode it first, and go on with the dump";
            return Err(ekv_model::Error::new(ekv_model::Class::Environment, text));
        }
        if let Source::Dump(dump) = self {
            return Ok(format!("sha256:{}", hex(&dump.sum_of_checksums()?)));
        }
        let Header { read_ts, last_commit_ts, footer_crc32c, .. } = self.header();
        let crc = footer_crc32c.map(|crc| format!(" crc32c:{crc:08x}")).unwrap_or_default();
        Ok(format!("hlc:{last_commit_ts} at hlc:{read_ts}{crc}"))
    }

    /// Hands what `options` select to `consumer`, in the order that `ekv_model` prescribes for each protocol; may be called again. The books
    /// say which filters nothing met; how much has passed is for the consumer to count.
    ///
    /// # Errors
    /// As [`Events::pour`].
    pub fn pour(
        &mut self,
        options: &EventOptions,
        consumer: &mut dyn Consumer,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<SourceBooks> {
        self.pour_to(options, consumer, false, scratch, progress)
    }

    /// As [`Source::pour`]; a consumer that `is_watching` which filters are met is not told by the books.
    pub(crate) fn pour_to(
        &mut self,
        options: &EventOptions,
        consumer: &mut dyn Consumer,
        is_watching: bool,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<SourceBooks> {
        match self {
            Source::Store(store) => {
                let events = StoreEvents::of(store, options, progress)?;
                // Without filters there is nothing to watch.
                let mut events = if options.is_selection() && !is_watching { events } else { events.unwatched() };
                let books = events.pour(consumer, Phase::Look, scratch, progress)?;
                Ok(SourceBooks::Store(Box::new(books)))
            }
            Source::Rdb(file) => {
                let books = RdbEvents::of(file, options)?.pour(consumer, Phase::Look, scratch, progress)?;
                Ok(SourceBooks::Store(Box::new(books)))
            }
            Source::Server(server) => {
                let books = ServerEvents::of(server, options)?.pour(consumer, Phase::Look, scratch, progress)?;
                Ok(SourceBooks::Store(Box::new(books)))
            }
            Source::Dump(dump) => {
                let has_one_database =
                    dump.manifest.manifest.adapters.scopes(Protocol::Redis).iter().all(|name| name == "0");
                let replay = ReplayOptions {
                    included: Map::only(&options.adapters),
                    scope: Arc::clone(&options.scope),
                    // Names without a database may be in any.
                    checking: if has_one_database { options.checking } else { Checking::All },
                    memory_budget: DUMP_SORT_LEN,
                };
                let mut events = DumpEvents::of(dump.files.as_mut(), &dump.manifest.manifest, replay);
                let replayed = events.pour(consumer, Phase::Look, scratch, progress)?;
                Ok(SourceBooks::Dump(Box::new(replayed)))
            }
        }
    }
}

impl OpenDump {
    /// What the manifest says.
    pub fn manifest(&self) -> &StoredManifest {
        &self.manifest
    }

    fn sum_of_checksums(&mut self) -> Result<[u8; 32]> {
        let mut content =
            self.files.open_file(&DumpPath::new(CHECKSUMS_FILE.as_bytes()).map_err(ekv_files::Error::from)?)?;
        let (mut sum, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
        loop {
            match content.read(&mut buffer).map_err(|error| read_error(error).at(CHECKSUMS_FILE.as_bytes()))? {
                0 => return Ok(sum.finalize().into()),
                len => sum.update(buffer.get(..len).unwrap_or_default()),
            }
        }
    }

    /// The first `count` things that were lost when the dump was made, a line each.
    pub(crate) fn first_losses(&mut self, count: usize) -> Vec<String> {
        first_losses(self.files.as_mut(), &self.manifest.account, count)
    }

    /// What says that a thing was lost when the dump was made, in a line.
    pub(crate) fn loss_of(&mut self, name: &Name) -> Option<String> {
        dump_loss_of(self.files.as_mut(), &self.manifest.account, name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use ekv_model::{Class, Event, Things};
    use ekv_testkit::fixtures::REDIS_1;

    use super::*;
    use crate::{DecodeOptions, DumpTarget, NewName, NoProgress, decode, pack};

    /// Counts things and the bytes in them.
    #[derive(Default)]
    struct Count(Things, (u64, u64));

    impl Consumer for Count {
        fn event(&mut self, event: Event<'_>) -> Result<()> {
            if let Some(thing) = self.0.event(&event) {
                self.1 = (self.1.0 + 1, self.1.1 + thing.size.bytes);
            }
            Ok(())
        }
    }

    fn count(mut source: Source) -> (bool, u64, (u64, u64)) {
        let mut count = Count::default();
        let scratch = ReadOptions::default().resources.scratch();
        let header = source.header();
        let books = source.pour(&EventOptions::default(), &mut count, &scratch, &NoProgress).unwrap();
        (matches!(books, SourceBooks::Dump(_)), header.read_ts, count.1)
    }

    #[test]
    fn snapshots_and_dumps_are_known_by_their_content_and_hold_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (dump, tar, packed) = (dir.path().join("dump"), dir.path().join("no-ending"), dir.path().join("d.tar.zst"));
        let snapshot = REDIS_1.compressed_path();
        decode(&snapshot, &*dump, &DecodeOptions::default(), &NoProgress).unwrap();
        let all = crate::CopyOptions::default();
        for (path, compression) in
            [(&tar, crate::Compression::None), (&packed, crate::Compression::Zstd(Default::default()))]
        {
            pack(&dump, DumpTarget::Archive(NewName::new(path), compression), &all, &NoProgress).unwrap();
        }
        let read = ReadOptions::default();
        let open = |path: &Path| count(Source::open(path, &read, &NoProgress).unwrap());
        let stream = |path: &Path| {
            count(
                Source::of_stream(Path::new("-"), "a pipe", File::open(path).unwrap(), &read, true, &NoProgress)
                    .unwrap(),
            )
        };
        let (is_dump, read_ts, things) = open(&snapshot);
        assert!(!is_dump && things.0 == 174, "{things:?}");
        assert_eq!(stream(&snapshot), (false, read_ts, things));
        for path in [&dump, &tar, &packed] {
            assert_eq!(open(path), (true, read_ts, things), "{}", path.display());
        }
        for path in [&tar, &packed] {
            assert_eq!(stream(path), (true, read_ts, things), "{}", path.display());
        }
    }

    #[test]
    fn dump_answers_one_moment_and_can_be_too_old() {
        let dir = tempfile::tempdir().unwrap();
        let dump = dir.path().join("dump");
        decode(&REDIS_1.compressed_path(), &*dump, &DecodeOptions::default(), &NoProgress).unwrap();
        let refused = |read: &ReadOptions| Source::open(&dump, read, &NoProgress).map(|_| ()).unwrap_err();
        let at = refused(&ReadOptions { at: Some("hlc:1".parse().unwrap()), ..ReadOptions::default() });
        assert_eq!(at.class(), Class::Environment, "{at}");
        let old = refused(&ReadOptions { not_before_ms: Some(u64::MAX), ..ReadOptions::default() });
        assert_eq!(old.class(), Class::Data, "{old}");
    }
}
