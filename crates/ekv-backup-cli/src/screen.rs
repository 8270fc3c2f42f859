//! The progress bar, and the wish to stop.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ekv_backup::{Phase, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::Exit;

/// Draws on standard error.
pub(crate) struct Screen {
    is_drawn: bool,
    bar: RefCell<Option<ProgressBar>>,
    cancelled: Arc<AtomicBool>,
}

impl Screen {
    /// A screen that draws a bar if `is_drawn`; Ctrl-C and SIGTERM are noted from now on, and asked for between steps. The second
    /// one ends the process at once, even inside a step that takes for ever, such as reading from a silent pipe.
    pub(crate) fn new(is_drawn: bool) -> Self {
        let cancelled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancelled);
        // Where no handler can be set, the signal ends the process and the next run or `clean` removes what is left.
        drop(ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::Relaxed) {
                end_at_once();
            }
        }));
        Screen { is_drawn, bar: RefCell::new(None), cancelled }
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
            Phase::Publish => ("syncing to disk", false),
            Phase::Verify => ("checking the dump", true),
            Phase::CopyDump => ("copying the dump", true),
            Phase::Encode => ("reading the dump", true),
            Phase::WritePayload => ("writing the payload", true),
            Phase::SelfTest => ("decoding it again", false),
            Phase::Copy => ("copying the payload", true),
            Phase::ReadBack => ("reading it back", true),
            _ => ("working", false),
        };
        let counts = match (in_bytes, total) {
            (true, Some(_)) => "{bytes}/{total_bytes} [{wide_bar}] {eta}",
            (true, None) => "{bytes} {spinner}",
            (false, Some(_)) => "{human_pos}/{human_len} records [{wide_bar}] {eta}",
            (false, None) => "{spinner} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(&format!("{{msg}} {counts}")) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(title);
        if total.is_none() {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        *self.bar.borrow_mut() = Some(bar);
    }

    fn advance_to(&self, done: u64) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.set_position(done);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

#[expect(clippy::exit, reason = "the program was asked twice to stop, and its main thread does not answer")]
fn end_at_once() {
    std::process::exit(i32::from(Exit::Cancelled.code()));
}
