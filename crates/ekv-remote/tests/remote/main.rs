//! Stores by what they must hold, and streams to and from them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions, reason = "tests")]

mod shelf;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use ekv_aws::{Client, Clock, Credentials, Endpoint, HttpWire, Secret, Service, SystemClock};
use ekv_remote::{Download, Error, Mode, Remote, RemoteFile, S3Remote, Upload, check_create_only};
use ekv_testkit::aws::{Asked, MiniStack, ScriptedAws, Told};
use ekv_testkit::remote::{MemoryRemote, RemoteFault, remote_conformance};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

const MIB: usize = 1 << 20;

/// Bytes that are nowhere the same.
fn content(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(len);
    bytes
}

fn upload(remote: &Arc<dyn Remote>, bytes: &[u8], mode: Mode) -> Result<ekv_remote::Uploaded, Error> {
    let mut upload = Upload::new(Arc::clone(remote), "object", mode);
    for piece in bytes.chunks(3 * MIB + 1) {
        // A failed part is told by the write that waits for it, in the words of the store.
        if let Err(error) = upload.write_all(piece) {
            return Err(*error.into_inner().unwrap().downcast::<Error>().unwrap());
        }
    }
    upload.finish()
}

fn download(remote: &Arc<dyn Remote>) -> std::io::Result<Vec<u8>> {
    let meta = remote.head("object").unwrap().unwrap();
    let mut bytes = Vec::new();
    Download::new(Arc::clone(remote), "object", meta).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A clock on which every pause is over at once.
struct NoPause(SystemClock);

impl Clock for NoPause {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, _: Duration) {}
}

fn client(url: &str) -> Client {
    let credentials = Credentials {
        access_key_id: "test".to_owned(),
        secret_access_key: Secret::new("test"),
        session_token: None,
        expires_at: None,
    };
    Client::new(
        Service::S3,
        Endpoint::parse(url).unwrap(),
        "us-east-1",
        Box::new(credentials),
        Box::new(HttpWire::new(4, None).unwrap()),
        Box::new(NoPause(SystemClock::default())),
    )
}

/// A server with an empty bucket.
fn ministack() -> Option<MiniStack> {
    let server = MiniStack::start()?;
    ekv_aws::s3::create_bucket(&client(&server.url()), "bucket").unwrap();
    Some(server)
}

fn s3(url: &str) -> Arc<dyn Remote> {
    Arc::new(S3Remote::new(client(url), "bucket"))
}

#[test]
fn memory_and_s3_hold_what_every_store_must() {
    let memory: Arc<dyn Remote> = Arc::new(MemoryRemote::default());
    remote_conformance(&memory);
    check_create_only(memory.as_ref(), "shelf/").unwrap();
    let Some(server) = ministack() else { return };
    let s3 = s3(&server.url());
    remote_conformance(&s3);
    check_create_only(s3.as_ref(), "shelf/").unwrap();
    let bytes = content(21 * MIB);
    assert_eq!(upload(&s3, &bytes, Mode::Create).unwrap().parts, 2);
    assert!(download(&s3).unwrap() == bytes);
}

/// An endpoint before a server; what it tells of the `n`-th request, counted from 0, `spoils` makes of the server's answer.
fn spoiled(server: &MiniStack, n: usize, spoils: impl Fn(&Asked, u16) -> Told + Send + 'static) -> ScriptedAws {
    let port = server.port();
    ScriptedAws::start(move |asked| if asked.number == n { spoils(asked, port) } else { asked.forwarded(port) })
}

#[test]
fn an_answer_of_s3_that_is_lost_or_cut_leaves_neither_two_objects_nor_none() {
    let Some(server) = ministack() else { return };
    let honest = s3(&server.url());
    let bytes = content(17 * MIB);
    // Begin, two parts, complete; and one request of a short object.
    for (len, requests) in [(bytes.len(), 4), (1000, 1)] {
        for n in 0..requests {
            for is_cut in [true, false] {
                let endpoint = spoiled(&server, n, move |asked, port| match is_cut {
                    true => asked.forwarded(port).cut(40),
                    false => {
                        asked.forwarded(port);
                        Told::Nothing
                    }
                });
                upload(&s3(&endpoint.url()), &bytes[..len], Mode::Create).unwrap();
                assert!(download(&honest).unwrap() == bytes[..len], "request {n}");
                honest.delete("object").unwrap();
            }
        }
    }
}

#[test]
fn whatever_request_s3_refuses_nothing_is_to_be_seen_and_no_part_stays() {
    let Some(server) = ministack() else { return };
    let honest = s3(&server.url());
    let bytes = content(17 * MIB);
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    for n in 0..4 {
        let endpoint = spoiled(&server, n, move |_, _| Told::xml(403, denied));
        let error = upload(&s3(&endpoint.url()), &bytes, Mode::Create).unwrap_err();
        assert!(matches!(error, Error::Service { .. }), "{error}");
        assert_eq!(honest.head("object").unwrap(), None, "request {n}");
        assert_eq!(ekv_aws::s3::uploads(&client(&server.url()), "bucket", "").unwrap(), [], "request {n}");
    }
}

#[test]
fn an_error_inside_of_a_success_is_an_error() {
    let Some(server) = ministack() else { return };
    let endpoint =
        spoiled(&server, 3, |_, _| Told::xml(200, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"));
    upload(&s3(&endpoint.url()), &content(17 * MIB), Mode::Create).unwrap_err();
    assert_eq!(s3(&server.url()).head("object").unwrap(), None);
}

#[test]
fn a_stream_becomes_the_object_that_it_is_whatever_its_length() {
    for len in [0, 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1, 100 * MIB] {
        let memory = MemoryRemote::default();
        let remote: Arc<dyn Remote> = Arc::new(memory.clone());
        let bytes = content(len);
        let uploaded = upload(&remote, &bytes, Mode::Create).unwrap();
        assert_eq!(uploaded.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
        assert_eq!(uploaded.parts as usize, len.div_ceil(16 * MIB).max(1), "{len}");
        assert!(memory.content("object").unwrap() == bytes, "{len}");
        assert!(download(&remote).unwrap() == bytes, "{len}");
        assert!(matches!(upload(&remote, &bytes, Mode::Create), Err(Error::Exists { .. })));
        assert!(memory.content("object").unwrap() == bytes, "{len}");
        assert_eq!(memory.open_uploads(), 0, "{len}");
    }
}

#[test]
fn whatever_call_fails_nothing_is_to_be_seen_and_no_part_stays() {
    let bytes = content(40 * MIB);
    let calls = {
        let memory = MemoryRemote::default();
        memory.fail(u64::MAX, RemoteFault::Refused);
        upload(&(Arc::new(memory.clone()) as Arc<dyn Remote>), &bytes, Mode::Create).unwrap();
        memory.calls()
    };
    assert_eq!(calls, 5, "begin, three parts, complete");
    for n in 1..=calls {
        let memory = MemoryRemote::default();
        memory.fail(n, RemoteFault::Refused);
        upload(&(Arc::new(memory.clone()) as Arc<dyn Remote>), &bytes, Mode::Create).unwrap_err();
        assert!(memory.keys().is_empty(), "call {n}");
        assert_eq!(memory.open_uploads(), 0, "call {n}");
    }
}

#[test]
fn an_upload_that_is_dropped_or_given_up_leaves_nothing() {
    for is_dropped in [true, false] {
        let memory = MemoryRemote::default();
        let mut upload = Upload::new(Arc::new(memory.clone()), "object", Mode::Create);
        upload.write_all(&content(40 * MIB)).unwrap();
        assert_eq!(memory.open_uploads(), 1);
        if is_dropped {
            drop(upload);
        } else {
            upload.abort().unwrap();
        }
        assert!(memory.keys().is_empty());
        assert_eq!(memory.open_uploads(), 0);
    }
}

#[test]
fn answers_that_break_off_are_asked_for_again_and_an_object_that_is_replaced_is_an_error() {
    let memory = MemoryRemote::default();
    let remote: Arc<dyn Remote> = Arc::new(memory.clone());
    let bytes = content(20 * MIB);
    upload(&remote, &bytes, Mode::Create).unwrap();
    let meta = remote.head("object").unwrap().unwrap();
    for n in 1..=3 {
        memory.fail(n, RemoteFault::Cut);
        let mut read = Vec::new();
        Download::new(Arc::clone(&remote), "object", meta.clone()).read_to_end(&mut read).unwrap();
        assert!(read == bytes, "answer {n}");
        assert_eq!(memory.calls(), 4, "the rest is one more call");
    }
    memory.mend();
    let file = RemoteFile::new(Arc::clone(&remote), "object", meta.clone());
    let mut read = [0; 100];
    for offset in [0, 256 * 1024 - 50, 20 * MIB - 7] {
        let len = file.read_at(&mut read, offset as u64).unwrap();
        assert_eq!(&read[..len], &bytes[offset..offset + len]);
        assert!(len > 0);
    }
    assert_eq!(file.read_at(&mut read, file.len()).unwrap(), 0);
    remote.put("object", b"another", Mode::Replace).unwrap();
    let error = Download::new(Arc::clone(&remote), "object", meta).read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "memory://object was replaced while it was read");
    assert!(matches!(file.read_at(&mut read, 1 << 20), Err(Error::Changed { .. })), "what is not kept is asked for");
}
