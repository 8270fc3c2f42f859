//! One row: two commands, measured in turn.

use std::path::{Path, PathBuf};

use super::input::Mix;
use super::measure::{self, Measured};
use super::places::remove;
use super::report::{Goal, Row};
use crate::error::Error;

/// What is compared with what.
pub(super) struct Case {
    pub(super) name: &'static str,
    ours: String,
    compared_with: &'static str,
    theirs: String,
    goal: Option<Goal>,
    /// What the commands leave behind.
    leaves: Vec<PathBuf>,
}

impl Case {
    pub(super) fn new(name: &'static str, ours: String, compared_with: &'static str, theirs: String) -> Self {
        Case { name, ours, compared_with, theirs, goal: None, leaves: Vec::new() }
    }

    /// Ours shall take at most so many times as long.
    pub(super) fn at_most(self, ratio: f64) -> Self {
        Case { goal: Some(Goal::TimeAtMost(ratio)), ..self }
    }

    /// Ours shall take at most so many times as much time of the processor.
    pub(super) fn cpu_at_most(self, ratio: f64) -> Self {
        Case { goal: Some(Goal::CpuAtMost(ratio)), ..self }
    }

    /// Ours shall get through at least so much of what the other gets through in the same time.
    pub(super) fn at_least_speed(self, ratio: f64) -> Self {
        Case { goal: Some(Goal::SpeedAtLeast(ratio)), ..self }
    }

    pub(super) fn removing<const N: usize>(self, leaves: [&Path; N]) -> Self {
        Case { leaves: leaves.map(Path::to_owned).to_vec(), ..self }
    }

    /// Runs both sides alternately.
    pub(super) fn measure(&self, runs: u64, keys: u64, mix: Mix) -> Result<Row, Error> {
        let (mut ours, mut theirs) = (Measured::WORST, Measured::WORST);
        for _ in 0..runs {
            ours = ours.best(measure::run(&self.ours)?);
            self.clean()?;
            theirs = theirs.best(measure::run(&self.theirs)?);
            self.clean()?;
        }
        Ok(Row {
            keys,
            mix: mix.name(),
            name: self.name,
            compared_with: self.compared_with,
            ours,
            theirs,
            goal: self.goal,
        })
    }

    fn clean(&self) -> Result<(), Error> {
        self.leaves.iter().try_for_each(|path| remove(path))
    }
}
