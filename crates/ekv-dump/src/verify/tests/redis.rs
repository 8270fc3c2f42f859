//! Redis names, KEYMAP records and expiry lines.

use super::tree::{empty, keymap_line, long_name, long_record};
use crate::keymap::KeymapKind;

#[test]
fn redis_keymap_and_files_must_agree() {
    let file = format!("redis/db_0/strings/{}.bin", long_name());
    let base = empty().with(&file, b"v").with("redis/db_0/KEYMAP.jsonl", long_record().as_bytes());
    assert_eq!(base.problems(), [""; 0]);
    let keymap = |content: &str| base.clone().with("redis/db_0/KEYMAP.jsonl", content.as_bytes()).problems();

    assert_eq!(keymap(&long_record().repeat(2)), [""; 0], "repeated lines are those of the reference decoder");
    assert_eq!(
        base.clone().without("redis/db_0/KEYMAP.jsonl").problems(),
        [format!("{file}: KEYMAP.jsonl has no record for this name: the key is lost")]
    );
    assert_eq!(
        base.clone().without(&file).problems(),
        [format!("redis/db_0/KEYMAP.jsonl, line 1: the record for {} has no file", long_name())]
    );
    let other_scope = base.clone().with(&format!("redis/db_1/sets/{}.json", long_name()), b"{}").problems();
    assert_eq!(other_scope.len(), 1, "{other_scope:?}");

    let bad_lines = [
        keymap_line(&long_name(), &[b'k'; 242], KeymapKind::ShaFallback),
        keymap_line(&long_name(), &[b'k'; 241], KeymapKind::S3LeafData),
        keymap_line("plain", b"plain", KeymapKind::ShaFallback),
        keymap_line("a\0b", b"plain", KeymapKind::ShaFallback),
        "\n".to_owned(),
        "{\"encoded\":null,\"original\":\"\",\"kind\":\"sha-fallback\"}\n".to_owned(),
        long_record().replace("sha-fallback", "new-kind"),
        long_record().replace("\",\"kind", "=\",\"kind"),
    ];
    for line in bad_lines {
        let problems = keymap(&format!("{}{line}", long_record()));
        assert!(problems[0].starts_with("redis/db_0/KEYMAP.jsonl, line 2: "), "{line}: {problems:?}");
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
    }
    let problems = keymap(long_record().trim_end());
    assert_eq!(
        problems[0],
        "redis/db_0/KEYMAP.jsonl, line 1: the last line does not end in a line feed: the file is cut"
    );
}

#[test]
fn expiry_lines_and_files_must_agree() {
    let base = empty().with("redis/db_0/strings/a.bin", b"v").with("redis/db_0/hll/h.bin", b"v");
    let line = |key: &str| format!("{{\"key\":\"{key}\",\"expire_at_ms\":1}}\n");
    let strings = |content: &str| base.clone().with("redis/db_0/strings_ttl.jsonl", content.as_bytes()).problems();

    assert_eq!(strings(&line("a")), [""; 0]);
    let without = |directory: &str, key: &str| {
        format!(
            "redis/db_0/{directory}_ttl.jsonl, line 1: there is no file {directory}/{key}.bin that this expiry could belong to"
        )
    };
    assert_eq!(strings(&line("h")), [without("strings", "h")]);
    assert_eq!(
        strings(&line("a").repeat(3)),
        [2, 3].map(|n| format!("redis/db_0/strings_ttl.jsonl, line {n}: the key a has an expiry on line 1 already"))
    );
    let problems = strings(&format!("{}{{\"key\":\"a\"}}\n", line("a")));
    assert!(problems[0].starts_with("redis/db_0/strings_ttl.jsonl, line 2: "), "{problems:?}");
    let hll = base.clone().with("redis/db_0/hll_ttl.jsonl", line("a").as_bytes()).problems();
    assert_eq!(hll, [without("hll", "a")]);
}

#[test]
fn a_key_with_files_of_two_types_is_found() {
    let tree = empty().with("redis/db_0/strings/a.bin", b"v").with("redis/db_0/sets/a.json", b"{}");
    assert_eq!(
        tree.problems(),
        ["redis/db_0/strings/a.bin: the same key has a file in sets/ already: a key has one type"]
    );
}
