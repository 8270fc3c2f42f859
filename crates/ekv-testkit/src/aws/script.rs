//! An endpoint that answers as a test wants it: what no emulator does.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::http::{Answered, ask, read_head, value_of};

/// Longest body that is kept, in bytes; of a longer one the rest is read and thrown away.
const BODY_LEN_MAX: u64 = 32 << 20;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Number of the request, from 0.
    pub number: usize,
    /// Method.
    pub method: String,
    /// Path with its query, as it was sent.
    pub uri: String,
    /// Header names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// Beginning of the body: its first 32 MiB.
    pub body: Vec<u8>,
    /// Length of the whole body in bytes.
    pub body_len: u64,
}

impl Asked {
    /// Value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    /// The call of a service that is asked in JSON, such as `SendMessageBatch`; empty for S3.
    pub fn call(&self) -> &str {
        self.header("x-amz-target").and_then(|target| target.split_once('.')).map_or("", |(_, call)| call)
    }

    /// The body as a JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What the server at `port` of this machine answers to the same request.
    pub fn forwarded(&self, port: u16) -> Told {
        let Answered { status, mut headers, body } =
            ask(port, &self.method, &self.uri, &self.headers, &self.body).unwrap();
        headers.retain(|(name, _)| !["connection", "transfer-encoding"].contains(&name.as_str()));
        Told::Whole { status, headers, body }
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Told {
    /// An answer.
    #[expect(missing_docs, reason = "their names say it")]
    Whole { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// The answer, of which only so many bytes of head and body arrive.
    Cut(Box<Told>, usize),
    /// The connection is closed without a byte.
    Nothing,
    /// Nothing, and the connection stays open until the endpoint ends.
    Never,
}

impl Told {
    /// A document in JSON.
    pub fn json(status: u16, body: &Value) -> Told {
        Told::text(status, "application/x-amz-json-1.0", &body.to_string())
    }

    /// A document in XML.
    pub fn xml(status: u16, body: &str) -> Told {
        Told::text(status, "application/xml", body)
    }

    /// The refusal of a service that speaks JSON.
    pub fn fault(status: u16, code: &str) -> Told {
        Told::json(status, &json!({ "__type": code, "message": "scripted" }))
    }

    /// The same with another header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Told {
        if let Told::Whole { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Of the same only the first bytes.
    #[must_use]
    pub fn cut(self, len: usize) -> Told {
        Told::Cut(Box::new(self), len)
    }

    fn text(status: u16, kind: &str, body: &str) -> Told {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Told::Whole { status, headers, body: body.as_bytes().to_vec() }
    }

    /// Head and body as they go over the wire.
    fn bytes(&self, asked: &Asked) -> Vec<u8> {
        match self {
            Told::Whole { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\n");
                headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
                if value_of(headers, "content-length").is_none() {
                    head.push_str(&format!("content-length: {}\r\n", body.len()));
                }
                head.push_str("\r\n");
                let body: &[u8] = if asked.method == "HEAD" { &[] } else { body };
                [head.as_bytes(), body].concat()
            }
            Told::Cut(told, len) => {
                let mut bytes = told.bytes(asked);
                bytes.truncate(*len);
                bytes
            }
            Told::Nothing | Told::Never => Vec::new(),
        }
    }
}

/// An endpoint of one thread: one request after the other, each on a connection of its own.
pub struct ScriptedAws {
    port: u16,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptedAws {
    /// Starts an endpoint whose answers `script` gives.
    pub fn start(mut script: impl FnMut(&Asked) -> Told + Send + 'static) -> ScriptedAws {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ends = Arc::new(AtomicBool::new(false));
        let is_ending = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let mut silent = Vec::new();
            for (number, stream) in listener.incoming().enumerate() {
                if is_ending.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever goes away in the middle is answered no more.
                let _ = answer(stream.unwrap(), number, &mut script).map(|kept| silent.extend(kept));
            }
        });
        ScriptedAws { port, ends, thread: Some(thread) }
    }

    /// Its address, for `--endpoint-url`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for ScriptedAws {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Its own connection wakes it up.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the script failed");
        }
    }
}

/// Answers the one request of a connection; gives the connection back if it stays open.
fn answer(
    mut stream: TcpStream,
    number: usize,
    script: &mut impl FnMut(&Asked) -> Told,
) -> io::Result<Option<TcpStream>> {
    let mut reader = BufReader::with_capacity(1 << 20, stream.try_clone()?);
    let Some((first, headers)) = read_head(&mut reader)? else { return Ok(None) };
    let body_len = value_of(&headers, "content-length").map_or(0, |len| len.parse().unwrap());
    let mut body = Vec::new();
    reader.by_ref().take(body_len.min(BODY_LEN_MAX)).read_to_end(&mut body)?;
    let rest = io::copy(&mut reader.take(body_len.saturating_sub(BODY_LEN_MAX)), &mut io::sink())?;
    if u64::try_from(body.len()).unwrap() + rest != body_len {
        return Ok(None);
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, uri) = (words.next().unwrap(), words.next().unwrap());
    let asked = Asked { number, method, uri, headers, body, body_len };
    let told = script(&asked);
    if matches!(told, Told::Never) {
        return Ok(Some(stream));
    }
    stream.write_all(&told.bytes(&asked))?;
    stream.shutdown(Shutdown::Both)?;
    Ok(None)
}

/// What `BatchWriteItem` answers that leaves those items undone whose places `is_left` names.
pub fn batch_write(asked: &Asked, mut is_left: impl FnMut(usize) -> bool) -> Told {
    let mut question = asked.json();
    let mut place = 0;
    let tables = question["RequestItems"].as_object_mut().unwrap();
    for items in tables.values_mut() {
        items.as_array_mut().unwrap().retain(|_| {
            place += 1;
            is_left(place - 1)
        });
    }
    tables.retain(|_, items| !items.as_array().unwrap().is_empty());
    Told::json(200, &json!({ "UnprocessedItems": tables }))
}

/// What `SendMessageBatch` answers that refuses those messages for which `fault` gives a code, and whether the sender is to blame.
pub fn send_batch(asked: &Asked, mut fault: impl FnMut(usize) -> Option<(&'static str, bool)>) -> Told {
    let question = asked.json();
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (place, entry) in question["Entries"].as_array().unwrap().iter().enumerate() {
        match fault(place) {
            Some((code, sender_fault)) => {
                failed.push(
                    json!({ "Id": entry["Id"], "Code": code, "SenderFault": sender_fault, "Message": "scripted" }),
                );
            }
            None => {
                let sum = Md5::digest(entry["MessageBody"].as_str().unwrap());
                let md5: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
                successful.push(json!({ "Id": entry["Id"], "MessageId": format!("{place}"), "MD5OfMessageBody": md5 }));
            }
        }
    }
    Told::json(200, &json!({ "Successful": successful, "Failed": failed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(port: u16, body: &str) -> io::Result<Answered> {
        ask(port, "POST", "/", &[], body.as_bytes())
    }

    #[test]
    fn answers_come_whole_cut_or_not_at_all() {
        let whole = || Told::json(200, &json!({"a": 1}));
        let server = ScriptedAws::start(move |asked| match asked.number {
            0 => whole(),
            1 => whole().cut(20),
            2 => Told::Nothing,
            _ => Told::Never,
        });
        assert_eq!(asked(server.port, "x").unwrap().json()["a"], 1);
        assert!(asked(server.port, "").is_err());
        assert!(asked(server.port, "").is_err());
        let mut silent = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        silent.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        drop(server);
        // Only its end ends the silence.
        assert_eq!(silent.read(&mut [0; 1]).unwrap_or(0), 0);
    }

    #[test]
    fn batches_are_taken_in_any_split() {
        let server = ScriptedAws::start(|asked| match asked.json().get("Entries") {
            Some(_) => send_batch(asked, |place| (place == 1).then_some(("InternalError", false))),
            None => batch_write(asked, |place| place == 1),
        });
        let items = r#"{"RequestItems":{"t":[{"a":0},{"a":1},{"a":2}]}}"#;
        let left = asked(server.port, items).unwrap().json();
        assert_eq!(left, json!({"UnprocessedItems": {"t": [{"a": 1}]}}));
        let messages = r#"{"Entries":[{"Id":"x","MessageBody":"a"},{"Id":"y","MessageBody":"b"}]}"#;
        let sent = asked(server.port, messages).unwrap().json();
        assert_eq!(sent["Successful"][0]["MD5OfMessageBody"], "0cc175b9c0f1b6a831c399e269772661");
        assert_eq!(sent["Failed"][0]["Id"], "y");
    }
}
