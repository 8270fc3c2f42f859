//! The commands of the pages in `docs/guide/`, run as they stand there. `docs/testing.md` says how a page is written.

use std::any::Any;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ekv_testkit::aws::MiniStack;
use ekv_testkit::fixtures;
use ekv_testkit::servers::RedisServer;

use crate::support::Room;

/// Stands for what may be anything: in a line, or as a line.
const ANYTHING: &str = "…";
/// Before each command.
const PROMPT: &str = "$ ";
/// In a command that does not end with 0, before the code.
const ENDS_WITH: &str = "# exits with ";
/// Before the list of what a page is run with.
const RUN_WITH: &str = "<!-- run with: ";
/// Before a command that the page does not show: what readers have done already.
const HIDDEN: &str = "<!-- $ ";
/// What the shell prints before a command and behind it; no page and no program has it.
const MARK: &str = "\u{1}mark ";

/// A command of a page, with what is shown below it.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    command: String,
    shown: Vec<String>,
    code: i32,
}

/// A page: what it is run with, and its commands.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    needs: Vec<String>,
    steps: Vec<Step>,
}

impl Page {
    fn parse(text: &str) -> Result<Page, String> {
        let mut page = Page::default();
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
        while let Some((at, line)) = lines.next() {
            if let Some(needs) = line.strip_prefix(RUN_WITH).and_then(|rest| rest.strip_suffix(" -->")) {
                page.needs.extend(needs.split(' ').map(str::to_owned));
            }
            if let Some(command) = line.strip_prefix(HIDDEN).and_then(|rest| rest.strip_suffix(" -->")) {
                page.steps.push(Step { line: at, command: command.to_owned(), shown: Vec::new(), code: 0 });
            }
            let Some(kind) = line.strip_prefix("```") else { continue };
            let block: Vec<_> = lines.by_ref().take_while(|(_, line)| *line != "```").collect();
            match kind {
                "console" => page.block(&block)?,
                // The content of a file, or what is never typed.
                "text" => {}
                other => return Err(format!("line {at}: a block of `{other}`; there are `console` and `text`")),
            }
        }
        Ok(page)
    }

    fn block(&mut self, block: &[(usize, &str)]) -> Result<(), String> {
        let mut lines = block.iter();
        let mut is_first = true;
        while let Some((at, line)) = lines.next() {
            if let Some(command) = line.strip_prefix(PROMPT) {
                let mut command = command.to_owned();
                while command.ends_with('\\') {
                    let (_, more) = lines.next().ok_or_else(|| format!("line {at}: a command without its end"))?;
                    command = format!("{command}\n{more}");
                }
                let code = match command.split_once(ENDS_WITH) {
                    Some((_, code)) => {
                        let digits: String = code.chars().take_while(char::is_ascii_digit).collect();
                        digits.parse().map_err(|_| format!("line {at}: an exit code that is none"))?
                    }
                    None => 0,
                };
                self.steps.push(Step { line: *at, command, shown: Vec::new(), code });
            } else if is_first {
                return Err(format!("line {at}: a block of `console` begins with a command"));
            } else if let Some(step) = self.steps.last_mut() {
                step.shown.push((*line).to_owned());
            }
            is_first = false;
        }
        Ok(())
    }
}

/// Whether a line is what is shown, where [`ANYTHING`] stands for any text.
fn is_line(shown: &str, line: &str) -> bool {
    let (shown, line) = (shown.trim_end(), line.trim_end());
    let Some((first, rest)) = shown.split_once(ANYTHING) else { return shown == line };
    let Some(line) = line.strip_prefix(first) else { return false };
    line.char_indices().map(|(at, _)| at).chain([line.len()]).any(|at| is_line(rest, &line[at..]))
}

/// Whether lines are what is shown, where a line of [`ANYTHING`] alone stands for any lines.
fn are_lines(shown: &[String], lines: &[&str]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return lines.is_empty() };
    if first.trim() == ANYTHING {
        return (0..=lines.len()).any(|at| are_lines(rest, &lines[at..]));
    }
    lines.split_first().is_some_and(|(line, others)| is_line(first, line) && are_lines(rest, others))
}

/// Where a page is run: a folder with the files that it names, programs, and servers.
struct Stage {
    room: Room,
    /// What the page says, and what it is called here.
    names: Vec<(String, String)>,
    /// Stopped and removed at the end.
    kept: Vec<Box<dyn Any>>,
}

impl Stage {
    fn new() -> Stage {
        let stage = Stage { room: Room::new(), names: Vec::new(), kept: Vec::new() };
        fs::create_dir(stage.bin()).unwrap();
        fs::create_dir(stage.room.path("page")).unwrap();
        stage
    }

    /// Programs that stand in for those of the system.
    fn bin(&self) -> PathBuf {
        self.room.path("bin")
    }

    fn add_program(&self, name: &str, script: &str) {
        let path = self.bin().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Puts what a page needs in place; false where that is missing here and tests may be left out.
    fn provide(&mut self, need: &str) -> bool {
        match need.split_once('=') {
            Some((file, fixture)) => {
                fs::write(self.room.path("page").join(file), fixtures::read(fixture)).unwrap();
                true
            }
            None => match need {
                "redis-server" => self.add_redis(),
                "ministack" => self.add_ministack(),
                other => panic!("nobody knows how to run a page with {other}"),
            },
        }
    }

    /// A Redis server as Debian sets it up, stopped and started by `systemctl`.
    fn add_redis(&mut self) -> bool {
        const OPTIONS: [&str; 2] = ["--repl-diskless-sync-delay", "0"];
        let Some(server) = RedisServer::with(None, &OPTIONS) else { return false };
        let (port, folder) = (server.port(), server.folder().display().to_string());
        self.names.push(("127.0.0.1:6379".into(), format!("127.0.0.1:{port}")));
        self.names.push(("/var/lib/redis".into(), folder.clone()));
        self.add_program("redis-cli", &format!("PATH=${{PATH#*:}} exec redis-cli -p {port} \"$@\""));
        self.add_program("sudo", "exec \"$@\"");
        self.add_program("chown", "");
        let start = format!(
            "redis-server --bind 127.0.0.1 --port {port} --save '' --dir '{folder}' --daemonize yes --logfile '{folder}/log'"
        );
        self.add_program(
            "systemctl",
            &format!(
                "case $1 in\n\
                 stop) redis-cli shutdown nosave; while redis-cli ping; do :; done > /dev/null 2>&1 ;;\n\
                 start) {start} && until redis-cli ping 2> /dev/null | grep -q PONG; do :; done ;;\n\
                 esac"
            ),
        );
        self.kept.push(Box::new(Restarted(self.bin().join("systemctl"), self.path())));
        self.kept.push(Box::new(server));
        true
    }

    /// DynamoDB, S3 and SQS at one port.
    fn add_ministack(&mut self) -> bool {
        let Some(server) = MiniStack::start() else { return false };
        self.names.push(("127.0.0.1:4566".into(), format!("127.0.0.1:{}", server.port())));
        self.kept.push(Box::new(server));
        true
    }

    fn path(&self) -> std::ffi::OsString {
        let program = Path::new(env!("CARGO_BIN_EXE_ekv-backup")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths([self.bin(), program].into_iter().chain(std::env::split_paths(&path))).unwrap()
    }

    /// Runs commands in one shell, one after the other; of each what it printed, and how it ended.
    fn run(&self, steps: &[Step]) -> Vec<(String, i32)> {
        let mut script = String::from("exec 2>&1\n");
        for step in steps {
            let command = self.names.iter().fold(step.command.clone(), |text, (page, here)| text.replace(page, here));
            script += &format!("{command}\necho \"{MARK}$?\"\n");
        }
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(self.room.path("page")).env("PATH", self.path());
        shell.env_remove("NO_COLOR").stdin(Stdio::null());
        let output = shell.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = self.names.iter().fold(text, |text, (page, here)| text.replace(here, page));
        let mut ends = text.split_inclusive('\n').collect::<Vec<_>>();
        let mut runs = Vec::new();
        while let Some(end) = ends.iter().position(|line| line.contains(MARK)) {
            let (before, code) = ends[end].split_once(MARK).unwrap();
            let printed = ends[..end].concat() + before;
            runs.push((printed, code.trim().parse().unwrap()));
            ends.drain(..=end);
        }
        runs
    }
}

/// A server that `systemctl` may have started.
struct Restarted(PathBuf, std::ffi::OsString);

impl Drop for Restarted {
    fn drop(&mut self) {
        let _ = Command::new(&self.0).arg("stop").env("PATH", &self.1).output();
    }
}

/// Runs a page, and says in which commands it is wrong.
fn check(name: &str, text: &str) -> Vec<String> {
    let page = match Page::parse(text) {
        Ok(page) => page,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    let mut stage = Stage::new();
    if !page.needs.iter().all(|need| stage.provide(need)) {
        println!("{name}: left out");
        return Vec::new();
    }
    let runs = stage.run(&page.steps);
    let mut wrong = Vec::new();
    if runs.len() != page.steps.len() {
        wrong.push(format!("{name}: the shell ended after {} of {} commands", runs.len(), page.steps.len()));
    }
    for (step, (printed, code)) in page.steps.iter().zip(&runs) {
        let lines: Vec<&str> = printed.lines().collect();
        let is_shown = step.shown.is_empty() || are_lines(&step.shown, &lines);
        if *code != step.code || !is_shown {
            let Step { line, command, .. } = step;
            wrong.push(format!("{name}, line {line}: $ {command}\n{printed}(exit code {code})"));
        }
    }
    wrong
}

#[test]
fn commands_of_the_guide_do_what_its_pages_show() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    let pages = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = pages.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    pages.sort();
    assert!(!pages.is_empty());
    let read = |path: &PathBuf| (path.file_name().unwrap().display().to_string(), fs::read_to_string(path).unwrap());
    let wrong: Vec<String> = pages.iter().map(read).flat_map(|(name, text)| check(&name, &text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn page_that_shows_something_else_or_another_end_is_wrong() {
    let page = |commands: &str| format!("# A page\n\n```console\n{commands}\n```\n");
    for right in [
        "$ echo a; echo b >&2\na\nb",
        "$ printf 'a\\n1.5 s, 3 keys\\nz\\n'\na\n… s, 3 …\n…",
        "$ X=1; false # exits with 1: so it is\n$ echo $X \\\n  2\n1 2",
        "$ echo anything",
        "$ ekv-backup version\nekv-backup …",
    ] {
        assert_eq!(check("p", &page(right)), [""; 0], "{right}");
    }
    for wrong in
        ["$ echo a\nb", "$ echo a\na\nb", "$ false", "$ true # exits with 1", "$ exit 0\n$ echo a", "a\n$ true"]
    {
        assert_eq!(check("p", &page(wrong)).len(), 1, "{wrong}");
    }
    assert_eq!(check("p", "```sh\nls\n```\n").len(), 1);
}
