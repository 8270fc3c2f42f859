//! Growth: the same kind of input at one size and at four times the size. Time must grow with the input, whatever names clients chose.

mod node;
mod records;
mod shape;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::measure::{self, Measured};
use super::options::Options;
use super::places::{Places, remove, text};
use crate::command::quoted;
use crate::error::Error;

use shape::Shape;

/// How much more is read the second time.
const INPUT_RATIO: u64 = 4;
/// How much longer that may take.
const TIME_RATIO_MAX: f64 = 5.0;
/// Shorter times say nothing, in seconds of the processor.
const TIME_MIN_S: f64 = 0.02;

/// One kind of input, at two sizes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct GrowthRow {
    pub(super) name: &'static str,
    /// Length of the smaller and of the larger input, in bytes.
    pub(super) lens: [u64; 2],
    pub(super) costs: [Measured; 2],
}

impl GrowthRow {
    /// Time of the processor in seconds: other programs do not count.
    fn cpu_s(cost: &Measured) -> f64 {
        cost.user_s + cost.system_s
    }

    fn time_ratio(&self) -> f64 {
        let [smaller, larger] = self.costs.each_ref().map(Self::cpu_s);
        larger / smaller.max(TIME_MIN_S)
    }

    fn is_linear(&self) -> bool {
        self.time_ratio() <= TIME_RATIO_MAX
    }
}

impl fmt::Display for GrowthRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<34}", self.name)?;
        for (len, cost) in self.lens.iter().zip(&self.costs) {
            write!(f, "  {:>7} KiB {:>7.3} s", len >> 10, Self::cpu_s(cost))?;
        }
        let verdict = if self.is_linear() { "reached" } else { "MISSED" };
        write!(f, "  ratio {:.2}, at most {TIME_RATIO_MAX} {verdict}", self.time_ratio())
    }
}

/// Measures all shapes that were asked for.
pub(super) fn measure_growth(program: &Path, places: &Places, options: &Options) -> Result<Vec<GrowthRow>, Error> {
    let mut rows = Vec::new();
    for shape in Shape::ALL.into_iter().filter(|shape| options.wants(shape.name())) {
        if rows.is_empty() {
            println!("\nGrowth: {INPUT_RATIO} times the input");
        }
        let mut row = GrowthRow { name: shape.name(), lens: [0; 2], costs: [Measured::WORST; 2] };
        for ((len, cost), times) in row.lens.iter_mut().zip(&mut row.costs).zip([1, INPUT_RATIO]) {
            let input = places.tmpfs.path("growth.input");
            remove(&input)?;
            *len = shape.write(&input, times)?;
            *cost = measure_shape(program, places, options, shape, &input)?;
        }
        println!("  {row}");
        rows.push(row);
    }
    remove(&places.tmpfs.path("growth.input"))?;
    Ok(rows)
}

fn measure_shape(
    program: &Path,
    places: &Places,
    options: &Options,
    shape: Shape,
    input: &Path,
) -> Result<Measured, Error> {
    let [archive, out, info] =
        ["growth.tar", "growth.out", "growth.out.encode_info.json"].map(|name| places.tmpfs.path(name));
    let ours = |args: &[&str]| {
        let args = args.iter().map(|arg| quoted(arg).into_owned());
        std::iter::once(quoted(&text(program)).into_owned()).chain(args).collect::<Vec<_>>().join(" ")
    };
    let decode = |target: &Path| ours(&["decode", &text(input), &text(target), "--fsync", "none", "--quiet"]);
    remove(&archive)?;
    let command = match shape.command() {
        shape::Command::Inspect => ours(&["inspect", &text(input)]),
        shape::Command::Decode => decode(&archive),
        shape::Command::DecodeDirectory => decode(&out),
        shape::Command::EncodeArchive => {
            measure::run(&decode(&archive))?;
            ours(&["encode", "--no-self-test", &text(&archive), &text(&out), "--fsync", "none", "--quiet"])
        }
    };
    let mut best = Measured::WORST;
    for _ in 0..options.runs {
        for left in [&out, &info] {
            remove(left)?;
        }
        if shape.command() == shape::Command::Decode {
            remove(&archive)?;
        }
        let cost = measure::run(&command)?;
        if GrowthRow::cpu_s(&cost) < GrowthRow::cpu_s(&best) {
            best = cost;
        }
    }
    for left in [&archive, &out, &info] {
        remove(left)?;
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(user_s: [f64; 2]) -> String {
        let costs = user_s.map(|user_s| Measured { user_s, system_s: 0.0, ..Measured::WORST });
        GrowthRow { name: "x", lens: [1 << 20, 4 << 20], costs }.to_string()
    }

    #[test]
    fn more_than_five_times_the_time_misses_the_goal() {
        assert!(
            row([0.1, 0.45]).ends_with("4096 KiB   0.450 s  ratio 4.50, at most 5 reached"),
            "{}",
            row([0.1, 0.45])
        );
        assert!(row([0.1, 0.51]).ends_with("MISSED"));
    }

    #[test]
    fn times_too_short_to_tell_miss_nothing() {
        assert!(row([0.001, 0.09]).ends_with("reached"));
    }
}
