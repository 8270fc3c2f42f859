//! Archives of files, whoever made them. Source: `docs/format/fs.md`, sections 8 and 9.

use std::collections::BTreeMap;

use ekv_adapters::Encoder;
use ekv_dump::{FsFormat, FsTar, FsTarOptions};
use ekv_files::archive::header::{Attributes, HeaderMaker, Kind, put_link, seal};
use ekv_files::archive::pax::push_record;
use ekv_model::{Consumer as _, Event, InMemory};

use crate::fs::store::{ROOT, Store, chunk_key, dir_key, id_key, inode};
use crate::trip::{Dump, Mode, Records, scratch};

const TAR: Mode = Mode {
    extended: false,
    keeps_visibility: false,
    has_side_records: false,
    has_orphans: false,
    fs_format: FsFormat::Tar { has_special_bits: false },
};

/// The records of the files in an archive, and how many entries were left out.
fn encode(archive: &[u8], options: FsTarOptions) -> Result<(Records, u64), String> {
    let tar = FsTar::read(&mut &archive[..], options, &scratch()).map_err(|error| error.to_string())?;
    let mut records = Records::default();
    let mut encoder = Encoder::new(&mut records, &scratch());
    let emitted = tar.emit(&InMemory(archive), &|_| true, &mut |event| Ok(encoder.event(Event::Fs(event))?));
    emitted.map_err(|error| error.to_string())?;
    drop(encoder);
    Ok((records, tar.skipped()))
}

fn encoded(archive: &[u8]) -> Records {
    encode(archive, FsTarOptions::default()).unwrap().0
}

fn refusal(archive: &[u8]) -> String {
    encode(archive, FsTarOptions::default()).unwrap_err()
}

/// What files, directories and further names there are after a decode of records.
fn tree(records: &Records) -> (BTreeMap<String, Vec<u8>>, Vec<serde_json::Value>) {
    let (dump, findings) = Dump::of_snapshot(records.snapshot(), Mode::default());
    assert!(findings.iter().next().is_none(), "{findings:?}");
    let lines = dump.text("fs/fs_0/entries.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (dump.files("fs/fs_0/tree/"), lines)
}

/// An archive that is put together entry by entry.
#[derive(Clone, Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn header(mut self, kind: Kind, flag: Option<u8>, name: &[u8], link: &[u8], len: usize) -> Self {
        let mut block = HeaderMaker::new(5).make(kind, b"", name);
        Attributes { mode: 0o644, uid: 7, gid: 8, modified_unix_s: 5 }.put(&mut block);
        put_link(&mut block, link);
        if let Some(flag) = flag {
            block[156] = flag;
        }
        seal(&mut block, u64::try_from(len).unwrap());
        self.0.extend_from_slice(&block);
        self
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &[u8], content: &[u8]) -> Self {
        self.header(Kind::File, None, name, b"", content.len()).body(content)
    }

    fn directory(self, name: &[u8]) -> Self {
        self.header(Kind::Directory, None, name, b"", 0)
    }

    fn link(self, name: &[u8], target: &[u8]) -> Self {
        self.header(Kind::Link, None, name, target, 0)
    }

    fn other(self, flag: u8, name: &[u8]) -> Self {
        self.header(Kind::File, Some(flag), name, b"target", 0)
    }

    /// Records for the next entry, or with another flag for all.
    fn records(self, flag: u8, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        records.iter().for_each(|(key, value)| push_record(key.as_bytes(), value, &mut text));
        self.header(Kind::Extended, Some(flag), b"PaxHeaders/x", b"", text.len()).body(&text)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

#[test]
fn archives_of_other_programs_give_the_tree_that_they_packed() {
    let mut sparse = vec![0; 5 << 20];
    sparse[65536..65536 + 4096].fill(b'x');
    sparse[3 << 20..(3 << 20) + 3].copy_from_slice(b"END");
    let mut many = vec![0; 30 * 131_072];
    for (number, stretch) in many.chunks_mut(131_072).enumerate() {
        stretch[4096..8192].copy_from_slice(format!("{number:04}").repeat(1024).as_bytes());
    }
    let mut all = Vec::new();
    for name in ["gnu", "posix-0.0", "posix-0.1", "posix-1.0", "python"] {
        let archive = ekv_testkit::fixtures::read(&format!("fs-tar/{name}.tar"));
        let records = encoded(&archive);
        let (files, lines) = tree(&records);
        let names: Vec<_> =
            lines.iter().map(|line| line["name"].as_str().or(line["name_b64"].as_str()).unwrap()).collect();
        let long = "n".repeat(150);
        assert_eq!(names, ["", "a-link", "café", "d", "a", "deep", "b", "z-link", "many", &long, "sp", "_w"], "{name}");
        assert!(files["sp"] == sparse && files["many"] == many, "{name}");
        assert_eq!((files["a-link"].as_slice(), files["d/deep/b"].as_slice()), (&b"hello\n"[..], &b"second\n"[..]));
        let of = |at: usize, member: &str| lines[at][member].clone();
        assert_eq!(
            (of(1, "mode"), of(1, "nlink"), of(3, "mode"), of(3, "nlink")),
            (0o4755.into(), 3.into(), 0o1777.into(), 3.into())
        );
        assert_eq!([of(4, "link"), of(7, "link")], [true, true]);
        assert_eq!([of(4, "ino"), of(7, "ino")], [of(1, "ino"), of(1, "ino")]);
        assert_eq!([of(10, "uid"), of(10, "gid")], [1234, 5678]);
        let is_exact = name != "gnu";
        let mtime = 1_580_702_706_000_000_000_i64 + if is_exact { 789_000_000 } else { 0 };
        assert_eq!(of(10, "mtime_nsec"), mtime, "{name}");
        if name.starts_with("posix") {
            // What programs know of times besides differs with them.
            all.push(records);
        }
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    for name in ["ustar", "v7"] {
        let (files, _) = tree(&encoded(&ekv_testkit::fixtures::read(&format!("fs-tar/{name}.tar"))));
        assert_eq!(files["a-link"], b"hello\n", "{name}");
    }
}

#[test]
fn runs_with_others_behind_them_are_whole_blocks() {
    let chunks: [(u64, &[u8]); 5] = [(0, b"a"), (1, b"b"), (90, &[b'c'; 511]), (200, &[b'd'; 512]), (300, b"e")];
    let text = inode(2, ROOT, "file", 2 << 20, 1).replace("4194304", "600");
    let store = Store::new().inode(&text, 2).entry(ROOT, b"f", 2, "file");
    let store = chunks.iter().fold(store, |store, (index, bytes)| store.put(&chunk_key(2, 2, *index), bytes));
    let archive = store.dump_in(TAR).0.files("fs/").remove("fs_0/tree.tar").unwrap();
    let map = "6\n0\n512\n600\n512\n54000\n512\n120000\n512\n180000\n1\n2097152\n0\n";
    let at = archive.windows(map.len()).position(|window| window == map.as_bytes()).unwrap();
    assert_eq!(at % 512, 0);
    let content = &archive[at + 512..at + 512 + 4 * 512 + 1];
    assert_eq!(
        [content[0], content[512], content[1024 + 510], content[1024 + 511], content[1536], content[2048]],
        *b"abc\0de"
    );
    // Parts that are nearer to each other than the end of a block are one run.
    let text = inode(2, ROOT, "file", 2 << 20, 1).replace("4194304", "100");
    let near = Store::new().inode(&text, 2).entry(ROOT, b"f", 2, "file");
    let near = [0, 2, 9].iter().fold(near, |store, index| store.put(&chunk_key(2, 2, *index), b"x"));
    let archive = near.dump_in(TAR).0.files("fs/").remove("fs_0/tree.tar").unwrap();
    let map = "3\n0\n512\n900\n1\n2097152\n0\n";
    assert!(archive.windows(map.len()).any(|window| window == map.as_bytes()));
}

#[test]
fn ids_come_from_the_path_alone_where_no_comment_says_them() {
    let one = encoded(&Tar::default().file(b"d/f", b"x").directory(b"e").end());
    let other = encoded(&Tar::default().directory(b"./").directory(b"e/").file(b"./d/f", b"x").end());
    let id = |path: &[u8]| {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest([b"ekv-fs\0", path, b"\0", &[0; 4]].concat());
        u64::from_be_bytes(digest[..8].try_into().unwrap())
    };
    for records in [&one, &other] {
        let (d, f) = (id(b"d"), id(b"d/f"));
        assert_eq!(records.0[&dir_key(ROOT, b"d")], format!(r#"{{"inode":{d},"type":"directory"}}"#).as_bytes());
        assert_eq!(records.0[&dir_key(d, b"f")], format!(r#"{{"inode":{f},"type":"file"}}"#).as_bytes());
        assert_eq!(records.0[&chunk_key(f, f, 0)], b"x");
        assert!(records.0.contains_key(&id_key("!fs|ino|", id(b"e"))));
    }
    let root = String::from_utf8(one.0[&id_key("!fs|ino|", ROOT)].clone()).unwrap();
    assert!(root.contains(r#""mode":493,"uid":0,"gid":0"#) && root.contains(r#""nlink":4"#), "{root}");
}

#[test]
fn first_name_in_order_has_the_file_wherever_the_archive_has_it() {
    let names = |tar: Tar| {
        let (files, lines) = tree(&encoded(&tar.end()));
        let names: Vec<_> =
            lines.iter().map(|line| (line["name"].as_str().unwrap().to_owned(), line["link"] == true)).collect();
        (files, names)
    };
    let expected = [("", false), ("a", false), ("m", true), ("z", true)].map(|(name, link)| (name.to_owned(), link));
    for tar in [
        Tar::default().file(b"a", b"x").link(b"m", b"a").link(b"z", b"./a"),
        Tar::default().file(b"m", b"x").link(b"a", b"m").link(b"z", b"m"),
        Tar::default().link(b"a", b"z").link(b"m", b"z").file(b"z", b"x"),
    ] {
        let (files, names) = names(tar);
        assert_eq!(names, expected);
        assert_eq!(files, BTreeMap::from([("a".to_owned(), b"x".to_vec())]));
    }
}

#[test]
fn comment_counts_as_long_as_the_fields_of_tar_agree_with_it() {
    let comment = |mode: &str, mtime: i64| {
        format!("ekv inode=00000000000000aa mode={mode} mtime_nsec={mtime} atime_nsec=-7 ctime_nsec=9")
    };
    let file = |comment: &str, mtime: &str| {
        let records = [("comment", comment.as_bytes()), ("mtime", mtime.as_bytes()), ("atime", b"0")];
        let records = encoded(&Tar::default().records(b'x', &records).file(b"f", b"").end());
        String::from_utf8(records.0[&id_key("!fs|ino|", 0xaa)].clone()).unwrap()
    };
    let as_written = file(&comment("4644", 5_000_000_001), "5.000000001");
    assert!(as_written.contains(r#""mode":2468,"#), "{as_written}");
    assert!(as_written.contains(r#""atime_nsec":-7,"mtime_nsec":5000000001,"ctime_nsec":9"#), "{as_written}");
    let changed = file(&comment("0755", 5_000_000_001), "6");
    assert!(changed.contains(r#""mode":420,"#) && changed.contains(r#""mtime_nsec":6000000000"#), "{changed}");
    let text = inode(2, ROOT, "file", 0, 1);
    // 0644 with the bit by which programs run as the owner.
    Store::new()
        .inode(&text.replace("\"mode\":420", "\"mode\":2468"), 2)
        .entry(ROOT, b"f", 2, "file")
        .assert_round_trip_as_archive();
}

#[test]
fn entries_that_no_store_can_hold_are_refused_or_left_out_and_counted() {
    for (flag, what) in [
        (b'2', "a symbolic link"),
        (b'3', "a device"),
        (b'4', "a device"),
        (b'6', "a pipe"),
        (b'Z', "something unknown"),
    ] {
        let tar = Tar::default().file(b"a", b"x").other(flag, b"odd").file(b"z", b"y").end();
        assert_eq!(
            refusal(&tar),
            format!(
                "odd: it is or has {what}, which no store holds: --fs-skip-unsupported leaves that out, and counts it"
            )
        );
        let skipping = FsTarOptions { skips_unsupported: true, ..FsTarOptions::default() };
        let (records, skipped) = encode(&tar, skipping).unwrap();
        assert_eq!(
            (tree(&records).0.keys().cloned().collect::<Vec<_>>(), skipped),
            (vec!["a".to_owned(), "z".to_owned()], 1)
        );
    }
    let attributes = Tar::default().records(b'x', &[("SCHILY.xattr.user.a", b"b\n\0")]).file(b"f", b"").end();
    assert!(refusal(&attributes).contains("extended attributes"));
}

#[test]
fn archives_that_make_no_tree_are_refused() {
    let tar = Tar::default;
    let long = vec![b'n'; (4 << 20) + 1];
    for (what, archive, expected) in [
        ("absolute", tar().file(b"/etc/passwd", b""), "no path below the root"),
        ("dots", tar().file(b"a/../../b", b""), "no path below the root"),
        ("dot", tar().file(b"a/./b", b""), "no path below the root"),
        ("twice dot", tar().file(b"././b", b""), "no path below the root"),
        ("empty component", tar().file(b"a//b", b""), "no path below the root"),
        ("empty", tar().file(b"", b""), "no path below the root"),
        ("slash", tar().file(b"a/", b""), "no path below the root"),
        ("zero byte", tar().records(b'x', &[("path", b"a\0b")]).file(b"x", b""), "no path below the root"),
        ("long", tar().records(b'x', &[("path", &long)]).file(b"x", b""), "the path has 4194305 bytes"),
        ("twice", tar().file(b"a", b"").file(b"./a", b""), "a: another entry of the archive has this path"),
        ("directory twice", tar().directory(b"a").directory(b"a/"), "another entry"),
        ("root twice", tar().directory(b"./").directory(b"."), "another entry"),
        ("below a file", tar().file(b"a", b"").file(b"a/b/c", b""), "it lies below a, which is no directory"),
        ("below a link", tar().file(b"a", b"").link(b"l", b"a").file(b"l/x", b""), "it lies below l"),
        ("root is a file", tar().file(b".", b""), "no path below the root"),
        ("link to nothing", tar().link(b"a", b"b"), "a: it is a further name of b, which is no file"),
        ("link to itself", tar().link(b"a", b"a"), "is no file of the archive"),
        ("links in a circle", tar().link(b"a", b"b").link(b"b", b"a"), "is no file of the archive"),
        ("link to a directory", tar().directory(b"b").link(b"a", b"b"), "is no file of the archive"),
        ("link out", tar().link(b"a", b"../b"), "no path below the root"),
        (
            "link with content",
            tar().file(b"b", b"").header(Kind::Link, None, b"a", b"b", 3).body(b"abc"),
            "declares 3 bytes",
        ),
        ("directory with content", tar().header(Kind::Directory, None, b"a", b"", 3).body(b"abc"), "declares 3 bytes"),
        ("global path", tar().records(b'g', &[("path", b"a")]).file(b"b", b""), "global header"),
        ("stray", tar().records(b'x', &[("path", b"a")]), "stands alone"),
        ("twice described", tar().records(b'x', &[]).records(b'x', &[]).file(b"b", b""), "given twice"),
        ("volume", tar().other(b'M', b"a"), "later volume"),
        ("owner", tar().records(b'x', &[("uid", b"4294967296")]).file(b"b", b""), "the owner of a header"),
        ("time", tar().records(b'x', &[("mtime", b"9e9")]).file(b"b", b""), "the time of a header"),
        (
            "number of the root",
            tar()
                .records(
                    b'x',
                    &[("comment", b"ekv inode=0000000000000001 mode=0644 mtime_nsec=0 atime_nsec=0 ctime_nsec=0")],
                )
                .file(b"b", b""),
            "its comment says inode 0000000000000001",
        ),
        (
            "number twice",
            ["a", "b"].into_iter().fold(tar(), |tar, name| {
                tar.records(
                    b'x',
                    &[("comment", b"ekv inode=00000000000000aa mode=0644 mtime_nsec=0 atime_nsec=0 ctime_nsec=0")],
                )
                .file(name.as_bytes(), b"")
            }),
            "inode 00000000000000aa is that of another entry",
        ),
        (
            "map beyond",
            tar().records(b'x', &[("GNU.sparse.map", b"0,1"), ("GNU.sparse.size", b"0")]).file(b"b", b"x"),
            "map of this sparse",
        ),
        (
            "map too short",
            tar().records(b'x', &[("GNU.sparse.map", b"0,1"), ("GNU.sparse.size", b"9")]).file(b"b", b"xy"),
            "map of this sparse",
        ),
        (
            "map backwards",
            tar().records(b'x', &[("GNU.sparse.map", b"4,1,0,1"), ("GNU.sparse.size", b"9")]).file(b"b", b"xy"),
            "map of this sparse",
        ),
        (
            "half a map",
            tar().records(b'x', &[("GNU.sparse.map", b"4"), ("GNU.sparse.size", b"9")]).file(b"b", b"x"),
            "malformed",
        ),
        ("no length", tar().records(b'x', &[("GNU.sparse.map", b"0,1")]).file(b"b", b"x"), "map of this sparse"),
        (
            "form 2",
            tar().records(b'x', &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"7")]).file(b"b", b"x"),
            "malformed",
        ),
        (
            "endless number",
            tar()
                .records(b'x', &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9")])
                .file(b"b", &[b'1'; 600]),
            "map of this sparse",
        ),
        (
            "more runs than bytes",
            tar()
                .records(b'x', &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9")])
                .file(b"b", b"18446744073709551615\n"),
            "map of this sparse",
        ),
    ] {
        let refused = refusal(&archive.end());
        assert!(refused.contains(expected), "{what}: {refused}");
    }
    let whole = tar().file(b"a", b"x").end();
    for len in 0..whole.len() {
        let refused = refusal(&whole[..len]);
        assert!(refused.contains("cut off"), "{len}: {refused}");
    }
    let rest = [&whole[..], b"x"].concat();
    assert!(refusal(&rest).contains("other bytes than zeros"));
}

#[test]
fn changed_archive_of_a_dump_is_refused_by_encoding_and_by_verifying() {
    let store = Store::new().with_root(1).directory(2, ROOT, b"d", 0).file(3, 2, b"f", 3, &[(0, b"abc")]).file(
        4,
        ROOT,
        b"g",
        1 << 40,
        &[(0, b"x")],
    );
    let dump = store.dump_in(TAR).0;
    let archive = dump.files("fs/").remove("fs_0/tree.tar").unwrap();
    let changed = |archive: &[u8]| dump.clone().with("fs/fs_0/tree.tar", archive);
    let entry = |at: usize, len: usize| archive[at * 512..(at + len) * 512].to_vec();
    // Three blocks of headers for each entry, and one with what the file has.
    let (root, directory, file, rest) = (entry(0, 3), entry(3, 3), entry(6, 4), entry(10, archive.len() / 512 - 10));
    assert_eq!(changed(&[root.clone(), directory.clone(), file.clone(), rest.clone()].concat()).problems(), [""; 0]);
    for (what, dump, expected) in [
        (
            "order",
            changed(&[root.clone(), file.clone(), directory.clone(), rest.clone()].concat()),
            "in the order of their paths",
        ),
        ("no directory", changed(&[root.clone(), file.clone(), rest.clone()].concat()), "in the order of their paths"),
        ("no root", changed(&[directory.clone(), file.clone(), rest.clone()].concat()), "in the order of their paths"),
        (
            "twice",
            changed(&[root.clone(), directory.clone(), file.clone(), file.clone(), rest.clone()].concat()),
            "another entry",
        ),
        ("cut", changed(&archive[..archive.len() - 512]), "cut off"),
        ("nothing", changed(b""), "empty"),
        ("not a tar", changed(&[7; 1024]), "none of tar"),
        (
            "two forms",
            dump.clone().with("fs/fs_0/entries.jsonl", store.dump().text("fs/fs_0/entries.jsonl").as_bytes()),
            "one of them",
        ),
        ("a further file", dump.clone().with("fs/fs_0/tree/x", b"x"), ""),
    ] {
        let refused = dump.error();
        assert!(refused.contains(expected), "{what}: {refused}");
        let problems = dump.problems();
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{what}: {problems:?}");
    }
}
