//! The progress bar, and the wish to stop.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use console::Term;
use ekv_backup::{Phase, Progress};
use ekv_model::{Cancelled, Monitor};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::signals;

/// Columns that a bar with its numbers needs; on a narrower terminal a share and a title are shown.
const WIDE_COLUMNS: u16 = 90;

/// Draws on standard error.
pub(crate) struct Screen {
    is_drawn: bool,
    bar: RefCell<Option<ProgressBar>>,
    cancelled: Arc<AtomicBool>,
}

impl Screen {
    /// A screen that draws a bar if `is_drawn`; a wish to stop is noted from now on, and asked for between steps.
    pub(crate) fn new(is_drawn: bool) -> Self {
        Screen { is_drawn, bar: RefCell::new(None), cancelled: signals::stop_flag() }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Screen {
    fn begin(&self, phase: Phase, total: Option<u64>) {
        self.clear();
        if !self.is_drawn {
            return;
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let (title, in_bytes) = match phase {
            Phase::Check => ("checking the snapshot", true),
            Phase::Resolve => ("looking at transactions", false),
            Phase::Decode => ("writing files", false),
            Phase::Look => ("looking at the data", false),
            Phase::Publish => ("syncing to disk", false),
            Phase::Verify => ("checking the dump", true),
            Phase::CopyDump => ("copying the dump", true),
            Phase::Encode => ("reading the dump", true),
            Phase::WritePayload => ("writing the payload", true),
            Phase::SelfTest => ("decoding it again", false),
            Phase::Copy => ("copying the payload", true),
            Phase::Load => ("loading", false),
            Phase::ReadBack => ("reading it back", true),
            _ => ("working", false),
        };
        let (_, columns) = Term::stderr().size();
        let template = match (in_bytes, total) {
            // What does not fit into the line would be drawn on a second one again and again.
            (_, Some(_)) if columns < WIDE_COLUMNS => "{percent:>3}% {wide_msg}",
            (_, None) if columns < WIDE_COLUMNS => "{spinner} {wide_msg}",
            (false, Some(_)) if phase == Phase::Load => {
                "{msg} {human_pos}/{human_len} [{wide_bar}] {per_sec}, {eta} left"
            }
            (false, None) if phase == Phase::Load => "{msg} {human_pos} {per_sec} {elapsed}",
            (true, Some(_)) => "{msg} {bytes}/{total_bytes} [{wide_bar}] {eta}",
            (true, None) => "{msg} {bytes} {spinner}",
            (false, Some(_)) => "{msg} {human_pos}/{human_len} records [{wide_bar}] {eta}",
            (false, None) => "{msg} {spinner} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(title);
        if total.is_none() {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        *self.bar.borrow_mut() = Some(bar);
    }
}

impl Monitor for Screen {
    fn advance(&self, done: u64) -> Result<(), Cancelled> {
        if let Some(bar) = &*self.bar.borrow() {
            bar.inc(done);
            // Some files must be read twice.
            if let Some(len) = bar.length().filter(|len| bar.position() > *len) {
                bar.inc_length(len);
            }
        }
        if self.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }
}
