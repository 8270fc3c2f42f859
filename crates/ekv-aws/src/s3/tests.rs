//! Awkward keys, conditions, uploads in parts, lists in pages, and answers that are not what they seem.

use std::io::Cursor;

use super::*;
use crate::Service;
use crate::testing::{answer, client, cut};

const NEW: Attributes = Attributes { headers: Vec::new(), must_be_new: true };

#[test]
fn awkward_keys_are_sent_as_they_are() {
    for (key, uri) in [
        ("a//b", "http://127.0.0.1:4566/b/a//b"),
        ("dir/", "http://127.0.0.1:4566/b/dir/"),
        ("q/../x", "http://127.0.0.1:4566/b/q/../x"),
        ("a b+c?#%", "http://127.0.0.1:4566/b/a%20b%2Bc%3F%23%25"),
        ("ü", "http://127.0.0.1:4566/b/%C3%BC"),
    ] {
        let (client, script) = client(Service::S3, vec![answer(200, &[("etag", "\"e\"")], "")]);
        let put = put_object(&client, "b", key, &NEW, Content::Bytes(b"x")).unwrap();
        assert_eq!(put.value, Put::Written { etag: "e".to_owned() });
        let sent = script.sent.lock().unwrap();
        assert_eq!(sent[0].uri, uri);
        assert_eq!(sent[0].header("if-none-match"), Some("*"));
        assert_eq!(sent[0].header("x-amz-checksum-sha256"), Some("LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="));
    }
}

#[test]
fn an_object_that_exists_is_told_apart_from_one_that_is_refused() {
    let (client, _) = client(
        Service::S3,
        vec![answer(412, &[], "<Error><Code>PreconditionFailed</Code></Error>"), answer(403, &[], "")],
    );
    assert_eq!(put_object(&client, "b", "k", &NEW, Content::EMPTY).unwrap().value, Put::Exists);
    assert!(put_object(&client, "b", "k", &NEW, Content::EMPTY).is_err());
}

#[test]
fn a_stream_is_opened_anew_for_each_try() {
    struct Text(&'static [u8]);
    impl crate::Reopen for Text {
        fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
            Ok(Box::new(Cursor::new(self.0)))
        }
    }
    let text = Text(b"some content");
    let content = Content::Stream { len: 12, sha256: crate::sha256(text.0), open: &text };
    let answers =
        vec![answer(503, &[], ""), Err(std::io::ErrorKind::ConnectionReset.into()), answer(200, &[("etag", "e")], "")];
    let (client, script) = client(Service::S3, answers);
    assert!(put_object(&client, "b", "k", &Attributes::default(), content).unwrap().is_unsure);
    assert!(script.sent.lock().unwrap().iter().all(|sent| sent.body == b"some content"));
}

#[test]
fn an_error_inside_of_a_success_is_an_error() {
    let error = "<Error><Code>InternalError</Code><Message>later</Message></Error>";
    let done = "<CompleteMultipartUploadResult><ETag>\"x-1\"</ETag></CompleteMultipartUploadResult>";
    let part = Part { number: 1, etag: "p".to_owned(), len: 1, sha256: Some("c".to_owned()) };
    let answers = vec![answer(200, &[], error), answer(200, &[], ""), cut(200, "<Comp"), answer(200, &[], done)];
    let (client, script) = client(Service::S3, answers);
    let put = complete_upload(&client, "b", "k", "u", std::slice::from_ref(&part), true).unwrap();
    assert_eq!(put.value, Put::Written { etag: "x-1".to_owned() });
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent.len(), 4);
    assert!(sent[0].text().contains("<PartNumber>1</PartNumber><ETag>\"p\"</ETag><ChecksumSHA256>c</ChecksumSHA256>"));
    drop(sent);

    let (client, _) =
        crate::testing::client(Service::S3, vec![answer(200, &[], "<Error><Code>InvalidPart</Code></Error>")]);
    assert_eq!(
        complete_upload(&client, "b", "k", "u", &[part], true).unwrap_err().fault().unwrap().code,
        "InvalidPart"
    );
}

#[test]
fn lists_give_keys_as_they_are_and_the_way_to_the_next_page() {
    let page = "<ListBucketResult xmlns='x'><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>\
                <NextContinuationToken>t/1</NextContinuationToken>\
                <Contents><Key>a+b%2B%2F%C3%BC</Key><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents></ListBucketResult>";
    let (client, script) = client(Service::S3, vec![answer(200, &[], page)]);
    let page = list(&client, "b", "p/", Some("t0")).unwrap();
    assert_eq!(
        page.objects,
        [Listed { key: "a b+/ü".to_owned(), len: 7, etag: "e".to_owned(), modified: String::new() }]
    );
    assert_eq!(page.next.as_deref(), Some("t/1"));
    assert!(
        script.sent.lock().unwrap()[0].uri.contains("continuation-token=t0&encoding-type=url&list-type=2&prefix=p%2F")
    );
}

#[test]
fn a_list_that_says_that_it_goes_on_but_not_how_is_an_error() {
    let page = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    let (client, _) = client(Service::S3, vec![answer(200, &[], page)]);
    assert!(list(&client, "b", "", None).is_err());
}

#[test]
fn a_store_that_gives_the_whole_for_a_part_is_not_believed() {
    let whole = answer(200, &[("etag", "\"e\""), ("content-length", "5")], "whole");
    let part = answer(206, &[("etag", "\"e\""), ("content-range", "bytes 1-2/5")], "ho");
    let (client, script) = client(Service::S3, vec![whole, part]);
    assert!(get_object(&client, "b", "k", Range::Bytes(1, 2), Some("e")).is_err());
    let mut object = get_object(&client, "b", "k", Range::Bytes(1, 2), Some("e")).unwrap().unwrap();
    let mut text = String::new();
    object.body.read_to_string(&mut text).unwrap();
    assert_eq!((object.len, text.as_str()), (5, "ho"));
    let sent = script.sent.lock().unwrap();
    assert_eq!((sent[1].header("range"), sent[1].header("if-match")), (Some("bytes=1-2"), Some("\"e\"")));
}

#[test]
fn what_is_not_there_is_none_and_may_be_deleted() {
    let missing = || answer(404, &[], "<Error><Code>NoSuchKey</Code></Error>");
    let (client, _) = client(Service::S3, vec![missing(), missing(), missing(), missing()]);
    assert!(head_object(&client, "b", "k").unwrap().is_none());
    assert!(parts(&client, "b", "k", "u").unwrap().is_none());
    delete_object(&client, "b", "k").unwrap();
    abort_upload(&client, "b", "k", "u").unwrap();
}

#[test]
fn parts_of_several_pages_are_one_list() {
    let page = |n: u32, more: bool| {
        format!(
            "<ListPartsResult><IsTruncated>{more}</IsTruncated><NextPartNumberMarker>{n}</NextPartNumberMarker><Part><PartNumber>{n}\
             </PartNumber><ETag>\"e{n}\"</ETag><Size>{n}</Size></Part></ListPartsResult>"
        )
    };
    let (client, script) =
        client(Service::S3, vec![answer(200, &[], &page(1, true)), answer(200, &[], &page(2, false))]);
    let parts = parts(&client, "b", "k", "u").unwrap().unwrap();
    assert_eq!(
        parts.iter().map(|part| (part.number, part.len, part.etag.as_str())).collect::<Vec<_>>(),
        [(1, 1, "e1"), (2, 2, "e2")]
    );
    assert!(script.sent.lock().unwrap()[1].uri.contains("part-number-marker=1"));
}
