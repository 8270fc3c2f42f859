//! What the user asks of the benchmark.

use std::path::PathBuf;

use crate::error::Error;

pub(super) const USAGE: &str = "\
  --keys N         strings of 100 bytes (1000000; 0 leaves them out)
  --mixed-keys N   keys of all Redis types (300000; 0 leaves them out)
  --memory-keys L  numbers of strings for peak memory (100000,1000000,10000000; 0 leaves them out)
  --runs N         runs of each side (3)
  --tmpfs DIR      a folder in memory (/dev/shm)
  --disk DIR       a folder on a disk (the target directory)
  --only TEXT      only the rows whose name holds TEXT
  --peer COMMAND   another decoder, with {input} and {output}
";

/// The options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) keys: u64,
    pub(super) mixed_keys: u64,
    pub(super) memory_keys: Vec<u64>,
    pub(super) runs: u64,
    pub(super) tmpfs: PathBuf,
    pub(super) disk: Option<PathBuf>,
    pub(super) only: Option<String>,
    pub(super) peer: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            keys: 1_000_000,
            mixed_keys: 300_000,
            memory_keys: vec![100_000, 1_000_000, 10_000_000],
            runs: 3,
            tmpfs: PathBuf::from("/dev/shm"),
            disk: None,
            only: None,
            peer: None,
        }
    }
}

impl Options {
    /// Reads the arguments.
    pub(super) fn parse(args: &[String]) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| usage(&format!("`{name}` needs a value")))?;
            let parse = |text: &str| text.parse().map_err(|_| usage(&format!("`{text}` is not a number")));
            let number = || parse(value);
            match name.as_str() {
                "--keys" => options.keys = number()?,
                "--mixed-keys" => options.mixed_keys = number()?,
                "--memory-keys" => {
                    let numbers: Result<Vec<u64>, Error> = value.split(',').map(parse).collect();
                    options.memory_keys = numbers?.into_iter().filter(|keys| *keys > 0).collect();
                }
                "--runs" => options.runs = number()?.max(1),
                "--tmpfs" => options.tmpfs = PathBuf::from(value),
                "--disk" => options.disk = Some(PathBuf::from(value)),
                "--only" => options.only = Some(value.clone()),
                "--peer" => options.peer = Some(value.clone()),
                _ => return Err(usage(&format!("there is no option `{name}`"))),
            }
        }
        Ok(options)
    }

    /// Whether a row with this name was asked for.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }
}

fn usage(problem: &str) -> Error {
    Error::Usage { problem: format!("{problem}; options of bench:\n{USAGE}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Error> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_the_rest_is_as_usual() {
        let options = parse("--keys 5 --memory-keys 7,8 --peer x --only tar").unwrap();
        let expected = Options {
            keys: 5,
            memory_keys: vec![7, 8],
            peer: Some("x".into()),
            only: Some("tar".into()),
            ..Options::default()
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn unknown_option_and_missing_value_are_usage_errors() {
        for line in ["--keys", "--keys many", "--memory-keys 1,x", "--what 1"] {
            assert!(matches!(parse(line), Err(Error::Usage { .. })), "{line}");
        }
    }
}
