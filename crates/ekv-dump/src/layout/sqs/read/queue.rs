//! The directory of one queue. Source: `docs/format/sqs.md`, sections 4 and 6.

use std::sync::Arc;

use ekv_model::sqs::Event;
use ekv_model::{Consumer, Event as ModelEvent, Example, Protocol, Scope};
use ekv_spill::Scratch;

use super::findings::{NOT_ENCODED_ORPHANS, REPEATED_IDS, SETTINGS_OF_ANOTHER_NAME};
use super::message::Visibility;
use super::messages::Messages;
use super::settings::{QUEUE_LEN_MAX, Settings};
use super::side;
use crate::entry::Entry;
use crate::layout::in_scope::InScope as _;
use crate::layout::inside::Inside;
use crate::layout::sqs::entry::QueueEntry;
use crate::layout::sqs::write::{QUEUE_FILE, is_orphan_directory, orphan_name};
use crate::replay::reading::{DumpFile, Reading, Visit, emit};
use crate::replay::value::ValueBuffer;
use crate::replay::{ReadPosition, ReplayFault};
use crate::segment::{Decoded, SegmentError, component, decode_component};
use crate::verify::problem::ProblemKind;
use ekv_files::{DumpPath, Error, Result};

/// Generation of a queue about which nothing is known.
const FIRST_GENERATION: u64 = 1;

/// Replays queues, one after the other.
pub(super) struct QueueReader<'a> {
    scope: &'a Scope,
    place: &'a ReadPosition,
    target: &'a mut dyn Consumer,
    visibility: Visibility,
    scratch: Arc<dyn Scratch>,
    /// Whether settings may have another name: a decode has told of such queues.
    may_differ: bool,
    /// Queues whose settings have another name.
    other_names: u64,
    /// Messages of the queue at hand that got another id.
    repeated_ids: u64,
    /// The file at hand.
    content: ValueBuffer,
    /// The body or value at hand.
    value: ValueBuffer,
}

impl<'a> QueueReader<'a> {
    pub(super) fn new<'r: 'a>(reading: &Reading<'r>, target: &'a mut dyn Consumer) -> Self {
        let scratch = reading.scratch();
        let is_kept = reading.manifest().exclusions.preserve_sqs_visibility;
        QueueReader {
            scope: reading.scope(),
            place: reading.place(),
            target,
            visibility: if is_kept { Visibility::Kept } else { Visibility::Reset },
            may_differ: reading.is_told(SETTINGS_OF_ANOTHER_NAME),
            other_names: 0,
            repeated_ids: 0,
            content: ValueBuffer::new(&scratch),
            value: ValueBuffer::new(&scratch),
            scratch,
        }
    }

    /// Replays the queue whose directory has this name.
    pub(super) fn read(&mut self, reading: &mut Reading<'_>, segment: &[u8]) -> Result<()> {
        let directory = DumpPath::new(&Entry::Scope(Protocol::Sqs, segment).path())?;
        let internals = Entry::In(segment, Inside::Sqs(QueueEntry::Internals));
        let fate = if is_orphan_directory(segment) { QueueState::OrphanPerhaps } else { QueueState::Open };
        let mut visit = QueueFiles { reader: self, fate, segment, is_begun: false, has_internals: false };
        reading.show(&directory, &mut visit)?;
        let QueueFiles { fate, is_begun, has_internals, .. } = visit;
        if std::mem::take(&mut self.other_names) > 0 {
            reading.record_finding(SETTINGS_OF_ANOTHER_NAME, || Example::new(Some(segment), None, String::new()));
        }
        let repeated_ids = std::mem::take(&mut self.repeated_ids);
        if repeated_ids > 0 {
            let detail = || format!("{repeated_ids} messages");
            reading.record_finding(REPEATED_IDS, || Example::new(Some(segment), None, detail()));
        }
        match fate {
            QueueState::Selected(settings) => {
                if !is_begun {
                    self.begin(segment, &settings, None)?;
                }
                if has_internals {
                    reading.show(&DumpPath::new(&internals.path())?, &mut SideFiles { reader: self })?;
                }
                self.emit(Event::End)
            }
            QueueState::Open => Err(without_settings(segment)),
            QueueState::OrphanPerhaps => {
                if orphan_name(segment).is_none_or(|name| self.is_selected(&name)) {
                    let detail = || format!("sqs/{}", ekv_text::Percent(segment));
                    reading.record_finding(NOT_ENCODED_ORPHANS, || Example::new(None, None, detail()));
                }
                if has_internals { reading.pass_by(&DumpPath::new(&internals.path())?).map(drop) } else { Ok(()) }
            }
            QueueState::NotSelected if has_internals => reading.leave_out(internals),
            QueueState::NotSelected => Ok(()),
        }
    }

    /// Whether anything in a queue is selected.
    fn is_selected(&self, name: &[u8]) -> bool {
        !self.scope.keys_in(Protocol::Sqs, name).is_nothing()
    }

    /// Reads the settings; `None` if the queue is not asked for.
    fn settings(&mut self, file: &mut DumpFile<'_>, segment: &[u8]) -> Result<Option<Settings>> {
        let own_name = match decode_component(segment) {
            Ok(Decoded::Raw(name)) if !self.is_selected(&name) => return Ok(None),
            Ok(Decoded::Raw(name)) => Some(name),
            Ok(Decoded::Fallback) => None,
            Ok(Decoded::Binary(_)) => return Err(SegmentError::NotCanonical.into()),
            Err(error) => return Err(error.into()),
        };
        self.content.fill_from(file)?;
        if self.content.body().len() > QUEUE_LEN_MAX {
            return Err(ReplayFault::LongFile { len_max: QUEUE_LEN_MAX }.into());
        }
        let settings = Settings::read(&self.content)?;
        let directory = component(settings.name().as_bytes());
        let settings = match own_name {
            _ if directory == segment => settings,
            // The server stores a name in the settings as well, which may differ. Its key, and so the directory, counts.
            Some(own_name) if self.may_differ => {
                self.other_names = self.other_names.saturating_add(1);
                settings.of_queue(own_name)
            }
            _ => return Err(ReplayFault::OtherDirectory { directory }.into()),
        };
        Ok(Some(settings).filter(|settings| self.is_selected(settings.queue_name())))
    }

    /// Begins the queue: its settings are in the file beside the one that is being read, whose messages have the generation `common`.
    fn begin(&mut self, segment: &[u8], settings: &Settings, common: Option<u64>) -> Result<()> {
        let generation = match settings.generation() {
            0 => common.filter(|common| *common != 0).unwrap_or(FIRST_GENERATION),
            stated => stated,
        };
        let reading_at = self.place.location().path;
        self.place.enter_file(&QueueEntry::Settings.path(segment));
        self.emit(Event::Queue(&settings.queue(generation)))?;
        if let Some(path) = reading_at {
            self.place.enter_file(&path);
        }
        Ok(())
    }

    fn messages(&mut self, file: &mut DumpFile<'_>, segment: &[u8], settings: &Settings) -> Result<()> {
        self.content.fill_from(file)?;
        let outline = self.each_message().outline()?;
        self.repeated_ids = outline.repeated_count;
        self.begin(segment, settings, outline.generation)?;
        let QueueReader { place, target, visibility, scratch, content, value, .. } = self;
        let messages = Messages { content, visibility: *visibility, scratch };
        messages.replay(outline, value, &mut |event, line| {
            place.enter_line(line);
            emit(&mut **target, place, ModelEvent::Sqs(event))
        })
    }

    fn each_message(&self) -> Messages<'_> {
        Messages { content: &self.content, visibility: self.visibility, scratch: &self.scratch }
    }

    fn emit(&mut self, event: Event<'_>) -> Result<()> {
        emit(self.target, self.place, ModelEvent::Sqs(event))
    }
}

/// What becomes of a queue.
enum QueueState {
    /// Its settings have not been seen.
    Open,
    /// As [`QueueState::Open`]; without settings it is what is left of a queue that is gone.
    OrphanPerhaps,
    /// It is replayed.
    Selected(Box<Settings>),
    /// It is not asked for.
    NotSelected,
}

/// A directory that tells neither of a queue nor of one that is gone.
fn without_settings(segment: &[u8]) -> Error {
    let directory = Entry::Scope(Protocol::Sqs, segment).path();
    Error::from(ProblemKind::Incomplete { name: QUEUE_FILE }).at(&directory)
}

/// The files of one queue.
struct QueueFiles<'q, 'a> {
    reader: &'q mut QueueReader<'a>,
    segment: &'q [u8],
    fate: QueueState,
    is_begun: bool,
    has_internals: bool,
}

impl Visit for QueueFiles<'_, '_> {
    fn directory(&mut self, _: &DumpPath, _: Entry<'_>) -> Result<()> {
        self.has_internals = true;
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        match (entry, &self.fate) {
            (Entry::In(segment, Inside::Sqs(QueueEntry::Settings)), _) => {
                self.fate = match self.reader.settings(file, segment)? {
                    Some(settings) => QueueState::Selected(Box::new(settings)),
                    None => {
                        file.leave_out();
                        QueueState::NotSelected
                    }
                };
                Ok(())
            }
            // Files come in the order of their names: the settings would have been seen.
            (_, QueueState::Open) => Err(without_settings(self.segment)),
            (_, QueueState::OrphanPerhaps | QueueState::NotSelected) => {
                file.leave_out();
                Ok(())
            }
            (_, QueueState::Selected(settings)) => {
                self.is_begun = true;
                self.reader.messages(file, self.segment, settings)
            }
        }
    }
}

/// What clients never see.
struct SideFiles<'q, 'a> {
    reader: &'q mut QueueReader<'a>,
}

impl Visit for SideFiles<'_, '_> {
    fn directory(&mut self, _: &DumpPath, _: Entry<'_>) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>, _: Entry<'_>) -> Result<()> {
        let QueueReader { place, target, content, value, .. } = &mut *self.reader;
        content.fill_from(file)?;
        side::replay(content, value, &mut |event, line| {
            place.enter_line(line);
            emit(&mut **target, place, ModelEvent::Sqs(event))
        })
    }
}
