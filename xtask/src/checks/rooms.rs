//! The check of rooms: crates depend on each other one way, and files inside of a crate stand in no circle.
//!
//! What a crate may use is the table in `ARCHITECTURE.md`; what it does use is in its manifest. Which file uses which is read from the
//! code ([`files`]), but for that of tests.

mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::error::Error;
use crate::workspace::Workspace;

use files::Crate;

const PAGE: &str = "ARCHITECTURE.md";
/// What the names of the workspace's own crates begin with.
const OWN: &str = "ekv-";
/// The folder of the crate that holds these checks.
const OWN_TASKS: &str = "xtask";
/// Where each protocol has a folder of its own, none of which may use another. The first one says which protocols there are.
const PROTOCOLS: [(&str, &str); 2] = [("ekv-dump", "layout/"), ("ekv-adapters", "")];

/// Checks all crates below `crates/` that are published and prints what does not hold.
pub(super) fn run() -> Result<(), Error> {
    let root = Workspace::load()?.workspace_root;
    let page = root.join(PAGE);
    let allowed = allowed(&fs::read_to_string(&page).map_err(Error::io(&page))?);
    let folder = root.join("crates");
    let mut problems = Vec::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
        names.push(entry.map_err(Error::io(&folder))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let [(of, layout), _] = PROTOCOLS;
    let protocols = Crate::read(&folder.join(of).join("src"))?.folders(layout);
    for name in &names {
        let folder = folder.join(name);
        let manifest = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).map_err(Error::io(&manifest))?;
        let Some(used) = dependencies(&text) else { continue };
        problems.extend(refused(name, &used, allowed.get(name)));
        let code = Crate::read(&folder.join("src"))?;
        problems.extend(circles(name, &code));
        problems.extend(strangers(name, &code, &protocols));
    }
    problems.extend(circles(OWN_TASKS, &Crate::read(&root.join(OWN_TASKS).join("src"))?));
    problems.iter().for_each(|problem| println!("{problem}"));
    if problems.is_empty() {
        println!("{} crates depend on each other one way, and no file stands in a circle", names.len());
        return Ok(());
    }
    Err(Error::Rooms { count: problems.len() })
}

/// What each crate may use: the rows of the table, its first and its last column.
fn allowed(page: &str) -> BTreeMap<String, Vec<String>> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `ekv-")?.split('|');
        let name = format!("{OWN}{}", cells.next()?.split('`').next()?);
        let used = cells.nth(2)?.split_whitespace().map(|word| format!("{OWN}{}", word.trim_end_matches(',')));
        Some((name, used.collect()))
    };
    page.lines().filter_map(row).collect()
}

/// The crates of the workspace that a manifest names for the product; `None` if the crate is not for others.
fn dependencies(manifest: &str) -> Option<Vec<String>> {
    let manifest: toml::Table = manifest.parse().ok()?;
    let is_published = manifest.get("package").and_then(|package| package.get("publish")) != Some(&false.into());
    let own = manifest.get("dependencies").and_then(toml::Value::as_table);
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let targets = targets.filter_map(|target| target.get("dependencies")).filter_map(toml::Value::as_table);
    let names = own.into_iter().chain(targets).flat_map(toml::Table::keys);
    is_published.then(|| names.filter(|name| name.starts_with(OWN)).cloned().collect())
}

/// What a crate uses and may not.
fn refused(name: &str, used: &[String], allowed: Option<&Vec<String>>) -> Vec<String> {
    let Some(allowed) = allowed else { return vec![format!("{name} has no row in the table of {PAGE}")] };
    let refused = used.iter().filter(|used| !allowed.contains(used));
    refused.map(|used| format!("{name} must not use {used}: the table of {PAGE} does not name it")).collect()
}

/// Files that use each other, all round.
fn circles(name: &str, code: &Crate) -> Vec<String> {
    let circles = code.circles().into_iter();
    circles.map(|circle| format!("{name}: these files use each other: {}", circle.join(", "))).collect()
}

/// Which files of a protocol use those of another.
fn strangers(name: &str, code: &Crate, protocols: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (_, folder) in PROTOCOLS.iter().filter(|(of, _)| *of == name) {
        let whose = |file: &str| protocols.get(file.strip_prefix(folder)?.split_once('/')?.0);
        for (from, to) in code.uses() {
            if let (Some(one), Some(other)) = (whose(from), whose(to))
                && one != other
            {
                problems.push(format!("{name}: {from} must not use {to}: protocols know nothing of each other"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_may_use_what_their_row_names_and_nothing_else() {
        let page = "| crate | answers | look at | may use |\n|---|---|---|---|\n| `ekv-a` | x | `y.rs` | b, c |\n| `ekv-b` | x | y | |\n";
        let allowed = allowed(page);
        assert_eq!(allowed.get("ekv-a").unwrap(), &["ekv-b", "ekv-c"]);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(refused("ekv-a", &names(&["ekv-b", "ekv-c"]), allowed.get("ekv-a")).is_empty());
        assert_eq!(
            refused("ekv-b", &names(&["ekv-a"]), allowed.get("ekv-b")),
            ["ekv-b must not use ekv-a: the table of ARCHITECTURE.md does not name it"]
        );
        assert_eq!(refused("ekv-d", &[], None), ["ekv-d has no row in the table of ARCHITECTURE.md"]);
    }

    #[test]
    fn what_tests_use_is_free_and_what_a_platform_uses_is_not() {
        let manifest = "[package]\nname = \"ekv-a\"\n[dependencies]\nekv-b = { path = \"b\" }\nserde = \"1\"\n[target.'cfg(unix)'.dependencies]\nekv-c.workspace = true\n[dev-dependencies]\nekv-d.workspace = true\n";
        assert_eq!(dependencies(manifest).unwrap(), ["ekv-b", "ekv-c"]);
        assert_eq!(dependencies("[package]\nname = \"ekv-testkit\"\npublish = false\n"), None);
    }

    #[test]
    fn a_circle_is_told_with_all_its_files() {
        let code =
            Crate::of(&[("lib.rs", "mod a;\nmod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")]);
        assert_eq!(circles("ekv-a", &code), ["ekv-a: these files use each other: a.rs, b.rs"]);
    }

    #[test]
    fn protocols_that_know_each_other_are_told() {
        let code = Crate::of(&[
            ("lib.rs", "mod layout;"),
            ("layout/mod.rs", "mod s3;\nmod sqs;\nmod value;"),
            ("layout/s3/mod.rs", "use crate::layout::value::V;\nuse crate::layout::sqs::NAME;\n"),
            ("layout/sqs/mod.rs", ""),
            ("layout/value.rs", ""),
        ]);
        let told = "ekv-dump: layout/s3/mod.rs must not use layout/sqs/mod.rs: protocols know nothing of each other";
        assert_eq!(strangers("ekv-dump", &code, &code.folders("layout/")), [told]);
    }
}
