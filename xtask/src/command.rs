//! Programs that a task runs, shown to the user as lines that can be pasted into a shell.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process;

use crate::error::Error;

/// A program with its arguments, environment and working directory.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    program: String,
    shown: String,
    args: Vec<String>,
    envs: Vec<(String, String)>,
    dir: PathBuf,
}

impl Command {
    /// A program to be run in the directory `dir`.
    pub(crate) fn new(program: impl Into<String>, dir: &Path) -> Self {
        let program = program.into();
        Command { shown: program.clone(), program, args: Vec::new(), envs: Vec::new(), dir: dir.to_owned() }
    }

    /// Shows the program by another name, such as a path relative to the directory it runs in.
    pub(crate) fn shown_as(mut self, shown: impl Into<String>) -> Self {
        self.shown = shown.into();
        self
    }

    /// Adds arguments.
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Prints the command line and runs it; its output goes where that of this process goes.
    ///
    /// # Errors
    /// [`Error::Start`] if the program cannot be started, [`Error::Failed`] unless it exits with 0.
    pub(crate) fn run(&self) -> Result<(), Error> {
        println!("$ {self}");
        let status = self.process().status().map_err(|source| self.start_error(source))?;
        self.accept(status)
    }

    /// Runs the program without a word and returns its standard output.
    ///
    /// # Errors
    /// As [`Command::run`].
    pub(crate) fn output(&self) -> Result<Vec<u8>, Error> {
        let process = self.process().stderr(process::Stdio::inherit()).output();
        let output = process.map_err(|source| self.start_error(source))?;
        self.accept(output.status)?;
        Ok(output.stdout)
    }

    fn process(&self) -> process::Command {
        let mut process = process::Command::new(&self.program);
        process.args(&self.args).current_dir(&self.dir);
        process.envs(self.envs.iter().map(|(name, value)| (name, value)));
        process
    }

    fn accept(&self, status: process::ExitStatus) -> Result<(), Error> {
        if status.success() { Ok(()) } else { Err(Error::Failed { command: self.to_string(), status }) }
    }

    fn start_error(&self, source: std::io::Error) -> Error {
        Error::Start { command: self.to_string(), source }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.envs {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", quoted(&self.shown))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

/// `text` as one word of a POSIX shell.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new("sh", Path::new(".")).args(["-c", script])
    }

    #[test]
    fn shown_command_line_can_be_pasted_into_a_shell() {
        let command = shell("printf '%s' \"$X\"").env("X", "it's two words");
        assert_eq!(command.to_string(), r#"X='it'\''s two words' sh -c 'printf '\''%s'\'' "$X"'"#);
        if cfg!(unix) {
            let pasted = shell(&command.to_string()).output().unwrap();
            assert_eq!(pasted, b"it's two words");
        }
    }

    #[test]
    fn empty_argument_stays_visible() {
        assert_eq!(Command::new("ls", Path::new(".")).args([""]).to_string(), "ls ''");
    }

    #[cfg(unix)]
    #[test]
    fn program_that_fails_is_an_error_with_its_command_line_and_status() {
        let error = shell("exit 3").output().unwrap_err();
        assert_eq!(error.to_string(), "`sh -c 'exit 3'` failed: exit status: 3");
    }

    #[test]
    fn program_that_does_not_exist_is_a_start_error() {
        let error = Command::new("no-such-program-here", Path::new(".")).output().unwrap_err();
        assert!(matches!(error, Error::Start { .. }), "{error:?}");
    }
}
