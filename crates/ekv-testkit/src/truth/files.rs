//! Files of a dump against what a mounted file system showed. Source: `docs/format/fs.md`, sections 6 and 7.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Comparison, read_lines, text};

/// What the mount showed, by path.
fn shown(observation: &Value) -> BTreeMap<Vec<u8>, Value> {
    let files = observation["fs"].as_object().unwrap().iter();
    files.map(|(path, file)| (BASE64_STANDARD.decode(path).unwrap(), file.clone())).collect()
}

pub(super) fn compare(dump: &Path, observation: &Value, comparison: &mut Comparison) {
    let top = dump.join("fs/fs_0");
    let mut found = BTreeMap::new();
    // By inode: path, and where it lies.
    let mut directories: BTreeMap<String, (Vec<u8>, PathBuf)> = BTreeMap::new();
    for line in read_lines(&top.join("entries.jsonl")) {
        let name = match &line["name"] {
            Value::String(name) => name.as_bytes().to_vec(),
            _ => BASE64_URL_SAFE_NO_PAD.decode(text(&line["name_b64"])).unwrap(),
        };
        let (path, place) = match directories.get(line["parent"].as_str().unwrap()) {
            Some((around, place)) if !name.is_empty() => {
                let separator: &[u8] = if around.is_empty() { b"" } else { b"/" };
                (Some([around, separator, &name].concat()), place.join(path_of(&name)))
            }
            _ => (None, top.join("tree")),
        };
        let path = path.unwrap_or_default();
        if line["link"] == true {
            let (first, _) = &directories[line["ino"].as_str().unwrap()];
            let file = Value::clone(&found[first]);
            found.insert(path, file);
            continue;
        }
        let disk = line["disk"].as_str();
        let place = match disk {
            Some(disk) if disk.contains('/') => top.join(disk),
            Some(disk) => place.with_file_name(disk),
            None => place,
        };
        directories.insert(text(&line["ino"]), (path.clone(), place.clone()));
        let size = if line["type"] == "file" { line["size"].as_u64().unwrap() } else { 0 };
        let is_packed = disk.is_some_and(|disk| disk.starts_with("packed/"));
        let sha256 =
            (line["type"] == "file").then(|| if is_packed { sum_of_packed(&place, size) } else { sum_of(&place) });
        let mode = line["mode"].as_u64().unwrap() & 0o7777;
        let file = json!({ "type": line["type"], "mode": mode, "uid": line["uid"], "gid": line["gid"], "size": size,
            "nlink": line["nlink"], "mtime_ns": line["mtime_nsec"], "sha256": sha256 });
        found.insert(path, file);
    }
    differ(&shown(observation), &found, comparison);
}

/// Compares what a program unpacked of an archive with an observation: all but the setuid and setgid bits, and owners if they can be set.
#[cfg(unix)]
pub fn compare_unpacked(directory: &Path, observation: &Value) -> Comparison {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let is_root = directory.metadata().unwrap().uid() == 0;
    let reduced = |file: &Value| {
        let mut file = file.clone();
        file["mode"] = (file["mode"].as_u64().unwrap() & 0o1777).into();
        let own = file.as_object_mut().unwrap();
        if !is_root {
            own.remove("uid");
            own.remove("gid");
        }
        // File systems count the names of directories each in their own way.
        if own["type"] == "directory" {
            own.remove("nlink");
        }
        file
    };
    let mut found = BTreeMap::new();
    let mut places = vec![directory.to_path_buf()];
    while let Some(place) = places.pop() {
        let stat = place.symlink_metadata().unwrap();
        if stat.is_dir() {
            places.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
        }
        let path = place.strip_prefix(directory).unwrap().as_os_str().as_bytes().to_vec();
        let file = json!({ "type": if stat.is_dir() { "directory" } else { "file" }, "mode": stat.permissions().mode() & 0o7777,
            "uid": stat.uid(), "gid": stat.gid(), "size": if stat.is_dir() { 0 } else { stat.len() }, "nlink": stat.nlink(),
            "mtime_ns": stat.mtime() * 1_000_000_000 + stat.mtime_nsec(),
            "sha256": (!stat.is_dir()).then(|| sum_of(&place)) });
        found.insert(path, reduced(&file));
    }
    let shown = shown(observation).into_iter().map(|(path, file)| (path, reduced(&file))).collect();
    let mut comparison = Comparison::default();
    differ(&shown, &found, &mut comparison);
    comparison
}

fn differ(shown: &BTreeMap<Vec<u8>, Value>, found: &BTreeMap<Vec<u8>, Value>, comparison: &mut Comparison) {
    comparison.compared += shown.len();
    for path in shown.keys().chain(found.keys().filter(|path| !shown.contains_key(*path))) {
        let [live, dump] = [shown, found].map(|files| files.get(path).unwrap_or(&Value::Null));
        if live != dump {
            comparison.differ(path.escape_ascii().to_string(), format!("live {live}, dump {dump}"));
        }
    }
}

fn path_of(name: &[u8]) -> PathBuf {
    // Names that are no text lie under others.
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}

fn sum_of(path: &Path) -> String {
    let mut hasher = Sha256::new();
    hash(&mut hasher, File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
    hex(&hasher.finalize())
}

/// The sum of the content that parts and a map tell.
fn sum_of_packed(place: &Path, size: u64) -> String {
    let with = |extension: &str| PathBuf::from(format!("{}.{extension}", place.display()));
    let mut parts = File::open(with("bin")).unwrap();
    let (mut hasher, mut at) = (Sha256::new(), 0_u64);
    let zeros = |hasher: &mut Sha256, len: u64| {
        if len > 1 << 31 {
            return false;
        }
        hash(hasher, std::io::repeat(0).take(len));
        true
    };
    for line in fs::read_to_string(with("map")).unwrap().lines() {
        let (offset, len) = line.split_once(' ').unwrap();
        let (offset, len): (u64, u64) = (offset.parse().unwrap(), len.parse().unwrap());
        if !zeros(&mut hasher, offset - at) {
            return "too long to hash".to_owned();
        }
        hash(&mut hasher, parts.by_ref().take(len));
        at = offset + len;
    }
    if zeros(&mut hasher, size - at) { hex(&hasher.finalize()) } else { "too long to hash".to_owned() }
}

fn hash(hasher: &mut Sha256, mut content: impl Read) {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match content.read(&mut buffer).unwrap() {
            0 => break,
            len => hasher.update(&buffer[..len]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
