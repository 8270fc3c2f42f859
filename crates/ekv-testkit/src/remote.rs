//! An object store in memory, which fails where a test wants it, and what every store must hold.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ekv_remote::{Error, Listed, Meta, Mode, PartTag, Parts, Remote, Result};
use jiff::Timestamp;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteFault {
    /// The call is refused, and nothing happens.
    Refused,
    /// The call does what it should, and its answer is lost.
    Unanswered,
    /// Of what is read only half arrives; other calls are refused.
    Cut,
}

/// An object store in memory.
#[derive(Clone, Default)]
pub struct MemoryRemote(Arc<Memory>);

#[derive(Default)]
struct Memory {
    /// By key.
    objects: Mutex<BTreeMap<String, Object>>,
    /// Parts by the number of their upload.
    uploads: Mutex<BTreeMap<u64, BTreeMap<u32, Vec<u8>>>>,
    calls: AtomicU64,
    names: AtomicU64,
    /// When what is written now is written.
    now: Mutex<Option<Timestamp>>,
    /// Which call fails, counted from 1, and how.
    fault: Mutex<Option<(u64, RemoteFault)>>,
}

#[derive(Clone)]
struct Object {
    content: Vec<u8>,
    tag: String,
    modified: Option<Timestamp>,
}

impl MemoryRemote {
    /// What is written from now on is written at this time.
    pub fn set_now(&self, now: Timestamp) {
        *self.0.now.lock().unwrap() = Some(now);
    }

    /// From now on the `n`-th call, counted from 1, fails.
    pub fn fail(&self, n: u64, fault: RemoteFault) {
        self.0.calls.store(0, Ordering::SeqCst);
        *self.0.fault.lock().unwrap() = Some((n, fault));
    }

    /// No call fails any more.
    pub fn mend(&self) {
        *self.0.fault.lock().unwrap() = None;
    }

    /// Calls since the last [`MemoryRemote::fail`].
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// The content of an object.
    pub fn content(&self, key: &str) -> Option<Vec<u8>> {
        self.0.objects.lock().unwrap().get(key).map(|object| object.content.clone())
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.0.objects.lock().unwrap().keys().cloned().collect()
    }

    /// Uploads that are neither complete nor forgotten.
    pub fn open_uploads(&self) -> usize {
        self.0.uploads.lock().unwrap().len()
    }

    /// Does what a call does, unless it is the one that fails.
    fn call<T>(&self, key: &str, does: impl FnOnce() -> Result<T>) -> Result<T> {
        let n = self.0.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = self.0.fault.lock().unwrap().filter(|(at, _)| *at == n).map(|(_, fault)| fault);
        let broken = || Error::Unfit { place: self.place(key), what: "the connection broke".to_owned() };
        match fault {
            None => does(),
            Some(RemoteFault::Unanswered) => does().and_then(|_| Err(broken())),
            Some(RemoteFault::Refused | RemoteFault::Cut) => Err(broken()),
        }
    }

    fn insert(&self, key: &str, content: Vec<u8>, mode: Mode) -> Result<Meta> {
        let mut objects = self.0.objects.lock().unwrap();
        if mode == Mode::Create && objects.contains_key(key) {
            return Err(Error::Exists { place: self.place(key) });
        }
        let meta = Meta { len: content.len().try_into().unwrap(), tag: self.name().to_string() };
        let modified = *self.0.now.lock().unwrap();
        objects.insert(key.to_owned(), Object { content, tag: meta.tag.clone(), modified });
        Ok(meta)
    }

    fn name(&self) -> u64 {
        self.0.names.fetch_add(1, Ordering::SeqCst)
    }
}

fn meta(Object { content, tag, .. }: &Object) -> Meta {
    Meta { len: content.len().try_into().unwrap(), tag: tag.clone() }
}

impl Remote for MemoryRemote {
    fn place(&self, key: &str) -> String {
        format!("memory://{key}")
    }

    fn head(&self, key: &str) -> Result<Option<Meta>> {
        self.call(key, || Ok(self.0.objects.lock().unwrap().get(key).map(meta)))
    }

    fn get(&self, key: &str, range: Range<u64>, tag: &str) -> Result<Box<dyn Read + Send>> {
        let n = self.0.calls.load(Ordering::SeqCst) + 1;
        let is_cut = *self.0.fault.lock().unwrap() == Some((n, RemoteFault::Cut));
        let read = || {
            let objects = self.0.objects.lock().unwrap();
            let Object { content, tag: own, .. } =
                objects.get(key).ok_or_else(|| Error::Missing { place: self.place(key) })?;
            if own != tag {
                return Err(Error::Changed { place: self.place(key) });
            }
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            let mut bytes = content[range].to_vec();
            bytes.truncate(if is_cut { bytes.len() / 2 } else { bytes.len() });
            let read: Box<dyn Read + Send> = Box::new(Cursor::new(bytes));
            Ok(read)
        };
        if is_cut {
            self.0.calls.fetch_add(1, Ordering::SeqCst);
            return read();
        }
        self.call(key, read)
    }

    fn put(&self, key: &str, bytes: &[u8], mode: Mode) -> Result<Meta> {
        self.call(key, || self.insert(key, bytes.to_vec(), mode))
    }

    fn begin(&self, key: &str, mode: Mode) -> Result<Box<dyn Parts>> {
        self.call(key, || {
            let upload = self.name();
            self.0.uploads.lock().unwrap().insert(upload, BTreeMap::new());
            let parts: Box<dyn Parts> =
                Box::new(MemoryParts { remote: self.clone(), key: key.to_owned(), upload, mode });
            Ok(parts)
        })
    }

    fn list(&self, prefix: &str, take: &mut dyn FnMut(Listed) -> Result<bool>) -> Result<()> {
        let objects = self.call(prefix, || Ok(self.0.objects.lock().unwrap().clone()))?;
        for (key, object) in objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            if !take(Listed { key: key.clone(), meta: meta(object), modified: object.modified })? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.call(key, || {
            self.0.objects.lock().unwrap().remove(key);
            Ok(())
        })
    }
}

struct MemoryParts {
    remote: MemoryRemote,
    key: String,
    upload: u64,
    mode: Mode,
}

impl Parts for MemoryParts {
    fn put(&self, number: u32, bytes: &[u8]) -> Result<PartTag> {
        self.remote.call(&self.key, || {
            let mut uploads = self.remote.0.uploads.lock().unwrap();
            uploads.get_mut(&self.upload).unwrap().insert(number, bytes.to_vec());
            Ok(PartTag { number, len: bytes.len().try_into().unwrap(), tag: number.to_string(), sha256: None })
        })
    }

    fn complete(&self, parts: &[PartTag]) -> Result<Meta> {
        self.remote.call(&self.key, || {
            let all = self.remote.0.uploads.lock().unwrap().remove(&self.upload).unwrap();
            assert!(parts.iter().map(|part| part.number).eq(all.keys().copied()), "{parts:?}");
            self.remote.insert(&self.key, all.into_values().flatten().collect(), self.mode)
        })
    }

    fn abort(&self) -> Result<()> {
        self.remote.call(&self.key, || {
            self.remote.0.uploads.lock().unwrap().remove(&self.upload);
            Ok(())
        })
    }
}

/// What every store must hold: nothing is to be seen before it is whole, what must be new never replaces, what is read is of the object that was
/// found, and keys are taken to the letter.
pub fn remote_conformance(remote: &Arc<dyn Remote>) {
    let keys = ["p/a", "p/a//b", "p/dir/", "p/é ?#%20+&=", "p/q/../x", "q"];
    for key in keys {
        let meta = remote.put(key, key.as_bytes(), Mode::Create).unwrap();
        assert!(matches!(remote.put(key, b"other", Mode::Create), Err(Error::Exists { .. })), "{key}");
        assert_eq!(remote.head(key).unwrap(), Some(meta.clone()), "{key}");
        assert_eq!(read(remote.as_ref(), key, 0..meta.len, &meta.tag), key.as_bytes(), "{key}");
    }
    let mut listed = Vec::new();
    remote
        .list("p/", &mut |object| {
            listed.push(object.key);
            Ok(true)
        })
        .unwrap();
    let mut expected: Vec<&str> = keys.into_iter().filter(|key| key.starts_with("p/")).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let mut first = Vec::new();
    remote
        .list("p/", &mut |object| {
            first.push(object.key);
            Ok(false)
        })
        .unwrap();
    assert_eq!(first, ["p/a"]);

    let before = remote.head("q").unwrap().unwrap();
    let after = remote.put("q", b"0123456789", Mode::Replace).unwrap();
    assert!(matches!(remote.get("q", 0..1, &before.tag).err(), Some(Error::Changed { .. })));
    assert_eq!(read(remote.as_ref(), "q", 3..5, &after.tag), b"34");
    assert!(matches!(remote.get("none", 0..1, &after.tag).err(), Some(Error::Missing { .. })));
    assert_eq!(remote.head("none").unwrap(), None);

    let part = vec![7; 5 << 20];
    let parts = remote.begin("big", Mode::Create).unwrap();
    let done = [parts.put(1, &part).unwrap(), parts.put(2, b"end").unwrap()];
    assert_eq!(remote.head("big").unwrap(), None, "parts are not to be seen");
    let big = parts.complete(&done).unwrap();
    assert_eq!((remote.head("big").unwrap().as_ref(), big.len), (Some(&big), (5 << 20) + 3));
    assert_eq!(read(remote.as_ref(), "big", (5 << 20) - 1..big.len, &big.tag), b"\x07end");
    let parts = remote.begin("big", Mode::Create).unwrap();
    let done = [parts.put(1, b"late").unwrap()];
    assert!(matches!(parts.complete(&done), Err(Error::Exists { .. })));
    parts.abort().unwrap();
    let parts = remote.begin("given-up", Mode::Create).unwrap();
    parts.put(1, b"part").unwrap();
    parts.abort().unwrap();
    assert_eq!(remote.head("given-up").unwrap(), None);

    for key in keys.into_iter().chain(["big", "none"]) {
        remote.delete(key).unwrap();
        assert_eq!(remote.head(key).unwrap(), None, "{key}");
    }
}

fn read(remote: &dyn Remote, key: &str, range: Range<u64>, tag: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    remote.get(key, range, tag).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}
