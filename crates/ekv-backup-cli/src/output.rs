//! Data on standard output, messages on standard error.
//!
//! Nothing is written as it comes: a report is a [`Page`] and a message is a line, and whatever stands in either is escaped where it could
//! steer a terminal or look like another line. Only this file writes to the standard streams.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ekv_backup::see::Enough;
use ekv_backup::{Class, Error, LISTED_LOSSES_MAX, Losses, is_out_of_space, shell};
use ekv_text::human::digits;
use ekv_text::json::write_shown_line;
use ekv_text::{Line, is_shown_as_it_is, shorten};
use serde::Serialize;

use crate::args::{OutputArguments, When};
use crate::exit::Exit;
use crate::screen::Screen;

/// Longest message, in characters; of a longer one the middle is left out.
const MESSAGE_LEN_MAX: usize = 4096;
/// Longest line of a report, in characters.
const LINE_LEN_MAX: usize = 8192;

/// Bytes of lines that are gathered.
const LINES_BUFFER_LEN: usize = 64 << 10;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[1;32m";
const YELLOW: &str = "\x1b[1;33m";
const PLAIN: &str = "\x1b[0m";

/// Where everything that a person or a machine reads goes through.
pub(crate) struct Output {
    arguments: OutputArguments,
    screen: Screen,
    colour: bool,
    started: Instant,
    said: RefCell<Said>,
    /// Whether a result was printed as JSON.
    is_result_printed: bool,
    /// The first failure to write to standard output.
    failed: Option<io::Error>,
    /// Whether standard output carries something else than results.
    is_standard_output_taken: bool,
    /// Whether a line of a result was printed that consists of lines.
    has_lines: Rc<Cell<bool>>,
}

/// What was told on the way, for the object that `--json` prints.
#[derive(Clone, Debug, Default)]
struct Said {
    counts: Counts,
    /// The error, or the first problem.
    error: Option<String>,
    /// What was lost, where that is the error.
    lost: Option<Arc<Losses>>,
}

/// How many messages of each kind there were.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    problems: u64,
    /// Kinds of things that are missing.
    losses: u64,
    warnings: u64,
    notes: u64,
}

impl Said {
    fn count(&mut self, kind: impl FnOnce(&mut Counts) -> &mut u64) {
        let count = kind(&mut self.counts);
        *count = count.saturating_add(1);
    }
}

/// What every object of `--json` begins with, and all of it where there is no result.
#[derive(Debug, Serialize)]
struct Ending<'a> {
    /// One word for the exit code.
    status: &'static str,
    exit_code: u8,
    /// What went wrong.
    error: Option<&'a str>,
    duration_ms: u64,
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'a Losses>,
}

impl<'a> Ending<'a> {
    fn new(exit: Exit, started: Instant, said: &'a Said) -> Self {
        Ending {
            status: exit.status(),
            exit_code: exit.code(),
            error: said.error.as_deref(),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            counts: said.counts,
            lost: said.lost.as_deref(),
        }
    }
}

/// A result with what every object of `--json` begins with.
#[derive(Serialize)]
struct Whole<'a, R> {
    #[serde(flatten)]
    ending: Ending<'a>,
    #[serde(flatten)]
    result: &'a R,
}

/// A report for people, made line by line.
///
/// `writeln!(page, …)` adds one line, however many line feeds and control characters are in what is formatted: they are escaped.
pub(crate) struct Page {
    text: String,
    is_bold: bool,
    has_bars: bool,
}

impl Page {
    /// An empty page without bold titles.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Page { text: String::new(), is_bold: false, has_bars: false }
    }

    /// What is on it.
    #[cfg(test)]
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Whether shares are drawn as bars beside the numbers.
    pub(crate) fn has_bars(&self) -> bool {
        self.has_bars
    }

    /// Adds one line.
    pub(crate) fn write_fmt(&mut self, line: fmt::Arguments<'_>) -> fmt::Result {
        let line = line.to_string();
        let line = line.strip_suffix('\n').unwrap_or(&line);
        writeln!(self.text, "{}", Line(shorten(line, LINE_LEN_MAX)))
    }

    /// Begins a line with a title, bold on a terminal; what is written next continues it.
    pub(crate) fn title(&mut self, title: impl fmt::Display) {
        let title = Line(shorten(&title.to_string(), LINE_LEN_MAX));
        let _ = match self.is_bold {
            true => write!(self.text, "{BOLD}{title}{PLAIN}"),
            false => write!(self.text, "{title}"),
        };
    }

    /// Adds a line with a command for copying: `lead`, `words` and the quoted `path`, then `tail`.
    pub(crate) fn command(&mut self, lead: &str, words: &str, path: &Path, tail: impl fmt::Display) {
        let _ = writeln!(self.text, "{}{} {}{}", Line(lead), Line(words), shell::path(path), Line(tail));
    }
}

impl Output {
    pub(crate) fn new(arguments: &OutputArguments) -> Self {
        let terminal = io::stderr().is_terminal() && !is_dumb_terminal();
        let colour = match arguments.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !is_colour_unwanted(),
        };
        let screen = Screen::new(terminal && arguments.color != When::Never && !arguments.quiet);
        Output {
            arguments: *arguments,
            screen,
            colour,
            started: Instant::now(),
            said: RefCell::default(),
            is_result_printed: false,
            failed: None,
            is_standard_output_taken: false,
            has_lines: Rc::default(),
        }
    }

    /// Shows results on standard error from now on: an archive goes to standard output.
    pub(crate) fn leave_standard_output_alone(&mut self) {
        self.is_standard_output_taken = true;
    }

    /// Draws progress and learns of Ctrl-C.
    pub(crate) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Shows a result, after all messages about it: as JSON on standard output if that was asked for, else as text for people.
    pub(crate) fn result(&mut self, exit: Exit, result: &impl Serialize, text: impl FnOnce(&mut Page)) {
        self.screen.clear();
        if self.arguments.json {
            self.is_result_printed = true;
            let said = self.said.borrow().clone();
            let ending = Ending::new(exit, self.started, &said);
            self.print(|out| ekv_text::json::write_shown(&Whole { ending, result }, out));
        } else if !self.arguments.quiet {
            let is_terminal = match self.is_standard_output_taken {
                true => io::stderr().is_terminal(),
                false => io::stdout().is_terminal(),
            };
            let has_bars = match self.arguments.color {
                When::Always => true,
                When::Never => false,
                When::Auto => is_terminal && !is_dumb_terminal(),
            };
            let mut page = Page { text: String::new(), is_bold: self.colour && is_terminal, has_bars };
            text(&mut page);
            self.document(&page.text);
        }
    }

    /// Prints a text that this program made as a whole: a page, a completion script. A reader that went away is no failure.
    pub(crate) fn document(&mut self, text: &str) {
        self.print(|out| out.write_all(text.as_bytes()));
    }

    /// Whether only errors and losses are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.arguments.quiet
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.arguments.json
    }

    /// Whether a person reads standard output.
    pub(crate) fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Lines for standard output, in place of a result: nothing else is printed there.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub(crate) fn lines(&mut self) -> Result<Lines, Error> {
        self.is_result_printed = true;
        let file = standard_output().map_err(|error| Error::new(Class::WriteIo, error))?;
        if is_printed_nowhere() {
            self.note(PRINTED_NOWHERE);
        }
        Ok(Lines {
            out: io::BufWriter::with_capacity(LINES_BUFFER_LEN, file),
            was_left: false,
            has_lines: Rc::clone(&self.has_lines),
        })
    }

    /// Bytes for standard output, in place of a result. A terminal takes text only.
    ///
    /// # Errors
    /// If it is closed or cannot be written to.
    pub(crate) fn bytes(&mut self) -> Result<Box<dyn Write + Send>, Error> {
        self.is_result_printed = true;
        refuse_nowhere("content")?;
        let file = standard_output().map_err(|error| Error::new(Class::WriteIo, error))?;
        Ok(match io::stdout().is_terminal() {
            true => Box::new(ForTerminal(file)),
            false => Box::new(io::BufWriter::with_capacity(LINES_BUFFER_LEN, file)),
        })
    }

    /// Prints piece by piece, at once, however long it is.
    fn print(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.failed.is_some() {
            return;
        }
        let written = match self.is_standard_output_taken {
            true => buffered(io::stderr().lock(), write),
            false => standard_output().and_then(|output| buffered(output, write)),
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => self.failed = Some(error),
            _ if is_printed_nowhere() && !self.is_standard_output_taken => self.note(PRINTED_NOWHERE),
            _ => {}
        }
    }

    /// Prints a message on standard error, unless only errors are wanted.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        self.said.borrow_mut().count(|counts| &mut counts.notes);
        if !self.arguments.quiet {
            self.screen.clear();
            self.message("note", YELLOW, text);
        }
    }

    /// Counts a warning of the report, and prints it where no report for people is shown.
    pub(crate) fn warning_of_report(&self, text: impl fmt::Display) {
        self.count_of_report(|counts| &mut counts.warnings, text);
    }

    /// Counts a loss of the report, and prints it where no report for people is shown.
    pub(crate) fn loss_of_report(&self, text: impl fmt::Display) {
        self.count_of_report(|counts| &mut counts.losses, text);
    }

    fn count_of_report(&self, kind: impl FnOnce(&mut Counts) -> &mut u64, text: impl fmt::Display) {
        self.said.borrow_mut().count(kind);
        // JSON that goes to standard error tells by itself, and stays readable.
        let is_told_beside = self.arguments.json && !self.is_standard_output_taken;
        if is_told_beside || (self.arguments.quiet && !self.arguments.json) {
            self.screen.clear();
            self.message("warning", YELLOW, text);
        }
    }

    /// Prints something that must not be overlooked, whatever is wanted.
    pub(crate) fn warning(&self, text: impl fmt::Display) {
        self.screen.clear();
        self.said.borrow_mut().count(|counts| &mut counts.warnings);
        self.message("warning", YELLOW, text);
    }

    /// Prints something that is wrong with what was checked.
    pub(crate) fn problem(&self, text: impl fmt::Display) {
        self.screen.clear();
        let text = text.to_string();
        self.message("problem", RED, &text);
        let mut said = self.said.borrow_mut();
        said.count(|counts| &mut counts.problems);
        said.error.get_or_insert(text);
    }

    /// Prints the first losses that are not accepted as problems, and keeps all of them for the object that `--json` prints.
    pub(crate) fn refused_losses(&self, lost: &Arc<Losses>, rest: &str) {
        let first = lost.first(LISTED_LOSSES_MAX).unwrap_or_default();
        first_of(&first, lost.count(), rest, |line| self.problem(line));
        self.said.borrow_mut().lost = Some(Arc::clone(lost));
    }

    /// Prints an error with its causes, and `about` before them, which they do not name.
    pub(crate) fn error(&self, about: Option<&str>, error: &Error) -> Exit {
        self.screen.clear();
        let exit = Exit::from(error.class());
        let about = about.map(|about| format!("{about}: ")).unwrap_or_default();
        let mut text = match exit {
            Exit::OutOfSpace => format!("out of space: {about}{error}"),
            _ => format!("{about}{error}"),
        };
        let mut cause = error.source();
        let mut is_left_by_reader = false;
        while let Some(source) = cause {
            text.push_str(&format!(": {source}"));
            let system = source.downcast_ref::<io::Error>();
            is_left_by_reader |= system.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
            cause = source.source();
        }
        if is_left_by_reader {
            text.push_str(
                "; who reads standard output stopped reading before the end of the archive, and has a part of it only",
            );
        }
        if self.has_lines.get() {
            text.push_str("; the lines that were printed before are not all, and nothing vouches for them");
        }
        self.message("error", RED, &text);
        self.said.borrow_mut().error = Some(text);
        exit
    }

    /// Prints what to do about the error before it.
    pub(crate) fn tip(&self, text: impl fmt::Display) {
        self.message("tip", GREEN, text);
    }

    fn message(&self, kind: &str, colour: &str, text: impl fmt::Display) {
        message(kind, if self.colour { colour } else { "" }, text);
    }

    /// Ends the output: a result that could not be printed is an error.
    pub(crate) fn close(mut self, exit: Exit) -> Exit {
        if self.arguments.json && exit != Exit::Done && !self.is_result_printed {
            let said = self.said.borrow().clone();
            let ending = Ending::new(exit, self.started, &said);
            self.print(|out| ekv_text::json::write_shown(&ending, out));
        }
        // Lines that are not all end with a line that says so.
        if self.arguments.json && self.has_lines.get() && !matches!(exit, Exit::Done | Exit::No) {
            let said = self.said.borrow().clone();
            let ending = Ending::new(exit, self.started, &said);
            self.print(|out| write_shown_line(&ending, out));
        }
        match self.failed.take() {
            Some(error) if exit == Exit::Done || exit == Exit::Losses => {
                self.message("error", RED, format_args!("the work is done, but its result cannot be printed: {error}"));
                cannot_print(&error)
            }
            _ => exit,
        }
    }
}

/// A terminal, to which nothing goes that could steer it.
struct ForTerminal(File);

impl Write for ForTerminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_text = |character: char| is_shown_as_it_is(character) || matches!(character, '\n' | '\t');
        for chunk in bytes.utf8_chunks() {
            // The front of a character may be at the end.
            let is_cut = chunk.invalid().len() < 4 && bytes.ends_with(chunk.invalid());
            if !chunk.valid().chars().all(is_text) || !is_cut {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "a terminal shows text only"));
            }
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Lines on standard output, which are gathered.
pub(crate) struct Lines {
    out: io::BufWriter<File>,
    was_left: bool,
    has_lines: Rc<Cell<bool>>,
}

impl Lines {
    /// Prints a line.
    ///
    /// # Errors
    /// [`Enough`] if the reader went away; a failing write.
    pub(crate) fn put(&mut self, line: &[u8]) -> Result<(), Error> {
        self.has_lines.set(self.has_lines.get() || !line.is_empty());
        let written = self.out.write_all(line);
        written.map_err(|error| self.failed(error))
    }

    /// Prints a value as JSON on a line.
    ///
    /// # Errors
    /// As [`Lines::put`].
    pub(crate) fn put_json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        self.has_lines.set(true);
        let written = write_shown_line(value, &mut self.out);
        written.map_err(|error| self.failed(error))
    }

    /// Prints what was gathered.
    ///
    /// # Errors
    /// A failing write.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        match self.out.flush().map_err(|error| self.failed(error)) {
            Err(_) if self.was_left => Ok(()),
            flushed => flushed,
        }
    }

    fn failed(&mut self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.was_left = true;
            return Enough::error();
        }
        let class = if is_out_of_space(&error) { Class::OutOfSpace } else { Class::WriteIo };
        Error::new(class, error)
    }
}

/// Prints a text on standard output at once, however the library buffers it and what it makes of a descriptor that cannot be written to.
fn print(text: &str) -> io::Result<()> {
    standard_output()?.write_all(text.as_bytes())
}

/// Writes all of it in large pieces.
fn buffered(output: impl Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut output = io::BufWriter::with_capacity(64 << 10, output);
    write(&mut output)?;
    output.flush()
}

/// Standard output, without the buffer of the library.
#[cfg(unix)]
pub(crate) fn standard_output() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

/// Standard output, without the buffer of the library.
#[cfg(windows)]
pub(crate) fn standard_output() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdout().as_handle().try_clone_to_owned().map(File::from)
}

/// What is said where a report is lost without an error of the system.
const PRINTED_NOWHERE: &str =
    "standard output is closed, or the null device: what was printed can be read nowhere (--quiet prints nothing)";

/// Whether standard output is the null device, opened for reading as well: so the runtime of this program opens it in place of a standard
/// output that was closed. A shell opens it for writing only.
#[cfg(unix)]
fn is_printed_nowhere() -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_null = || {
        let (null, output) = (std::fs::metadata("/dev/null").ok()?, standard_output().ok()?.metadata().ok()?);
        Some(null.rdev() == output.rdev() && null.ino() == output.ino() && null.dev() == output.dev())
    };
    let is_open_for_reading = || {
        let flags = rustix::fs::fcntl_getfl(io::stdout());
        flags.is_ok_and(|flags| flags.contains(rustix::fs::OFlags::RDWR))
    };
    is_open_for_reading() && is_null() == Some(true)
}

/// Whether standard output is closed; not known here.
#[cfg(not(unix))]
fn is_printed_nowhere() -> bool {
    false
}

/// Refuses to write where nothing is kept.
///
/// # Errors
/// If standard output is closed; `what` would be written there.
pub(crate) fn refuse_nowhere(what: &str) -> Result<(), Error> {
    match is_printed_nowhere() {
        false => Ok(()),
        true => Err(Error::new(
            Class::Environment,
            format!(
                "standard output is closed, or the null device: the {what} would be kept nowhere; redirect it to a file or a pipe"
            ),
        )),
    }
}

/// How the program ends when its result cannot be printed.
fn cannot_print(error: &io::Error) -> Exit {
    if is_out_of_space(error) { Exit::OutOfSpace } else { Exit::from(Class::WriteIo) }
}

/// A message in one line.
fn message(kind: &str, colour: &str, text: impl fmt::Display) {
    let end = if colour.is_empty() { "" } else { PLAIN };
    let text = Line(shorten(&text.to_string(), MESSAGE_LEN_MAX));
    let line = format!("{colour}{kind}{end}: {text}\n");
    // Where standard error is closed nobody can be told.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Prints an error of a program that cannot even begin.
pub(crate) fn early_error(text: impl fmt::Display) -> Exit {
    message("error", "", text);
    Exit::Environment
}

/// Prints what the argument parser has to say: help and version on standard output, mistakes on standard error. The words of the command
/// line that stand in it must be free of control characters.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    let text = error.render();
    let is_long = text.to_string().lines().any(|line| line.len() > MESSAGE_LEN_MAX);
    let text = |is_terminal: bool| match is_terminal && !is_dumb_terminal() && !is_colour_unwanted() && !is_long {
        true => text.ansi().to_string(),
        false => text.to_string().lines().map(|line| shorten(line, MESSAGE_LEN_MAX) + "\n").collect(),
    };
    if error.use_stderr() {
        if is_json_asked_for() {
            let said = Said {
                error: Some(text(false).trim_start_matches("error: ").trim_end().to_owned()),
                ..Said::default()
            };
            let mut json = Vec::new();
            // Where standard output cannot be written to, the exit code and the message tell.
            let _ = ekv_text::json::write_shown(&Ending::new(Exit::Environment, Instant::now(), &said), &mut json)
                .and_then(|()| standard_output()?.write_all(&json));
        }
        let _ = io::stderr().lock().write_all(text(io::stderr().is_terminal()).as_bytes());
        return Exit::Environment;
    }
    match print(&text(io::stdout().is_terminal())) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            message("error", "", format_args!("standard output cannot be written to: {error}"));
            cannot_print(&error)
        }
        _ => {
            if is_printed_nowhere() {
                message("note", "", PRINTED_NOWHERE);
            }
            Exit::Done
        }
    }
}

/// Whether `--json` is among the words of a command line that could not be parsed.
fn is_json_asked_for() -> bool {
    std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json")
}

/// Whether the terminal understands nothing but text.
fn is_dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the user wants no colour in any program.
fn is_colour_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Tells the first of `count` things, a line each, then how many more there are and, in `rest`, where they are.
pub(crate) fn first_of(first: &[String], count: u64, rest: &str, mut tell: impl FnMut(&str)) {
    first.iter().for_each(|line| tell(line));
    let shown = u64::try_from(first.len()).unwrap_or(u64::MAX);
    if count > shown {
        tell(&format!("… and {} more{rest}", digits(count - shown)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_put_on_a_page_makes_a_line_or_steers_a_terminal() {
        let mut page = Page { is_bold: true, ..Page::plain() };
        let foreign = "x\x1b[2J\nSound: forged\u{202e}\r";
        page.title(format_args!("Dump {foreign}"));
        let _ = writeln!(page, ": {foreign}");
        let _ = writeln!(page, "  written by {foreign}");
        page.command("  next: ", "ekv-backup verify", Path::new("two\nlines"), " -q");
        let expected = "\x1b[1mDump x\\u{1b}[2J\\nSound: forged\\u{202e}\\r\x1b[0m: x\\u{1b}[2J\\nSound: forged\\u{202e}\\r\n  \
                        written by x\\u{1b}[2J\\nSound: forged\\u{202e}\\r\n  next: ekv-backup verify \"$(printf 'two\\012lines')\" -q\n";
        assert_eq!(page.text, expected);
    }

    #[test]
    fn long_line_is_cut_in_its_middle() {
        let mut page = Page::plain();
        let _ = writeln!(page, "begin {} end", "k".repeat(1 << 20));
        assert_eq!(page.text.chars().count(), LINE_LEN_MAX + 1);
        assert!(page.text.starts_with("begin k") && page.text.ends_with("k end\n"));
    }

    #[test]
    fn what_is_not_shown_of_many_is_counted() {
        let told = |first: &[String], count| {
            let mut lines = Vec::new();
            first_of(first, count, ", all in --json", |line| lines.push(line.to_owned()));
            lines
        };
        let first = ["a".to_owned(), "b".to_owned()];
        assert_eq!(told(&first, 2), ["a", "b"]);
        assert_eq!(told(&first, 1_002), ["a", "b", "… and 1 000 more, all in --json"]);
        assert_eq!(told(&[], 0), [""; 0]);
    }
}
