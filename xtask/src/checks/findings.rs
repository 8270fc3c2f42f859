//! The check of `docs/findings.md`: it lists every finding that the code can make, with its weight, and no other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::workspace::Workspace;

const PAGE: &str = "docs/findings.md";
/// How the code declares findings: the name of the function is the weight.
const WEIGHTS: [&str; 3] = ["loss", "warning", "info"];

/// Weights by name.
type Findings = BTreeMap<String, String>;

/// Compares the page with the code and prints what differs.
pub(super) fn run() -> Result<(), Error> {
    let root = Workspace::load()?.workspace_root;
    let mut declared = Findings::new();
    read_folder(&root.join("crates"), &mut declared)?;
    let page = root.join(PAGE);
    let documented = documented(&fs::read_to_string(&page).map_err(Error::io(&page))?);
    let differences = differences(&declared, &documented);
    differences.iter().for_each(|difference| println!("{difference}"));
    if differences.is_empty() {
        println!("{PAGE} has all {} findings", declared.len());
        return Ok(());
    }
    Err(Error::Findings { count: differences.len(), path: PAGE.into() })
}

/// Reads all code below a folder but that of tests.
fn read_folder(folder: &Path, found: &mut Findings) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if matches!(name, "tests" | "tests.rs") {
            continue;
        }
        if path.is_dir() {
            read_folder(&path, found)?;
        } else if name.ends_with(".rs") {
            declared(&fs::read_to_string(&path).map_err(Error::io(&path))?, found);
        }
    }
    Ok(())
}

/// The findings that a file of code declares, up to the tests at its end.
fn declared(code: &str, found: &mut Findings) {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    for weight in WEIGHTS {
        for declaration in code.split(&format!("Finding::{weight}(")).skip(1) {
            let name = declaration.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            found.extend(name.map(|name| (name.to_owned(), weight.to_owned())));
        }
    }
}

/// The rows of the page.
fn documented(page: &str) -> Findings {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let name = cells.next()?.strip_suffix('`')?.to_owned();
        Some((name, cells.next()?.to_owned()))
    };
    page.lines().filter_map(row).collect()
}

fn differences(declared: &Findings, documented: &Findings) -> Vec<String> {
    let missing = declared.iter().filter(|(name, weight)| documented.get(*name) != Some(*weight));
    let missing = missing.map(|(name, weight)| format!("{PAGE} lacks `{name}` with the weight {weight}"));
    let unknown = documented.keys().filter(|name| !declared.contains_key(*name));
    missing.chain(unknown.map(|name| format!("{PAGE} has `{name}`, which no code declares"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Findings {
        pairs.iter().map(|(name, weight)| ((*name).to_owned(), (*weight).to_owned())).collect()
    }

    #[test]
    fn findings_are_found_however_they_are_laid_out_and_those_of_tests_are_not() {
        let mut found = Findings::new();
        let code = "A: F = Finding::loss(\"a\", \"x\");\nFinding::warning(\n    \"b\",\n    \"y\",\n)\n\
                    #[cfg(test)]\nmod tests {\n Finding::info(\"c\", \"z\") }";
        declared(code, &mut found);
        assert_eq!(found, of(&[("a", "loss"), ("b", "warning")]));
    }

    #[test]
    fn missing_unknown_and_differently_weighed_rows_are_told() {
        let page = documented(
            "| Finding | Weight |\n|---|---|\n| `a` | loss | text |\n| `b` | info | text |\n| `c` | info | text |\n",
        );
        assert_eq!(page, of(&[("a", "loss"), ("b", "info"), ("c", "info")]));
        let told = differences(&of(&[("a", "loss"), ("b", "warning"), ("d", "info")]), &page);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(differences(&page, &page).is_empty());
    }
}
