//! Looks at everything that is selected before the first key is written: how much it is, and what of it cannot go.

use std::sync::Arc;

use ekv_live::STRING_LEN_MAX;
use ekv_model::redis::{CollectionKind, Element, Event, ScalarKind};
use ekv_model::{Body, Class, Consumer, Error, Event as AnyEvent, Name, Protocol, Result, payload};
use ekv_rdb::hll::Registers;
use ekv_spill::{Scratch, Sorter};
use serde::Serialize;

use super::counts::{KindCount, Kinds, NAME_LEN_MAX, Reason, Reasons};
use super::renames::{Renames, RenamesError};
use crate::losses::scratch_error;

/// Memory for finding names that would be the same, in bytes.
const SORT_BUDGET: usize = 8 << 20;
/// What a key takes on a server beside its payload, in bytes, by and large.
const KEY_OVERHEAD: u64 = 90;
/// What an element takes beside its payload, in bytes, by and large.
const ELEMENT_OVERHEAD: u64 = 16;

/// The address of a key, shortened.
pub(crate) fn address(key: &[u8]) -> String {
    let name = Name { protocol: Protocol::Redis, scope: b"0".to_vec(), key: vec![key.to_vec()] };
    ekv_text::shorten(&name.to_string(), NAME_LEN_MAX)
}

/// What is selected of a source, and what of that cannot be written.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Survey {
    /// Keys that are selected.
    pub keys: u64,
    /// Keys that would be sent, by kind.
    pub kinds: Vec<KindCount>,
    /// Keys that have expired by the clock of the target, and are not sent.
    pub expired: u64,
    /// Empty hashes, lists, sets and sorted sets: servers have none.
    pub empty: u64,
    /// What no server takes.
    pub refused: Vec<Reason>,
    /// Memory that the keys take on the target, by and large, in bytes.
    pub memory_estimate: u64,
}

impl Survey {
    /// Keys that no server takes.
    pub fn refused_keys(&self) -> u64 {
        self.refused.iter().fold(0, |sum, reason| sum.saturating_add(reason.count))
    }
}

/// Surveys what passes by.
pub(crate) struct Surveyor<'r> {
    renames: &'r Renames,
    /// Added to every expiry, in milliseconds.
    shift_ms: u64,
    /// Keys that expire up to this moment are not sent; Unix milliseconds.
    now_ms: u64,
    /// Whether members are dropped whose score is not a number.
    drops_nan: bool,
    survey: Survey,
    kinds: Kinds,
    reasons: Reasons,
    open: Option<OpenCollection>,
    /// The names on the target, where they are others than here: no two may be the same.
    names: Option<Sorter>,
}

struct OpenCollection {
    key: Vec<u8>,
    kind: CollectionKind,
    expire_at_ms: Option<u64>,
    elements: u64,
    bytes: u64,
    problem: Option<&'static str>,
}

impl<'r> Surveyor<'r> {
    pub(crate) fn new(
        renames: &'r Renames,
        shift_ms: u64,
        now_ms: u64,
        drops_nan: bool,
        scratch: &Arc<dyn Scratch>,
    ) -> Self {
        let (survey, kinds, reasons) = (Survey::default(), Kinds::default(), Reasons::default());
        let names = (!renames.is_empty()).then(|| Sorter::new(Arc::clone(scratch), SORT_BUDGET));
        Surveyor { renames, shift_ms, now_ms, drops_nan, survey, kinds, reasons, open: None, names }
    }

    /// The survey.
    ///
    /// # Errors
    /// [`RenamesError::Meeting`]; a failing scratch file.
    pub(crate) fn finish(self) -> Result<Survey> {
        if let Some(names) = self.names {
            let mut sorted = names.finish().map_err(scratch_error)?;
            let mut last: Option<Vec<u8>> = None;
            while let Some((name, _)) = sorted.next().map_err(scratch_error)? {
                if last.as_deref() == Some(name) {
                    return Err(Error::new(Class::Environment, RenamesError::Meeting { name: address(name) }));
                }
                last = Some(name.to_vec());
            }
        }
        Ok(Survey { kinds: self.kinds.report(), refused: self.reasons.report(), ..self.survey })
    }

    fn key(&mut self, open: OpenCollection) -> Result<()> {
        let OpenCollection { key, kind: _, expire_at_ms, elements, bytes, problem } = &open;
        if let Some(names) = &mut self.names {
            names.push(&self.renames.apply(key), b"").map_err(scratch_error)?;
        }
        let survey = &mut self.survey;
        survey.keys = survey.keys.saturating_add(1);
        let expire_at_ms = shifted(*expire_at_ms, self.shift_ms);
        if expire_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
            survey.expired = survey.expired.saturating_add(1);
            return Ok(());
        }
        if let Some(problem) = problem {
            self.reasons.add(problem, || address(key));
            return Ok(());
        }
        let len = u64::try_from(key.len()).unwrap_or(u64::MAX);
        let memory = elements.saturating_mul(ELEMENT_OVERHEAD).saturating_add(KEY_OVERHEAD);
        let memory = memory.saturating_add(*bytes).saturating_add(len);
        survey.memory_estimate = survey.memory_estimate.saturating_add(memory);
        Ok(())
    }
}

/// An expiry of the source on the target. Zero, which is in the past, stays where it is.
pub(crate) fn shifted(expire_at_ms: Option<u64>, shift_ms: u64) -> Option<u64> {
    let most = u64::try_from(i64::MAX).unwrap_or(u64::MAX);
    expire_at_ms.map(|at_ms| if at_ms == 0 { 0 } else { at_ms.saturating_add(shift_ms).min(most) })
}

impl Consumer for Surveyor<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        let AnyEvent::Redis { event, .. } = event else { return Ok(()) };
        let too_long =
            |len: u64| (len > STRING_LEN_MAX).then_some("strings of more than 512 MiB, which no server takes");
        match event {
            Event::Scalar { kind, key, body, expiry, .. } => {
                let problem = match kind {
                    ScalarKind::String => too_long(body.len()),
                    ScalarKind::Hll => unreadable(body)?,
                };
                let expire_at_ms = expiry.map(|expiry| expiry.at_ms);
                let before = (self.survey.expired, problem.is_some());
                let bytes = body.len();
                self.key(OpenCollection {
                    key: key.to_vec(),
                    kind: CollectionKind::List,
                    expire_at_ms,
                    elements: 0,
                    bytes,
                    problem,
                })?;
                if before == (self.survey.expired, false) {
                    self.kinds.add(kind.into(), 0, bytes);
                }
            }
            Event::Begin { kind, key, expire_at_ms, .. } => {
                let key = key.to_vec();
                self.open = Some(OpenCollection { key, kind, expire_at_ms, elements: 0, bytes: 0, problem: None });
            }
            Event::Element(element) => {
                let Some(open) = &mut self.open else { return Ok(()) };
                if self.drops_nan && is_nan(&element) {
                    return Ok(());
                }
                open.elements = open.elements.saturating_add(u64::from(payload::is_element(&element)));
                let len = payload::element_len(&element);
                open.bytes = open.bytes.saturating_add(len);
                let problem = match element {
                    element if is_nan(&element) => {
                        Some("sorted sets with a score that is not a number, which ends some servers")
                    }
                    _ => too_long(len),
                };
                open.problem = open.problem.or(problem);
            }
            Event::End => {
                let Some(open) = self.open.take() else { return Ok(()) };
                let is_stream = matches!(open.kind, CollectionKind::Stream { .. });
                if open.elements == 0 && !is_stream {
                    self.survey.keys = self.survey.keys.saturating_add(1);
                    self.survey.empty = self.survey.empty.saturating_add(1);
                    return Ok(());
                }
                let (kind, elements, bytes) = (open.kind.into(), open.elements, open.bytes);
                let before = (self.survey.expired, open.problem.is_some());
                self.key(open)?;
                if before == (self.survey.expired, false) {
                    self.kinds.add(kind, elements, bytes);
                }
            }
        }
        Ok(())
    }
}

/// Whether it is a member whose score is not a number.
pub(crate) fn is_nan(element: &Element<'_>) -> bool {
    matches!(element, Element::Scored { score, .. } if score.is_nan())
}

/// Why a HyperLogLog cannot be written, if it cannot.
fn unreadable(body: Body<'_>) -> Result<Option<&'static str>> {
    Ok(Registers::of_members(body).is_err().then_some("HyperLogLogs whose members cannot be read"))
}
