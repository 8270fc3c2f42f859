//! Coverage-guided fuzzing with the stable compiler. Source: `docs/testing.md`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::error::Error;
use crate::workspace::Workspace;

/// Compiler flags that give the engine its counters: basic blocks, edges, and the operands of comparisons.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
const ENGINE: &str = "ekv-fuzz-engine";
const CORPUS_TOOL: &str = "ekv-fuzz-corpus";
/// How long a target runs, in seconds.
const SECONDS: u64 = 60;
/// Memory that a target may touch, in MiB.
const TOUCHED_MEMORY_MIB: u64 = 512;
/// Address space that a target may ask for, in KiB: an allocation by a hostile length fails at once.
const ADDRESS_SPACE_KIB: u64 = 2 << 20;
/// How long one input may take, in seconds.
const INPUT_SECONDS: u64 = 10;

/// What the user asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    /// Names of targets; none for `--all`.
    targets: Vec<String>,
    all: bool,
    seconds: Option<u64>,
    /// Whether the corpus is minimised and packed afterwards.
    pack: bool,
    /// Inputs to be run once instead.
    inputs: Vec<String>,
}

impl Request {
    fn parse(args: &[String]) -> Result<Request, Error> {
        let mut request = Request::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--all" => request.all = true,
                "--pack" => request.pack = true,
                "--seconds" => {
                    let seconds = args.next().and_then(|text| text.parse().ok());
                    request.seconds = Some(seconds.ok_or_else(|| usage("`--seconds` needs a number"))?);
                }
                "--" => request.inputs.extend(args.by_ref().cloned()),
                flag if flag.starts_with('-') => return Err(usage(&format!("`fuzz` has no option `{flag}`"))),
                name => request.targets.push(name.to_owned()),
            }
        }
        if request.all != request.targets.is_empty() {
            return Err(usage("`fuzz` needs the name of a target, or --all"));
        }
        Ok(request)
    }
}

fn usage(problem: &str) -> Error {
    Error::Usage { problem: problem.to_owned() }
}

/// Builds the engine and runs the targets that were asked for, one after the other.
pub(crate) fn run(args: &[String]) -> Result<(), Error> {
    let request = Request::parse(args)?;
    let fuzzer = Fuzzer::build()?;
    let known = fuzzer.targets()?;
    let names =
        if request.all { known.iter().map(|(name, _)| name.clone()).collect() } else { request.targets.clone() };
    for name in &names {
        let Some((_, len_max)) = known.iter().find(|(known, _)| known == name) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
            return Err(usage(&format!("there is no target `{name}`; there are: {}", names.join(", "))));
        };
        if !request.inputs.is_empty() {
            fuzzer.engine(name).args(request.inputs.iter().cloned()).run()?;
            continue;
        }
        fuzzer.fuzz(name, len_max, request.seconds.unwrap_or(SECONDS))?;
        if request.pack {
            fuzzer.pack(name)?;
        }
    }
    Ok(())
}

/// The built programs.
struct Fuzzer {
    workspace: Workspace,
    engine: PathBuf,
    corpus_tool: PathBuf,
}

impl Fuzzer {
    fn build() -> Result<Fuzzer, Error> {
        let workspace = Workspace::load()?;
        let build = |args: &[&str]| {
            let cargo = workspace.command("cargo").args(["build", "--locked", "--package", "ekv-fuzz", "--bin"]);
            cargo.args(args.iter().copied())
        };
        build(&[CORPUS_TOOL]).run()?;
        // With a target of its own the flags do not reach build scripts, which have no engine to report to.
        let host = host()?;
        let engine = build(&[ENGINE, "--features", "engine", "--profile", "fuzz", "--target", &host]);
        engine.env("RUSTFLAGS", COVERAGE).run()?;
        let built = |folders: &[&str], program: &str| {
            let folder = folders.iter().fold(workspace.target_directory.clone(), |path, folder| path.join(folder));
            folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
        };
        let (engine, corpus_tool) = (built(&[&host, "fuzz"], ENGINE), built(&["debug"], CORPUS_TOOL));
        Ok(Fuzzer { workspace, engine, corpus_tool })
    }

    /// Names of the targets with the longest useful input of each.
    fn targets(&self) -> Result<Vec<(String, String)>, Error> {
        let list = self.corpus_tool().args(["list"]).output()?;
        let lines = String::from_utf8_lossy(&list).into_owned();
        let pairs = lines.lines().filter_map(|line| line.split_once(' '));
        Ok(pairs.map(|(name, len_max)| (name.to_owned(), len_max.to_owned())).collect())
    }

    fn fuzz(&self, name: &str, len_max: &str, seconds: u64) -> Result<(), Error> {
        let corpus = self.folder("corpus", name)?;
        let finds = self.folder("finds", name)?;
        self.corpus_tool().args(["unpack", name, &text(&corpus)]).run()?;
        let options = [
            format!("-max_total_time={seconds}"),
            format!("-max_len={len_max}"),
            format!("-timeout={INPUT_SECONDS}"),
            format!("-rss_limit_mb={TOUCHED_MEMORY_MIB}"),
            format!("-artifact_prefix={}/", finds.display()),
            "-print_final_stats=1".to_owned(),
            text(&corpus),
        ];
        self.engine(name).args(options).run()
    }

    /// Keeps the smallest set of inputs with the same coverage.
    fn pack(&self, name: &str) -> Result<(), Error> {
        let corpus = self.folder("corpus", name)?;
        let minimised = self.folder("minimised", name)?;
        fs::remove_dir_all(&minimised).and_then(|()| fs::create_dir(&minimised)).map_err(Error::io(&minimised))?;
        self.engine(name).args(["-merge=1".to_owned(), text(&minimised), text(&corpus)]).run()?;
        self.corpus_tool().args(["pack", name, &text(&minimised)]).run()
    }

    fn folder(&self, kind: &str, name: &str) -> Result<PathBuf, Error> {
        let folder = self.workspace.target_directory.join("fuzzing").join(kind).join(name);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        Ok(folder)
    }

    /// The engine, in a shell that bounds its address space where there is one.
    fn engine(&self, name: &str) -> Command {
        let engine = text(&self.engine);
        let script = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\"");
        self.workspace.command("sh").args(["-c".to_owned(), script, engine]).env("EKV_FUZZ_TARGET", name)
    }

    fn corpus_tool(&self) -> Command {
        self.workspace.command_at(&self.corpus_tool)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The platform that the compiler runs on.
fn host() -> Result<String, Error> {
    let output = Command::new("rustc", Path::new(".")).args(["--print", "host-tuple"]).output()?;
    Ok(String::from_utf8_lossy(&output).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Request::parse(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn a_request_names_targets_or_all_of_them() {
        assert_eq!(parse("redis --seconds 5 --pack").unwrap().seconds, Some(5));
        assert!(parse("--all").unwrap().all);
        assert_eq!(parse("redis -- a b").unwrap().inputs, ["a", "b"]);
        assert_eq!(parse("").unwrap_err(), "`fuzz` needs the name of a target, or --all");
        assert_eq!(parse("redis --all").unwrap_err(), "`fuzz` needs the name of a target, or --all");
        assert_eq!(parse("redis --seconds soon").unwrap_err(), "`--seconds` needs a number");
        assert_eq!(parse("redis --fast").unwrap_err(), "`fuzz` has no option `--fast`");
    }
}
