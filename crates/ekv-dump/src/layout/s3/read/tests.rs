//! Buckets to dumps that are edited by hand, and what a replay makes of them.

mod edits;
mod names;

use ekv_model::Scope;
use ekv_testkit::selection;
use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_files::Result;
use ekv_model::s3::{Bucket, BucketRecord, Event, Object};
use ekv_model::{Body, Consumer, Event as ModelEvent, Map, Protocol};
use ekv_text::time::parse_hlc;
use md5::{Digest, Md5};

use crate::TreeOptions;
use crate::manifest::{Adapters, Manifest};
use crate::replay::tests::{Dump, manifest};
use crate::replay::{Checking, ReplayOptions, Replayed};

/// An object with everything that a dump keeps of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TestObject {
    etag: String,
    last_modified_hlc: u64,
    content_type: String,
    content_encoding: String,
    cache_control: String,
    content_disposition: String,
    user_metadata: BTreeMap<String, String>,
    body: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TestBucket {
    created_at_hlc: u64,
    owner: String,
    region: String,
    acl: String,
    objects: BTreeMap<Vec<u8>, TestObject>,
}

type TestBuckets = BTreeMap<String, TestBucket>;

fn md5_hex(body: &[u8]) -> String {
    Md5::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A bucket with objects of these keys and bodies.
fn bucket(objects: &[(&[u8], &[u8])]) -> TestBucket {
    let objects = objects.iter().map(|(key, body)| {
        let object = TestObject { etag: md5_hex(body), body: body.to_vec(), ..TestObject::default() };
        (key.to_vec(), object)
    });
    TestBucket { objects: objects.collect(), ..TestBucket::default() }
}

/// One bucket `b`.
fn one(objects: &[(&[u8], &[u8])]) -> TestBuckets {
    [("b".to_owned(), bucket(objects))].into()
}

fn feed(buckets: &TestBuckets, target: &mut dyn Consumer) {
    let mut give = |event| target.event(ModelEvent::S3(event)).unwrap();
    for (name, bucket) in buckets {
        let TestBucket { created_at_hlc, owner, region, acl, objects } = bucket;
        let record = BucketRecord { created_at_hlc: *created_at_hlc, owner, region, acl };
        give(Event::Begin(Bucket { name, record: Some(record) }));
        objects.keys().for_each(|key| give(Event::Key(key)));
        for (key, object) in objects {
            give(Event::Object(Object {
                key,
                etag: &object.etag,
                last_modified_hlc: object.last_modified_hlc,
                commit_ts: 0,
                content_type: &object.content_type,
                content_encoding: &object.content_encoding,
                cache_control: &object.cache_control,
                content_disposition: &object.content_disposition,
                user_metadata: &object.user_metadata,
                body: Body::Inline(&object.body),
            }));
        }
        give(Event::End);
    }
}

/// Collects buckets, and holds the events to their order.
#[derive(Default)]
struct Collected {
    buckets: TestBuckets,
    open: Option<String>,
    keys: Vec<Vec<u8>>,
}

impl Consumer for Collected {
    fn event(&mut self, event: ModelEvent<'_>) -> ekv_model::Result<()> {
        let ModelEvent::S3(event) = event else { panic!("{event:?}") };
        match event {
            Event::Begin(Bucket { name, record }) => {
                let BucketRecord { created_at_hlc, owner, region, acl } =
                    record.unwrap_or(BucketRecord { created_at_hlc: 0, owner: "", region: "", acl: "" });
                let [owner, region, acl] = [owner, region, acl].map(str::to_owned);
                let bucket = TestBucket { created_at_hlc, owner, region, acl, ..TestBucket::default() };
                assert!(self.buckets.last_key_value().is_none_or(|(last, _)| last.as_str() < name));
                assert!(self.buckets.insert(name.to_owned(), bucket).is_none());
                assert_eq!(self.open.replace(name.to_owned()), None);
                self.keys.clear();
            }
            Event::Key(key) => {
                assert!(self.buckets[self.open.as_ref().unwrap()].objects.is_empty());
                self.keys.push(key.to_vec());
            }
            Event::Object(object) => {
                let objects = &mut self.buckets.get_mut(self.open.as_ref().unwrap()).unwrap().objects;
                assert_eq!(self.keys[objects.len()], object.key);
                let mut body = Vec::new();
                object.body.for_each_chunk(|chunk| {
                    body.extend_from_slice(chunk);
                    Ok(())
                })?;
                assert_eq!(object.body.len(), u64::try_from(body.len()).unwrap());
                let [etag, content_type, content_encoding, cache_control, content_disposition] = [
                    object.etag,
                    object.content_type,
                    object.content_encoding,
                    object.cache_control,
                    object.content_disposition,
                ]
                .map(str::to_owned);
                let (last_modified_hlc, user_metadata) = (object.last_modified_hlc, object.user_metadata.clone());
                let found = TestObject {
                    etag,
                    last_modified_hlc,
                    content_type,
                    content_encoding,
                    cache_control,
                    content_disposition,
                    user_metadata,
                    body,
                };
                objects.insert(object.key.to_vec(), found);
            }
            Event::End => {
                let name = self.open.take().unwrap();
                assert_eq!(self.buckets[&name].objects.len(), self.keys.len());
                assert!(self.keys.is_sorted_by(|a, b| a < b));
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

fn s3_manifest(buckets: &TestBuckets) -> Manifest {
    Manifest { adapters: Adapters::default().with(Protocol::S3, buckets.keys()), ..manifest() }
}

fn dump(buckets: &TestBuckets) -> Dump {
    Dump::sent_with(&s3_manifest(buckets), TreeOptions::default(), |target| feed(buckets, target))
}

fn s3_options() -> ReplayOptions {
    let included = Map::only(&[Protocol::S3]);
    ReplayOptions { included, scope: Arc::default(), checking: Checking::All, memory_budget: 1 << 16 }
}

fn replayed(dump: &Dump, selection: Arc<Scope>) -> Result<(TestBuckets, Replayed)> {
    let mut collected = Collected::default();
    let replayed = dump.replay_to(&ReplayOptions { scope: selection, ..s3_options() }, &mut collected)?;
    assert_eq!(collected.open, None);
    Ok((collected.buckets, replayed))
}

fn buckets_of(dump: &Dump) -> TestBuckets {
    replayed(dump, Arc::default()).unwrap().0
}

fn error_of(dump: &Dump) -> String {
    replayed(dump, Arc::default()).err().expect("refused").to_string()
}

/// The dump that the events of a replay give.
fn dumped_again(dump: &Dump, buckets: &TestBuckets, options: TreeOptions) -> Dump {
    Dump::sent_with(&s3_manifest(buckets), options, |target| {
        dump.replay_to(&s3_options(), target).unwrap();
    })
}

/// A dump as `manifest` says that somebody else wrote it.
fn of_reference(dump: Dump, buckets: &TestBuckets) -> Dump {
    let manifest = Manifest { elastickv_version: "dev".to_owned(), ..s3_manifest(buckets) };
    dump.with("MANIFEST.json", &manifest.to_bytes::<()>(None).unwrap()).signed()
}

/// A bucket with the objects of the documented example and one with everything that a sidecar can say.
fn sample() -> TestBuckets {
    let mut example =
        bucket(&[(b"a/b", b"leaf and dir"), (b"a/b/c.txt", b"hello v2"), (b"x.elastickv-meta.json", b"{}")]);
    example.region = "us-east-1".to_owned();
    example.acl = "private".to_owned();
    let full = TestObject {
        etag: "0123456789abcdef0123456789abcdef-2".to_owned(),
        last_modified_hlc: parse_hlc("2026-11-22T14:56:56.793Z").unwrap(),
        content_type: "text/plain; charset=\"<utf-8>\"".to_owned(),
        content_encoding: "gzip".to_owned(),
        cache_control: "no-cache".to_owned(),
        content_disposition: "attachment; filename=\"é\u{2028}\"".to_owned(),
        user_metadata: [("a".to_owned(), "1 & 2".to_owned()), ("b".to_owned(), String::new())].into(),
        body: b"full".to_vec(),
    };
    let mut more = bucket(&[(b"empty", b""), (b"dir/", b"")]);
    more.owner = "<owner>".to_owned();
    more.objects.insert(b"full".to_vec(), full);
    [("bucket-one".to_owned(), example), ("more".to_owned(), more), ("none".to_owned(), TestBucket::default())].into()
}

#[test]
fn buckets_come_back_from_their_files_and_give_the_same_files_again() {
    let dump = dump(&sample());
    assert_eq!(buckets_of(&dump), sample());
    assert!(dumped_again(&dump, &sample(), TreeOptions::default()) == dump);
    let (_, replayed) = replayed(&dump, Arc::default()).unwrap();
    assert_eq!(replayed.totals.files, u64::try_from(dump.entries.values().flatten().count()).unwrap() - 1);
    assert!(replayed.findings.iter().next().is_none());
}

#[test]
fn creation_times_come_back_where_the_dump_has_them() {
    let mut buckets = sample();
    buckets.get_mut("more").unwrap().created_at_hlc = 1_795_359_416_793 << 16;
    let options = TreeOptions { extended: true, ..TreeOptions::default() };
    let dump = Dump::sent_with(&s3_manifest(&buckets), options, |target| feed(&buckets, target));
    assert_eq!(buckets_of(&dump), buckets);
    assert!(dumped_again(&dump, &buckets, options) == dump);
}

#[test]
fn bodies_around_the_length_of_a_chunk_and_far_above_pass_through() {
    let chunk = 1 << 20;
    let bytes = |len: usize| (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect::<Vec<u8>>();
    let bodies = [chunk - 1, chunk, chunk + 1, 3 * chunk + 7].map(bytes);
    let keys: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
    let objects: Vec<(&[u8], &[u8])> = keys.into_iter().zip(bodies.iter().map(Vec::as_slice)).collect();
    let buckets = one(&objects);
    let dump = dump(&buckets);
    assert!(buckets_of(&dump) == buckets);
    assert!(dumped_again(&dump, &buckets, TreeOptions::default()) == dump);
    for key in ["a", "d"] {
        let path = format!("s3/b/{key}");
        let stated = dump.file(&path).len();
        let line = format!("line 4 of {path}.elastickv-meta.json says {stated}");
        let body = dump.file(&path);
        for changed in [&body[1..], &[body, b"x"].concat()] {
            let error = error_of(&dump.clone().with(&path, changed).signed());
            assert_eq!(error, format!("{path}: the object has {} bytes, but {line}", changed.len()));
        }
        let mut changed = body.to_vec();
        changed[500] ^= 1;
        let (found, etag) = (md5_hex(&changed), md5_hex(body));
        let error = error_of(&dump.clone().with(&path, &changed).signed());
        let tag = format!("the etag on line 3 of {path}.elastickv-meta.json is {etag}");
        assert_eq!(error, format!("{path}: the MD5 of the object is {found}, but {tag}"));
    }
}

#[test]
fn bodies_that_nobody_reads_are_checked_all_the_same() {
    struct Ignores;
    impl Consumer for Ignores {
        fn event(&mut self, _event: ModelEvent<'_>) -> ekv_model::Result<()> {
            Ok(())
        }
    }
    let body = vec![7; (1 << 20) + 5];
    let dump = dump(&one(&[(b"k", &body)]));
    dump.replay_to(&s3_options(), &mut Ignores).unwrap();
    let error = dump.with("s3/b/k", &body[1..]).signed().replay_to(&s3_options(), &mut Ignores).err().unwrap();
    assert!(error.to_string().starts_with("s3/b/k: the object has 1048580 bytes, but line 4 of"), "{error}");
}

#[test]
fn errors_of_the_target_name_the_file_of_the_object() {
    struct Refuses;
    impl Consumer for Refuses {
        fn event(&mut self, event: ModelEvent<'_>) -> ekv_model::Result<()> {
            match event {
                ModelEvent::S3(Event::Object(Object { key: b"a/b", .. })) => {
                    Err(ekv_model::Error::new(ekv_model::Class::Data, "no"))
                }
                _ => Ok(()),
            }
        }
    }
    let error = dump(&sample()).replay_to(&s3_options(), &mut Refuses).err().unwrap();
    assert_eq!(error.to_string(), "s3/bucket-one/a/b.elastickv-leaf-data: no");
}

#[test]
fn selections_take_buckets_or_objects_and_the_rest_need_only_be_there() {
    let mut buckets = sample();
    buckets.insert("k".repeat(300), bucket(&[(b"in a long name", b"1")]));
    let dump = dump(&buckets);
    let taken = |names: &[&str], prefixes: &[&str]| {
        let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        let (found, replayed) = replayed(&dump, selection(bytes(names), bytes(prefixes))).unwrap();
        let all = u64::try_from(dump.entries.values().flatten().count()).unwrap();
        assert_eq!(replayed.totals.files + replayed.totals.files_left_out, all - 1);
        let show = |(name, bucket): (String, TestBucket)| {
            let keys = bucket.objects.keys().map(|key| key.escape_ascii().to_string());
            format!("{}: {}", &name[..name.len().min(10)], keys.collect::<Vec<_>>().join(" "))
        };
        found.into_iter().map(show).collect::<Vec<_>>()
    };
    assert_eq!(taken(&["more"], &[]), ["more: dir/ empty full"]);
    assert_eq!(taken(&["more/dir/"], &[]), ["more: dir/"]);
    assert_eq!(taken(&["more/full", "none"], &["bucket-one/a/b/"]), ["bucket-one: a/b/c.txt", "more: full", "none: "]);
    assert_eq!(taken(&[], &["bucket-one/"]), ["bucket-one: a/b a/b/c.txt x.elastickv-meta.json"]);
    assert_eq!(taken(&[], &["b"]), ["bucket-one: a/b a/b/c.txt x.elastickv-meta.json"]);
    assert_eq!(taken(&["more/missing"], &[]), Vec::<String>::new());
    assert_eq!(taken(&["missing"], &[]), Vec::<String>::new());
    assert_eq!(taken(&[&"k".repeat(300)], &[]), ["kkkkkkkkkk: in a long name"]);

    let selection = selection([b"more/full".to_vec()], []);
    let changed = dump.clone().with("s3/more/empty", b"changed").with("s3/none/_bucket.json", b"changed");
    assert_eq!(replayed(&changed, selection.clone()).unwrap().0.len(), 1);
    let lost = dump.without("s3/more/empty").without("s3/more/empty.elastickv-meta.json");
    let error = replayed(&lost, selection).err().unwrap().to_string();
    assert!(error.starts_with("s3/more/empty: CHECKSUMS lists it, but there is no such file"), "{error}");
}
