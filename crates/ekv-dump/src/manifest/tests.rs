//! Rows of `docs/format/tree.md`, sections 6 and 11.4.

use ekv_model::Protocol;
use serde_json::{Value, json};

use super::*;

/// Section 11.4, as the reference decoder wrote it.
const REFERENCE: &str = r#"{
  "format_version": 1,
  "phase": "phase0-snapshot-decode",
  "elastickv_version": "dev",
  "cluster_id": "lab",
  "snapshot_index": 64,
  "last_commit_ts": 111411200000000007,
  "wall_time_iso": "2026-11-22T15:45:07.017141572Z",
  "source": {
    "fsm_path": "0000000000000064.fsm"
  },
  "adapters": {
    "redis": {}
  },
  "exclusions": {
    "include_incomplete_uploads": false,
    "include_orphans": false,
    "preserve_sqs_visibility": false,
    "include_sqs_side_records": false
  },
  "checksum_algorithm": "sha256",
  "checksum_format": "sha256sum",
  "encoded_filename_charset": "rfc3986-unreserved-plus-percent",
  "key_segment_max_bytes": 240,
  "s3_meta_suffix": ".elastickv-meta.json",
  "s3_collision_strategy": "leaf-data-suffix",
  "dynamodb_layout": "per-item"
}
"#;

fn reference() -> Manifest {
    Manifest {
        elastickv_version: "dev".to_owned(),
        cluster_id: "lab".to_owned(),
        snapshot_index: 64,
        last_commit_ts: 111_411_200_000_000_007,
        wall_time_iso: "2026-11-22T15:45:07.017141572Z".to_owned(),
        origin: Origin::Snapshot(SnapshotOrigin {
            fsm_path: "0000000000000064.fsm".to_owned(),
            fsm_crc32c: String::new(),
        }),
        adapters: Adapters::default().with(Protocol::Redis, [""; 0]),
        exclusions: Exclusions::default(),
        dynamodb_layout: DynamodbLayout::PerItem,
    }
}

fn text(manifest: &Manifest) -> String {
    String::from_utf8(manifest.to_bytes::<()>(None).unwrap()).unwrap()
}

/// Parses the reference manifest after `change`.
fn parse_changed(change: impl FnOnce(&mut Value)) -> Result<Manifest, ManifestError> {
    let mut value = serde_json::from_str(REFERENCE).unwrap();
    change(&mut value);
    Manifest::parse(value.to_string().as_bytes())
}

#[test]
fn manifest_has_the_bytes_of_the_reference_and_is_read_back() {
    assert_eq!(text(&reference()), REFERENCE);
    assert_eq!(Manifest::parse(REFERENCE.as_bytes()).unwrap(), reference());
}

#[test]
fn full_manifest_has_its_members_in_order_and_the_extension_last() {
    let manifest = Manifest {
        origin: Origin::Snapshot(SnapshotOrigin {
            fsm_path: "<a>&\u{2028}".to_owned(),
            fsm_crc32c: "0123abcd".to_owned(),
        }),
        adapters: Adapters::default()
            .with(Protocol::DynamoDb, ["t"])
            .with(Protocol::S3, ["a", "b"])
            .with(Protocol::Redis, ["0"])
            .with(Protocol::Sqs, ["q"]),
        exclusions: Exclusions { include_orphans: true, rename_s3_collisions: true, ..Exclusions::default() },
        dynamodb_layout: DynamodbLayout::Jsonl,
        ..reference()
    };
    #[derive(Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Report {
        z: u64,
        a: Vec<u32>,
    }
    let report = Report { z: 1, a: Vec::new() };
    let bytes = manifest.to_bytes(Some(&report)).unwrap();
    let expected = REFERENCE
        .replace("0000000000000064.fsm\"", "<a>&\\u2028\",\n    \"fsm_crc32c\": \"0123abcd\"")
        .replace(
            "    \"redis\": {}",
            concat!(
                "    \"dynamodb\": {\n      \"tables\": [\n        \"t\"\n      ]\n    },\n",
                "    \"s3\": {\n      \"buckets\": [\n        \"a\",\n        \"b\"\n      ]\n    },\n",
                "    \"redis\": {\n      \"databases\": [\n        0\n      ]\n    },\n",
                "    \"sqs\": {\n      \"queues\": [\n        \"q\"\n      ]\n    }",
            ),
        )
        .replace("orphans\": false", "orphans\": true")
        .replace("side_records\": false", "side_records\": false,\n    \"rename_s3_collisions\": true")
        .replace("\"per-item\"", "\"jsonl\",\n  \"ekv_backup\": {\n    \"z\": 1,\n    \"a\": []\n  }");
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
    assert_eq!(Manifest::parse_extension::<Report>(&bytes), Some(report));
    assert_eq!(Manifest::parse_extension::<u32>(&bytes), None);
    assert_eq!(Manifest::parse_extension::<Report>(REFERENCE.as_bytes()), None);
}

#[test]
fn empty_and_zero_members_are_left_out() {
    let manifest = Manifest {
        elastickv_version: String::new(),
        cluster_id: String::new(),
        snapshot_index: 0,
        last_commit_ts: 0,
        adapters: Adapters::default(),
        ..reference()
    };
    let text = text(&manifest);
    assert!(
        text.starts_with("{\n  \"format_version\": 1,\n  \"phase\": \"phase0-snapshot-decode\",\n  \"wall_time_iso\"")
    );
    assert!(text.contains("\"adapters\": {},"));
    assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
}

#[test]
fn live_manifest_round_trips() {
    let origin = Origin::Live(LiveOrigin { read_ts: 7, pin_token_sha256: "ab".to_owned() });
    let manifest = Manifest { origin, ..reference() };
    let text = text(&manifest);
    assert!(text.contains("\"phase\": \"phase1-live-pinned\"") && !text.contains("\"source\""));
    assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
}

#[test]
fn writer_refuses_what_a_reader_refuses() {
    let live = Origin::Live(LiveOrigin { read_ts: 0, pin_token_sha256: String::new() });
    let error = Manifest { origin: live, ..reference() }.to_bytes::<()>(None).unwrap_err();
    assert!(matches!(error, ManifestError::Phase));
    let error = Manifest { wall_time_iso: "now".to_owned(), ..reference() }.to_bytes::<()>(None).unwrap_err();
    assert!(matches!(error, ManifestError::WallTime { .. }));
}

#[test]
fn anything_but_one_object_is_refused() {
    let not_one_object = [
        "",
        "null",
        "[]",
        "1",
        "{",
        &format!("{REFERENCE}x"),
        &format!("{REFERENCE}{REFERENCE}"),
        &format!("[{REFERENCE}]"),
    ];
    for text in not_one_object {
        assert!(matches!(Manifest::parse(text.as_bytes()), Err(ManifestError::Json(_))), "{text}");
    }
    assert_eq!(Manifest::parse(format!(" \n{REFERENCE}\t\r\n ").as_bytes()).unwrap(), reference());
    let deep = format!("{{\"x\":{}", "[".repeat(1 << 20));
    assert!(matches!(Manifest::parse(deep.as_bytes()), Err(ManifestError::Json(_))));
}

#[test]
fn versions_decide_before_types() {
    for version in
        [json!("1"), json!(-1), json!(1.0), json!(null), json!([1]), json!({"a": 1}), json!(true), json!(1_u64 << 32)]
    {
        let result = parse_changed(|manifest| manifest["format_version"] = version.clone());
        assert!(matches!(result, Err(ManifestError::NoVersion)), "{version}");
    }
    let result = parse_changed(|manifest| drop(manifest.as_object_mut().unwrap().remove("format_version")));
    assert!(matches!(result, Err(ManifestError::NoVersion)));
    for version in [0, 2, u32::MAX] {
        let result = parse_changed(|manifest| {
            manifest["format_version"] = json!(version);
            manifest["phase"] = json!([7]);
            manifest["exclusions"] = json!("gone");
        });
        assert!(matches!(result, Err(ManifestError::UnsupportedVersion { found }) if found == version));
    }
}

#[test]
fn members_of_the_wrong_type_are_refused() {
    let wrong = [
        ("phase", json!(1)),
        ("elastickv_version", json!(1)),
        ("cluster_id", json!({})),
        ("snapshot_index", json!(-1)),
        ("last_commit_ts", json!("1")),
        ("wall_time_iso", json!(1)),
        ("source", json!("x")),
        ("source", json!(["x", "y"])),
        ("live", json!(1)),
        ("adapters", json!([])),
        ("adapters", json!({"redis": []})),
        ("adapters", json!({"redis": {"databases": [-1]}})),
        ("adapters", json!({"s3": {"buckets": [1]}})),
        ("exclusions", json!([false, false, false, false])),
        ("exclusions", json!({"include_orphans": "no"})),
        ("key_segment_max_bytes", json!(240.0)),
        ("checksum_format", json!(1)),
    ];
    for (member, value) in wrong {
        let result = parse_changed(|manifest| manifest[member] = value.clone());
        assert!(matches!(result, Err(ManifestError::Json(_))), "{member} {value}: {result:?}");
    }
}

#[test]
fn missing_and_null_members_are_refused_where_they_are_needed() {
    let needed = [
        "phase",
        "wall_time_iso",
        "adapters",
        "exclusions",
        "checksum_algorithm",
        "checksum_format",
        "encoded_filename_charset",
        "key_segment_max_bytes",
        "s3_meta_suffix",
        "s3_collision_strategy",
        "dynamodb_layout",
    ];
    for name in needed {
        let null = parse_changed(|manifest| manifest[name] = Value::Null);
        let gone = parse_changed(|manifest| drop(manifest.as_object_mut().unwrap().remove(name)));
        for result in [null, gone] {
            assert!(matches!(result, Err(ManifestError::Missing { member }) if member == name), "{name}");
        }
    }
    for flag in ["include_incomplete_uploads", "include_orphans", "preserve_sqs_visibility", "include_sqs_side_records"]
    {
        let null = parse_changed(|manifest| manifest["exclusions"][flag] = Value::Null);
        let gone = parse_changed(|manifest| drop(manifest["exclusions"].as_object_mut().unwrap().remove(flag)));
        for result in [null, gone] {
            assert!(matches!(result, Err(ManifestError::Missing { member }) if member.ends_with(flag)), "{flag}");
        }
    }
}

#[test]
fn null_counts_as_absent_where_a_member_is_optional() {
    let parsed = parse_changed(|manifest| {
        for member in ["elastickv_version", "cluster_id", "snapshot_index", "last_commit_ts", "live"] {
            manifest[member] = Value::Null;
        }
        manifest["adapters"] = json!({"redis": {"databases": null}, "s3": null});
    })
    .unwrap();
    let expected = Manifest {
        elastickv_version: String::new(),
        cluster_id: String::new(),
        snapshot_index: 0,
        last_commit_ts: 0,
        ..reference()
    };
    assert_eq!(parsed, expected);
}

#[test]
fn values_that_would_be_misread_are_refused() {
    let wrong = [
        ("phase", json!("phase2")),
        ("checksum_algorithm", json!("blake3")),
        ("checksum_format", json!("bsd")),
        ("encoded_filename_charset", json!("utf-8")),
        ("key_segment_max_bytes", json!(255)),
        ("s3_meta_suffix", json!(".meta")),
        ("s3_collision_strategy", json!("none")),
        ("dynamodb_layout", json!("parquet")),
    ];
    for (name, value) in wrong {
        let result = parse_changed(|manifest| manifest[name] = value);
        assert!(matches!(result, Err(ManifestError::Value { member, .. }) if member == name), "{name}");
    }
    assert!(matches!(parse_changed(|m| m["wall_time_iso"] = json!("yesterday")), Err(ManifestError::WallTime { .. })));
}

#[test]
fn phase_and_origin_must_agree() {
    let live = json!({"read_ts": 1});
    let wrong: [fn(&mut Value, &Value); 4] = [
        |manifest, live| manifest["live"] = live.clone(),
        |manifest, _| manifest["phase"] = json!("phase1-live-pinned"),
        |manifest, live| {
            manifest["phase"] = json!("phase1-live-pinned");
            manifest["live"] = live.clone();
        },
        |manifest, _| {
            manifest["phase"] = json!("phase1-live-pinned");
            manifest["source"] = Value::Null;
            manifest["live"] = json!({"read_ts": 0});
        },
    ];
    for change in wrong {
        assert!(matches!(parse_changed(|manifest| change(manifest, &live)), Err(ManifestError::Phase)));
    }
}

#[test]
fn unknown_members_are_ignored_at_every_level() {
    let parsed = parse_changed(|manifest| {
        for object in ["/source", "/adapters", "/adapters/redis", "/exclusions", ""] {
            manifest.pointer_mut(object).unwrap()["new"] = json!({"x": [1, {"y": null}]});
        }
        manifest["ekv_backup"] = json!(7);
    });
    assert_eq!(parsed.unwrap(), reference());
}

#[test]
fn overlong_manifest_is_refused() {
    let mut bytes = REFERENCE.as_bytes().to_vec();
    bytes.resize(MANIFEST_LEN_MAX, b' ');
    assert!(Manifest::parse(&bytes).is_ok());
    bytes.push(b' ');
    assert!(matches!(Manifest::parse(&bytes), Err(ManifestError::TooLong)));
}

/// What a manifest from a file says.
fn stored(text: &str) -> ekv_files::Result<StoredManifest> {
    let scratch: std::sync::Arc<dyn ekv_spill::Scratch> = std::sync::Arc::new(ekv_spill::SystemScratch::new());
    StoredManifest::read(&mut text.as_bytes(), &scratch)
}

/// The names that it lists, with their directories.
fn scopes(stored: &StoredManifest) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut take = |protocol: Protocol, name: &str| {
        all.push((protocol.name(), name.to_owned()));
        Ok(())
    };
    stored.for_each_scope(&mut take).unwrap();
    all
}

#[test]
fn names_beyond_what_a_manifest_holds_are_shown_and_not_kept() {
    let names: Vec<String> = (0..40_000).map(|n| format!("queue-{n:06}")).collect();
    let list = format!("\"sqs\": {{\"queues\": {names:?}}}");
    let text = REFERENCE.replace("\"redis\": {}", &list);
    assert_ne!(text, REFERENCE);
    let stored = stored(&text).unwrap();
    assert!(stored.manifest.adapters.has(Protocol::Sqs) && stored.manifest.adapters.scopes(Protocol::Sqs).is_empty());
    let shown: Vec<String> = scopes(&stored).into_iter().map(|(_, name)| name).collect();
    assert_eq!(shown, names);
}

#[test]
fn every_list_is_shown_with_the_directory_of_its_adapter_and_an_error_ends_it() {
    let lists = r#""dynamodb": {"tables": ["t"], "queues": ["x"]}, "s3": {"buckets": ["b", "c"]},
        "redis": {"databases": [0, 7]}, "sqs": {"queues": null, "tables": ["x"]}, "other": {"queues": ["x"]}"#;
    let text = REFERENCE.replace("\"redis\": {}", lists);
    let stored = stored(&text).unwrap();
    let expected = [("dynamodb", "t"), ("s3", "b"), ("s3", "c"), ("redis", "0"), ("redis", "7")];
    assert_eq!(scopes(&stored), expected.map(|(directory, name)| (directory, name.to_owned())));
    let mut count = 0;
    let mut stop = |_: Protocol, _: &str| {
        count += 1;
        Err(crate::DumpFault::NotADump { missing: "test" }.into())
    };
    assert!(stored.for_each_scope(&mut stop).unwrap_err().to_string().contains("test"));
    assert_eq!(count, 1);
}

#[test]
fn account_is_what_the_report_says_and_empty_for_any_other_shape() {
    let with = |report: &str| {
        let end = REFERENCE.rfind('}').unwrap();
        stored(&format!("{},\"ekv_backup\": {report}}}", &REFERENCE[..end].trim_end())).unwrap().account
    };
    let account = with(
        r#"{"findings": [{"name": "a", "severity": "loss", "meaning": "m", "count": 3, "examples": [{}]},
            {"name": "b", "severity": "warning", "count": 9}, {"name": "c", "severity": "loss", "count": 4}],
            "snapshots": [{"group_id": 2}, {"group_id": 0}, {}, {"group_id": 1}, {"group_id": 2}],
            "completeness": {"status": "incomplete", "by_choice": [{"option": "--o", "count": 2, "what": "w"}, {}]}, "listed_losses": 7, "later": [1]}"#,
    );
    assert_eq!((account.loss_count, account.listed_losses, account.listed_scopes), (7, Some(7), None));
    assert_eq!(account.losses[0], LossKind { name: "a".into(), meaning: "m".into(), count: 3 });
    assert_eq!(account.choices[0], Choice { option: "--o".into(), count: 2, what: "w".into() });
    assert_eq!((account.group_ids, account.status.as_deref()), (vec![1, 2], Some("incomplete")));
    for other in ["null", "5", "[]", r#"{"findings": 7}"#, r#"{"findings": [5]}"#] {
        assert_eq!(with(other), Account::default(), "{other}");
    }
    let long =
        format!("{{\"findings\": [{{\"name\": {:?}, \"severity\": \"loss\", \"count\": 1}}]}}", "x".repeat(1 << 20));
    assert_eq!(with(&long).losses[0].name.len(), 256);
}

#[test]
fn errors_repeat_no_long_text_of_a_manifest() {
    let long = "A".repeat(2 << 20);
    for (old, new) in [
        ("\"format_version\": 1", format!("\"snapshot_index\": {long:?}, \"format_version\": 1")),
        ("\"format_version\": 1", format!("\"cluster_id\": [{long:?}], \"format_version\": 1")),
        ("\"sha256\"", format!("{long:?}")),
        ("\"sha256\"", format!("\"{long}{long}{long}\"")),
    ] {
        let text = REFERENCE.replacen(old, &new, 1);
        assert_ne!(text, REFERENCE);
        let error = stored(&text).unwrap_err();
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(source) = cause {
            message.push_str(&source.to_string());
            cause = source.source();
        }
        assert!(message.len() < 600, "{} bytes", message.len());
    }
}
