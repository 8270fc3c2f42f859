//! Data on standard output, messages on standard error.

use std::error::Error as _;
use std::io::{self, IsTerminal, Write};

use ekv_backup::Error;
use serde::Serialize;

use crate::args::{OutputArguments, When};
use crate::exit::Exit;
use crate::screen::Screen;

/// Where everything that a person or a machine reads goes through.
pub(crate) struct Output {
    arguments: OutputArguments,
    screen: Screen,
    colour: bool,
    /// The first failure to write to standard output.
    failed: Option<io::Error>,
    /// Whether standard output carries something else than results.
    is_standard_output_taken: bool,
}

impl Output {
    pub(crate) fn new(arguments: &OutputArguments) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal = io::stderr().is_terminal();
        let fancy = match arguments.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal,
        };
        let screen = Screen::new(terminal && arguments.color != When::Never && !arguments.quiet);
        Output {
            arguments: *arguments,
            screen,
            colour: fancy && !(no_colour && arguments.color == When::Auto),
            failed: None,
            is_standard_output_taken: false,
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

    /// Shows a result: as JSON on standard output if that was asked for, else as text for people.
    pub(crate) fn result(&mut self, result: &impl Serialize, text: impl FnOnce(&mut String)) {
        self.screen.clear();
        if self.arguments.json {
            match serde_json::to_string_pretty(result) {
                Ok(json) => self.print(&format!("{json}\n")),
                Err(error) => self.failed = Some(error.into()),
            }
        } else if !self.arguments.quiet {
            let mut out = String::new();
            text(&mut out);
            self.print(&out);
        }
    }

    /// Prints data on standard output. A reader that went away is no failure.
    pub(crate) fn print(&mut self, text: &str) {
        if self.failed.is_some() {
            return;
        }
        let written = match self.is_standard_output_taken {
            true => io::stderr().lock().write_all(text.as_bytes()),
            false => io::stdout().lock().write_all(text.as_bytes()),
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => self.failed = Some(error),
            _ => {}
        }
    }

    /// Prints a message on standard error, unless only errors are wanted.
    pub(crate) fn note(&self, text: &str) {
        if !self.arguments.quiet {
            self.screen.clear();
            self.message("note", "\x1b[1;33m", text);
        }
    }

    /// Prints something that is wrong with what was checked.
    pub(crate) fn problem(&self, text: &str) {
        self.screen.clear();
        self.message("problem", "\x1b[1;31m", text);
    }

    /// Prints an error with its causes and, where one is known, a way on.
    pub(crate) fn error(&self, error: &Error) -> Exit {
        self.screen.clear();
        let exit = Exit::from(error.class());
        let mut text = match exit {
            Exit::OutOfSpace => format!("out of space: {error}"),
            _ => error.to_string(),
        };
        let mut cause = error.source();
        while let Some(source) = cause {
            text.push_str(&format!(": {source}"));
            cause = source.source();
        }
        self.message("error", "\x1b[1;31m", &text);
        exit
    }

    /// Makes `text` bold on a terminal.
    pub(crate) fn bold(&self, text: &str) -> String {
        let is_terminal = match self.is_standard_output_taken {
            true => io::stderr().is_terminal(),
            false => io::stdout().is_terminal(),
        };
        if self.colour && is_terminal { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn message(&self, kind: &str, colour: &str, text: &str) {
        let line = if self.colour { format!("{colour}{kind}\x1b[0m: {text}\n") } else { format!("{kind}: {text}\n") };
        // Where standard error is closed nobody can be told.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// Ends the output: a result that could not be printed is an error.
    pub(crate) fn close(mut self, exit: Exit) -> Exit {
        if self.failed.is_none() {
            self.failed = io::stdout().flush().err().filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
        }
        match self.failed.take() {
            Some(error) if exit == Exit::Done || exit == Exit::Losses => {
                self.message(
                    "error",
                    "\x1b[1;31m",
                    &format!("the work is done, but its result cannot be printed: {error}"),
                );
                Exit::WriteIo
            }
            _ => exit,
        }
    }
}
