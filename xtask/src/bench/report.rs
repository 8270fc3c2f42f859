//! The table of ratios.

use std::fmt;

use serde::Serialize;

use super::growth::GrowthRow;
use super::measure::Measured;
use super::memory::MemoryRow;

/// What a row shall reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    /// Our time by theirs, at most.
    TimeAtMost(f64),
    /// Our time of the processor by theirs, at most.
    CpuAtMost(f64),
    /// Their time by ours, at least.
    SpeedAtLeast(f64),
}

/// One comparison.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) keys: u64,
    pub(super) mix: &'static str,
    pub(super) name: &'static str,
    pub(super) compared_with: &'static str,
    pub(super) ours: Measured,
    pub(super) theirs: Measured,
    pub(super) goal: Option<Goal>,
}

impl Row {
    /// What is compared, of ours and of theirs, in seconds.
    fn times(&self) -> [f64; 2] {
        let is_of_processor = matches!(self.goal, Some(Goal::CpuAtMost(_)));
        [self.ours, self.theirs].map(|side| if is_of_processor { side.user_s + side.system_s } else { side.wall_s })
    }

    /// Our time by theirs.
    fn time_ratio(&self) -> f64 {
        let [ours, theirs] = self.times();
        ours / theirs
    }

    fn reaches_goal(&self) -> Option<bool> {
        self.goal.map(|goal| match goal {
            Goal::TimeAtMost(most) | Goal::CpuAtMost(most) => self.time_ratio() <= most,
            Goal::SpeedAtLeast(least) => 1.0 / self.time_ratio() >= least,
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.time_ratio();
        let goal = match self.goal {
            None => String::new(),
            Some(Goal::TimeAtMost(most)) => format!("time at most {most}"),
            Some(Goal::CpuAtMost(most)) => format!("processor at most {most}"),
            Some(Goal::SpeedAtLeast(least)) => format!("speed {:.2}, at least {:.2}", 1.0 / ratio, least),
        };
        let verdict = match self.reaches_goal() {
            None => "",
            Some(true) => "reached",
            Some(false) => "MISSED",
        };
        let peak_mib = self.ours.peak_kib / 1024;
        let [ours, theirs] = self.times();
        write!(
            f,
            "{:<24} {:>8.3} s  {:>8.3} s  {ratio:>6.2}  {peak_mib:>5} MiB  {:<40} {goal} {verdict}",
            self.name, ours, theirs, self.compared_with
        )
    }
}

/// All rows.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) memory: Vec<MemoryRow>,
    pub(super) growth: Vec<GrowthRow>,
}

impl Report {
    /// The report as JSON, with a line feed at the end.
    pub(super) fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = None;
        for row in &self.rows {
            if group != Some((row.keys, row.mix)) {
                group = Some((row.keys, row.mix));
                writeln!(f, "{} keys, {}", row.keys, row.mix)?;
                writeln!(
                    f,
                    "  {:<24} {:>10}  {:>10}  {:>6}  {:>9}  compared with",
                    "", "ours", "theirs", "ratio", "memory"
                )?;
            }
            writeln!(f, "  {}", row.to_string().trim_end())?;
        }
        if !self.memory.is_empty() {
            writeln!(f, "Peak memory, strings")?;
        }
        self.memory.iter().try_for_each(|row| writeln!(f, "  {row}"))?;
        if !self.growth.is_empty() {
            writeln!(f, "Growth, time of the processor")?;
        }
        self.growth.iter().try_for_each(|row| writeln!(f, "  {row}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours_s: f64, goal: Goal) -> Row {
        let measured = |wall_s| Measured { wall_s, user_s: 0.0, system_s: 0.0, peak_kib: 2048 };
        Row {
            keys: 1,
            mix: "strings",
            name: "x",
            compared_with: "y",
            ours: measured(ours_s),
            theirs: measured(1.0),
            goal: Some(goal),
        }
    }

    #[test]
    fn goals_of_time_and_of_speed_are_told_apart() {
        assert_eq!(row(1.2, Goal::TimeAtMost(1.25)).reaches_goal(), Some(true));
        assert_eq!(row(1.3, Goal::TimeAtMost(1.25)).reaches_goal(), Some(false));
        assert_eq!(row(1.4, Goal::SpeedAtLeast(0.7)).reaches_goal(), Some(true));
        assert_eq!(row(1.5, Goal::SpeedAtLeast(0.7)).reaches_goal(), Some(false));
    }

    #[test]
    fn table_shows_ratio_memory_and_verdict() {
        let text = Report { rows: vec![row(1.5, Goal::SpeedAtLeast(0.7))], ..Report::default() }.to_string();
        for part in ["1 keys, strings", "1.50", "2 MiB", "speed 0.67, at least 0.70 MISSED"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
