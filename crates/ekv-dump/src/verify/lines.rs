//! Files that tell about others, line by line: KEYMAP, LOSSES.jsonl and SCOPES.jsonl.
//!
//! Who reads one takes each line, or what is wrong with it, and decides whether to go on: a check collects, a replay stops.

use std::io::BufRead;

use ekv_model::Protocol;

use super::problem::{ProblemKind, Problems};
use crate::keymap::{KeymapError, KeymapFault, KeymapReader, KeymapRecord};
use crate::losses::{LOSSES_FILE, LossFault, LossesReader};
use crate::manifest::{Account, MANIFEST_FILE};
use crate::scope_list::{SCOPES_FILE, ScopeFault, ScopesReader};
use ekv_files::Result;
use ekv_files::source::read_error;
use ekv_text::LineError;

/// Takes a record of a KEYMAP, or what is wrong with the line, with its number.
pub(crate) type TakeRecord<'t> = &'t mut dyn FnMut(u64, Result<&KeymapRecord, ProblemKind>) -> Result<()>;

/// Reads a KEYMAP whose records pass `check`; ends with the first error of `take`.
pub(crate) fn read_keymap(
    input: &mut dyn BufRead,
    check: fn(&KeymapRecord) -> Result<(), ProblemKind>,
    take: TakeRecord<'_>,
) -> Result<()> {
    let mut reader = KeymapReader::new(input);
    loop {
        match reader.next_record() {
            Ok(None) => return Ok(()),
            Ok(Some(record)) => take(reader.line_number(), check(&record).map(|()| &record))?,
            Err(KeymapError { fault: KeymapFault::Line(LineError::Io(source)), .. }) => return Err(read_error(source)),
            Err(KeymapError { line_number, fault }) => {
                take(line_number, Err(ProblemKind::line(&fault)))?;
                if matches!(fault, KeymapFault::Line(_)) {
                    return Ok(());
                }
            }
        }
    }
}

/// How much the lists beside the manifest hold; `None` = there is no such file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lists {
    losses: Option<u64>,
    scopes: Option<u64>,
}

impl Lists {
    /// Reads LOSSES.jsonl.
    pub(crate) fn read_losses(&mut self, input: &mut dyn BufRead, problems: &mut Problems) -> Result<()> {
        let mut reader = LossesReader::new(input);
        let mut count = 0_u64;
        loop {
            match reader.next_loss() {
                Ok(Some(loss)) => count = count.saturating_add(loss.count),
                Ok(None) => break,
                Err(LossFault::Line(LineError::Io(source))) => return Err(read_error(source)),
                // What follows cannot be told from it, and the number of losses is not known any more.
                Err(fault) => {
                    problems.add_at(LOSSES_FILE.as_bytes(), Some(reader.line_number()), ProblemKind::line(&fault));
                    break;
                }
            }
        }
        self.losses = Some(count);
        Ok(())
    }

    /// Reads SCOPES.jsonl and hands the names to `take`.
    pub(crate) fn read_scopes(
        &mut self,
        input: &mut dyn BufRead,
        problems: &mut Problems,
        take: &mut dyn FnMut(Protocol, &str) -> Result<()>,
    ) -> Result<()> {
        let mut reader = ScopesReader::new(input);
        let mut count = 0_u64;
        loop {
            match reader.next_scope() {
                Ok(Some(scope)) => {
                    count = count.saturating_add(1);
                    if let Some(protocol) = scope.protocol() {
                        take(protocol, &scope.name)?;
                    }
                }
                Ok(None) => break,
                Err(ScopeFault::Line(LineError::Io(source))) => return Err(read_error(source)),
                Err(fault) => {
                    problems.add_at(SCOPES_FILE.as_bytes(), Some(reader.line_number()), ProblemKind::line(&fault));
                    break;
                }
            }
        }
        self.scopes = Some(count);
        Ok(())
    }

    /// Compares them with what the manifest states.
    pub(crate) fn check(self, account: &Account, problems: &mut Problems) {
        for (path, listed, stated) in
            [(LOSSES_FILE, self.losses, account.listed_losses), (SCOPES_FILE, self.scopes, account.listed_scopes)]
        {
            if listed != stated {
                problems.add(path.as_bytes(), ProblemKind::Stated { listed, stated });
            }
        }
        if let Some(stated) = account.listed_losses.filter(|stated| *stated != account.loss_count) {
            let (listed, stated) = (Some(stated), Some(account.loss_count));
            problems.add(MANIFEST_FILE.as_bytes(), ProblemKind::Stated { listed, stated });
        }
    }
}
