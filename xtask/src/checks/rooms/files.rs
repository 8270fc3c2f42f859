//! Which file of a crate uses which, read from the paths in its code.
//!
//! A path leads to the file of the last module in it; if that file only hands the name on (`pub use`), to the file behind it. Declaring a
//! module and handing a name on is no use of it. Code of tests is not read: `tests.rs`, `tests/`, and what stands behind `#[cfg(test)]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::listing::files_below;

/// Most names that are handed on from one file to the next before a path counts as lost.
const STEPS_MAX: usize = 8;

/// The files of a crate and what they use.
#[derive(Debug, Default)]
pub(super) struct Crate {
    /// File and code by module; the names in a module's path, the crate itself is the empty path.
    modules: BTreeMap<Vec<String>, (String, Code)>,
}

/// The paths in a file.
#[derive(Debug, Default)]
struct Code {
    used: Vec<Vec<String>>,
    /// What is handed on: the name here, and the path from here.
    handed_on: Vec<(String, Vec<String>)>,
}

impl Crate {
    /// Reads the code below a folder `src`.
    ///
    /// # Errors
    /// [`Error::Io`] with the file that cannot be read.
    pub(super) fn read(src: &Path) -> Result<Self, Error> {
        let mut read = Crate::default();
        for file in files_below(src)? {
            if is_code(&file) {
                let path = src.join(&file);
                let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
                read.add(&file.to_string_lossy().replace('\\', "/"), &text);
            }
        }
        Ok(read)
    }

    /// A crate with these files.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let mut made = Crate::default();
        files.iter().for_each(|(file, text)| made.add(file, text));
        made
    }

    fn add(&mut self, file: &str, text: &str) {
        let name = file.strip_suffix(".rs").unwrap_or(file);
        let mut module: Vec<String> = name.split('/').map(str::to_owned).collect();
        if module.iter().any(|name| name == "tests") {
            return;
        }
        if module.last().is_some_and(|last| last == "mod" || (module.len() == 1 && (last == "lib" || last == "main"))) {
            module.pop();
        }
        self.modules.insert(module, (file.to_owned(), Code::of(text)));
    }

    /// Names of the folders in a folder whose path ends in a slash.
    pub(super) fn folders(&self, folder: &str) -> BTreeSet<String> {
        let below = self.modules.values().filter_map(|(file, _)| file.strip_prefix(folder)?.split_once('/'));
        below.map(|(name, _)| name.to_owned()).collect()
    }

    /// Pairs of files of which the first uses the second.
    pub(super) fn uses(&self) -> BTreeSet<(&str, &str)> {
        let mut uses = BTreeSet::new();
        for (module, (file, code)) in &self.modules {
            for path in code.used.iter().flat_map(|path| self.of_every_name(module, path)) {
                if let Some(other) = self.file_of(module, &path, 0).filter(|other| other != file) {
                    uses.insert((file.as_str(), other));
                }
            }
        }
        uses
    }

    /// A path in a macro with each module in the place of a variable that has the one behind it in the path; if that is the name of
    /// something else, each that is a folder.
    fn of_every_name(&self, module: &[String], path: &[String]) -> Vec<Vec<String>> {
        let Some(at) = path.iter().position(|part| part.starts_with('$')) else { return vec![path.to_vec()] };
        let (front, rest) = path.split_at(at);
        let up = front.iter().take_while(|part| *part == "super").count();
        let here: Vec<String> = match front.first().map(String::as_str) {
            Some("crate") => front.iter().skip(1).cloned().collect(),
            _ => module.iter().take(module.len().saturating_sub(up)).chain(front.iter().skip(up)).cloned().collect(),
        };
        let below: Vec<&[String]> = self
            .modules
            .keys()
            .filter_map(|other| other.strip_prefix(here.as_slice()))
            .filter(|below| below.len() > 1)
            .collect();
        let is_named = |below: &&&[String]| below.get(1) == rest.get(1);
        let is_module = below.iter().any(|below| is_named(&below));
        let names: BTreeSet<&String> =
            below.iter().filter(|below| !is_module || is_named(below)).filter_map(|below| below.first()).collect();
        let with = |name: &String| [front, std::slice::from_ref(name), rest.get(1..).unwrap_or_default()].concat();
        names.into_iter().map(with).collect()
    }

    /// The file to which a path in a module leads, if it is one of this crate.
    fn file_of(&self, module: &[String], path: &[String], steps: usize) -> Option<&str> {
        let mut at = module.to_vec();
        let mut rest = path;
        let mut is_inside = false;
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ => break,
            }
            (rest, is_inside) = (others, true);
        }
        while let [first, others @ ..] = rest {
            at.push(first.clone());
            if !self.modules.contains_key(&at) {
                at.pop();
                break;
            }
            (rest, is_inside) = (others, true);
        }
        let (file, code) = self.modules.get(&at).filter(|_| is_inside)?;
        let handed_on = rest.first().and_then(|name| code.handed_on.iter().find(|(here, _)| here == name));
        match handed_on {
            Some((_, path)) if steps < STEPS_MAX => self.file_of(&at, path, steps + 1),
            _ => Some(file),
        }
    }

    /// Groups of files that use each other, all round.
    pub(super) fn circles(&self) -> Vec<Vec<&str>> {
        let uses = self.uses();
        let reached = |from: &str| {
            let mut reached = BTreeSet::new();
            let mut open = vec![from];
            while let Some(file) = open.pop() {
                open.extend(
                    uses.range((file, "")..)
                        .take_while(|(one, _)| *one == file)
                        .filter_map(|(_, other)| reached.insert(*other).then_some(*other)),
                );
            }
            reached
        };
        let reached: BTreeMap<&str, BTreeSet<&str>> = uses.iter().map(|(file, _)| (*file, reached(file))).collect();
        let mut circles = BTreeSet::new();
        for (file, others) in &reached {
            if others.contains(file) {
                let is_back = |other: &&&str| reached.get(**other).is_some_and(|back| back.contains(file));
                circles.insert(others.iter().filter(is_back).copied().collect::<Vec<_>>());
            }
        }
        circles.into_iter().collect()
    }
}

/// Reads a path that ends in `.rs` as the code of a crate's file.
fn is_code(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

impl Code {
    fn of(text: &str) -> Self {
        let text = product(text);
        let mut code = Code::default();
        let mut rest = text.as_str();
        let mut before = ' ';
        while let Some(first) = rest.chars().next() {
            if is_name(first) && !is_name(before) && before != ':' {
                let statement = rest.find(';').and_then(|end| rest.get(..end)).unwrap_or(rest);
                if let Some((tree, is_public)) = use_tree(statement) {
                    let mut paths = Vec::new();
                    paths_of(tree, &[], &mut paths);
                    for (path, name) in paths {
                        if is_public { code.handed_on.push((name, path)) } else { code.used.push(path) }
                    }
                    rest = rest.get(statement.len()..).unwrap_or_default();
                } else {
                    let len = rest.find(|c: char| !is_name(c) && c != ':').unwrap_or(rest.len());
                    let word = rest.get(..len).unwrap_or_default();
                    if word.contains("::") {
                        code.used.push(word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect());
                    }
                    rest = rest.get(len..).unwrap_or_default();
                }
                before = ' ';
            } else {
                before = first;
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
        code
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The code without comments and without what stands behind `#[cfg(test)]`; relies on the layout of `rustfmt`.
fn product(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = line.len() - line.trim_start().len();
            let mut item = lines.next();
            while item.is_some_and(|item| item.trim_start().starts_with("#[")) {
                item = lines.next();
            }
            if item.is_some_and(|item| !item.ends_with(';') && !item.ends_with('}')) {
                let is_end = |line: &str| {
                    let own = line.len() - line.trim_start().len();
                    own == indent && (line.trim_start().starts_with('}') || line.ends_with(';'))
                };
                while lines.next().is_some_and(|line| !is_end(line)) {}
            }
        } else {
            kept.push_str(line.split("//").next().unwrap_or_default());
            kept.push('\n');
        }
    }
    kept
}

/// What a `use` names, and whether for others.
fn use_tree(statement: &str) -> Option<(&str, bool)> {
    let is_public = statement.starts_with("pub");
    let rest = match statement.strip_prefix("pub(") {
        Some(rest) => rest.split_once(')')?.1.trim_start(),
        None => statement.strip_prefix("pub ").unwrap_or(statement),
    };
    Some((rest.strip_prefix("use ")?, is_public))
}

/// The paths of a tree of a `use`, each with the name that it has here.
fn paths_of(tree: &str, before: &[String], paths: &mut Vec<(Vec<String>, String)>) {
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, Some(group.trim_end().strip_suffix('}').unwrap_or(group))),
        None => (tree, None),
    };
    let (head, alias) = head.split_once(" as ").map_or((head, None), |(head, alias)| (head, Some(alias)));
    let names = head.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let mut path: Vec<String> = before.iter().cloned().chain(names).collect();
    let Some(group) = group else {
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let name = alias.map(|alias| alias.trim().to_owned()).or_else(|| path.last().cloned()).unwrap_or_default();
        return paths.push((path, name));
    };
    let mut depth = 0_usize;
    let parts = group.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty()).for_each(|part| paths_of(part.trim(), &path, paths));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_use_each_other_are_a_circle_however_they_write_it() {
        let circles = |a: &str, b: &str| {
            let code = Crate::of(&[("lib.rs", "mod a;\nmod b;"), ("a.rs", a), ("b.rs", b)]);
            code.circles().iter().map(|circle| circle.join(" ")).collect::<Vec<_>>()
        };
        for (a, b) in [
            ("use crate::b::B;", "use crate::a::A;"),
            ("use crate::{b::{self, B as C}, x};", "use super::a;"),
            ("fn f() { crate::b::f() }", "fn g() -> super::a::A {}"),
        ] {
            assert_eq!(circles(a, b), ["a.rs b.rs"], "{a} {b}");
        }
        for (a, b) in [
            ("use crate::b::B;", ""),
            ("use crate::b::B;", "// use crate::a::A;"),
            ("use crate::b::B;", "#[cfg(test)]\nuse crate::a::A;\n"),
            ("use crate::b::B;", "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
            ("use crate::b::B;", "pub use crate::a::A;"),
            ("use crate::b::B;", "use other::a::A;"),
        ] {
            assert!(circles(a, b).is_empty(), "{a} {b}");
        }
    }

    #[test]
    fn a_name_that_is_handed_on_leads_to_the_file_behind_it() {
        let code = Crate::of(&[
            ("lib.rs", "mod rooms;\nmod other;\npub use rooms::Door;"),
            ("rooms/mod.rs", "mod door;\nmod wall;\npub(crate) use door::Door;\npub use wall::{Wall as W};"),
            ("rooms/door.rs", "use super::W;"),
            ("rooms/wall.rs", ""),
            ("other.rs", "use crate::Door;"),
            ("rooms/tests.rs", "use crate::other::X;"),
        ]);
        let uses = BTreeSet::from([("rooms/door.rs", "rooms/wall.rs"), ("other.rs", "rooms/door.rs")]);
        assert_eq!(code.uses(), uses);
    }

    #[test]
    fn a_path_through_a_variable_of_a_macro_leads_to_every_file_that_it_can_mean() {
        let code = Crate::of(&[
            ("rooms/mod.rs", "mod all;\nmod cellar;\nmod attic;\nmod stairs;"),
            ("rooms/all.rs", "macro_rules! doors { ($($room:ident)*) => { $(super::$room::door::Door,)* } }"),
            ("rooms/keys.rs", "macro_rules! keys { ($($room:ident)*) => { $(super::$room::KEY,)* } }"),
            ("rooms/cellar/mod.rs", "mod door;"),
            ("rooms/cellar/door.rs", ""),
            ("rooms/attic/mod.rs", "mod door;"),
            ("rooms/attic/door.rs", ""),
            ("rooms/stairs.rs", ""),
        ]);
        let uses = BTreeSet::from([
            ("rooms/all.rs", "rooms/attic/door.rs"),
            ("rooms/all.rs", "rooms/cellar/door.rs"),
            ("rooms/keys.rs", "rooms/attic/mod.rs"),
            ("rooms/keys.rs", "rooms/cellar/mod.rs"),
        ]);
        assert_eq!(code.uses(), uses);
    }
}
