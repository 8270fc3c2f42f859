//! Runs a command as a process of its own and says what it cost.

use std::path::Path;
use std::process;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::error::Error;

/// Name of the hidden task that measures one command line.
pub(super) const TASK: &str = "bench-measure";

/// What a command cost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    /// Time from start to end, in seconds.
    pub(super) wall_s: f64,
    /// Time of the processor for the program, in seconds.
    pub(super) user_s: f64,
    /// Time of the processor for the system on behalf of the program, in seconds.
    pub(super) system_s: f64,
    /// Most memory that one process of the command held, in KiB.
    pub(super) peak_kib: i64,
}

impl Measured {
    /// Longer than any run, with no memory.
    pub(super) const WORST: Measured =
        Measured { wall_s: f64::INFINITY, user_s: f64::INFINITY, system_s: f64::INFINITY, peak_kib: 0 };

    /// The quicker one, with the most memory of both.
    pub(super) fn best(self, other: Measured) -> Measured {
        let quicker = if other.wall_s < self.wall_s { other } else { self };
        Measured { peak_kib: self.peak_kib.max(other.peak_kib), ..quicker }
    }
}

/// Runs a shell command line and measures it.
pub(super) fn run(line: &str) -> Result<Measured, Error> {
    // The peak memory that the system reports is that of all children so far: each command gets a parent of its own.
    let here = std::env::current_exe().map_err(Error::io(Path::new("xtask")))?;
    let command = Command::new(here.display().to_string(), Path::new(".")).shown_as(line).args([TASK, line]);
    let json = command.output()?;
    serde_json::from_slice(&json).map_err(|source| Error::Output { command: line.to_owned(), source })
}

/// Runs one command line and prints what it cost, as JSON.
pub(super) fn measure_child(line: &str) -> Result<(), Error> {
    let start = Instant::now();
    let status = process::Command::new("sh").args(["-c", line]).stdout(process::Stdio::null()).status();
    let status = status.map_err(|source| Error::Start { command: line.to_owned(), source })?;
    let wall_s = start.elapsed().as_secs_f64();
    if !status.success() {
        return Err(Error::Failed { command: line.to_owned(), status });
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|errno| Error::Usage { problem: errno.to_string() })?;
    let seconds = |time: nix::sys::time::TimeVal| {
        let micros = i32::try_from(time.tv_usec()).unwrap_or(0);
        f64::from(i32::try_from(time.tv_sec()).unwrap_or(i32::MAX)) + f64::from(micros) / 1e6
    };
    let measured = Measured {
        wall_s,
        user_s: seconds(usage.user_time()),
        system_s: seconds(usage.system_time()),
        peak_kib: usage.max_rss(),
    };
    let json = serde_json::to_string(&measured).map_err(|source| Error::Output { command: line.to_owned(), source })?;
    println!("{json}");
    Ok(())
}
