use std::collections::BTreeMap;

use ekv_model::s3::{OrphanChunk, UploadRecord};
use ekv_model::{Consumer, Event as ModelEvent};
use ekv_spill::SystemScratch;

use super::*;

/// Keys and values of records, in the order in which they came.
#[derive(Default)]
struct Records(Vec<(Vec<u8>, Vec<u8>)>);

impl RecordSink for Records {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> Result<()> {
        let value = ekv_testkit::whole_value(parts)?;
        self.0.push((user_key.to_vec(), value));
        Ok(())
    }
}

fn encode(events: &[Event<'_>]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut records = Records::default();
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let mut encoder = crate::Encoder::new(&mut records, &scratch);
    events.iter().try_for_each(|event| encoder.event(ModelEvent::S3(*event)))?;
    Ok(records.0)
}

const NO_METADATA: &BTreeMap<String, String> = &BTreeMap::new();

const BEGIN: Event<'static> = Event::Begin(Bucket {
    name: "b",
    record: Some(BucketRecord { created_at_hlc: 7 << 16, owner: "<o>", region: "", acl: "private" }),
});

fn object<'a>(key: &'a [u8], user_metadata: &'a BTreeMap<String, String>, body: Body<'a>) -> Event<'a> {
    Event::Object(Object {
        commit_ts: 0,
        key,
        etag: "e-2",
        last_modified_hlc: u64::MAX,
        content_type: "t",
        content_encoding: "",
        cache_control: "\u{2028}",
        content_disposition: "\"&\"",
        user_metadata,
        body,
    })
}

/// Bytes that tell their place, which can be read once from front to back.
struct OneWay {
    len: u64,
    at: std::cell::Cell<u64>,
}

impl ByteSource for OneWay {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        assert_eq!(offset, self.at.get());
        assert!(buf.len() <= ekv_model::CHUNK_LEN);
        for (byte, n) in buf.iter_mut().zip(offset..) {
            *byte = u8::try_from(n % 251).unwrap();
        }
        self.at.set(offset + u64::try_from(buf.len()).unwrap());
        Ok(())
    }
}

#[test]
fn bucket_and_empty_object_have_all_their_members() {
    let metadata = [("z".to_owned(), "1".to_owned()), ("a>".to_owned(), "é".to_owned())].into();
    let events = [BEGIN, Event::Key(b"k\0"), object(b"k\0", &metadata, Body::Inline(b"")), Event::End];
    let records = encode(&events).unwrap();
    let [meta, generation, head] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(meta.0, b"!s3|bucket|meta|b\0\x01");
    assert_eq!(
        String::from_utf8(meta.1.clone()).unwrap(),
        r#"{"bucket_name":"b","generation":1,"created_at_hlc":458752,"owner":"\u003co\u003e","region":"","acl":"private"}"#
    );
    assert_eq!(*generation, (b"!s3|bucket|gen|b\0\x01".to_vec(), vec![0, 0, 0, 0, 0, 0, 0, 1]));
    assert_eq!(head.0, b"!s3|obj|head|b\0\x01\0\0\0\0\0\0\0\x01k\0\xff\0\x01");
    assert_eq!(
        String::from_utf8(head.1.clone()).unwrap(),
        concat!(
            r#"{"upload_id":"elastickv-restore","etag":"e-2","size_bytes":0,"last_modified_hlc":18446744073709551615,"#,
            r#""content_type":"t","content_encoding":"","cache_control":"\u2028","content_disposition":"\"\u0026\"","#,
            r#""user_metadata":{"a\u003e":"é","z":"1"},"parts":null}"#
        )
    );
}

#[test]
fn large_bodies_are_read_once_and_become_a_record_for_each_mebibyte() {
    for (len, sizes) in [(1 << 20, "1048576"), ((1 << 20) + 1, "1048576,1"), ((5 << 19) + 3, "1048576,1048576,524291")]
    {
        let source = OneWay { len, at: std::cell::Cell::new(0) };
        let inline: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let records = encode(&[BEGIN, object(b"k", NO_METADATA, Body::Streamed(&source)), Event::End]).unwrap();
        assert!(records == encode(&[BEGIN, object(b"k", NO_METADATA, Body::Inline(&inline)), Event::End]).unwrap());
        let (head, chunks) = records[2..].split_last().unwrap();
        let mut content = Vec::new();
        for ((key, value), chunk_no) in chunks.iter().zip(0_u64..) {
            let tail = [&b"k\0\x01elastickv-restore\0\x01"[..], &1_u64.to_be_bytes(), &chunk_no.to_be_bytes()].concat();
            assert_eq!(*key, [&b"!s3|blob|b\0\x01"[..], &1_u64.to_be_bytes(), &tail].concat());
            content.extend_from_slice(value);
        }
        assert!(content == inline);
        let count = sizes.split(',').count();
        assert_eq!(chunks.len(), count);
        let parts = format!(
            r#""parts":[{{"part_no":1,"etag":"e-2","size_bytes":{len},"chunk_count":{count},"chunk_sizes":[{sizes}],"part_version":0,"chunk_ref_version":0,"offloaded":false}}]}}"#
        );
        assert!(head.1.ends_with(parts.as_bytes()), "{}", head.1.escape_ascii());
    }
}

#[test]
fn events_without_meaning_and_what_no_client_sees_are_refused() {
    let lost = Event::Begin(Bucket { name: "b", record: None });
    let body = Body::Inline(b"");
    let chunk = OrphanChunk { key: b"", generation: 1, upload_id: b"", part_no: 1, chunk_no: 0, part_version: 0, body };
    let upload = UploadRecord { prefix: "", user_key: b"", value: body };
    let misplaced = "an event came where it has no meaning";
    for (events, message) in [
        (&[Event::End][..], misplaced),
        (&[Event::Key(b"k")], misplaced),
        (&[object(b"k", NO_METADATA, body)], misplaced),
        (&[BEGIN, BEGIN], misplaced),
        (&[BEGIN, Event::End, Event::End], misplaced),
        (&[lost], "bucket b has no record of its own"),
        (&[BEGIN, Event::OrphanChunk(chunk)], "chunks without an object cannot be encoded"),
        (&[BEGIN, Event::UploadRecord(upload)], "records of unfinished uploads cannot be encoded"),
    ] {
        let error = encode(events).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
