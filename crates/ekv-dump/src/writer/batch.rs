//! A stretch of a dump: steps of writing, with their bytes, that travel together.

use ekv_files::DumpPath;

/// A batch is full with this many bytes of paths and content.
const BATCH_LEN: usize = 256 * 1024;
/// A batch is full with this many steps.
const BATCH_STEPS: usize = 8 * 1024;

/// One step of writing a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A directory.
    Directory(&'a [u8]),
    /// A file begins.
    Begin(&'a [u8]),
    /// Bytes of the open file.
    Write(&'a [u8]),
    /// Zeros of the open file.
    Hole(u64),
    /// The open file ends.
    End,
}

/// Steps in order. Cost: about 400 KiB at most.
#[derive(Default)]
pub(super) struct Batch {
    steps: Vec<(Kind, usize)>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Kind {
    Directory,
    Begin,
    Write,
    Hole(u64),
    End,
}

impl Batch {
    pub(super) fn directory(&mut self, path: &DumpPath) {
        self.push(Kind::Directory, path.as_bytes());
    }

    pub(super) fn begin(&mut self, path: &DumpPath) {
        self.push(Kind::Begin, path.as_bytes());
    }

    /// Takes as many bytes as fit, and answers how many.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let room = BATCH_LEN.saturating_sub(self.bytes.len());
        let fitting = bytes.get(..room).unwrap_or(bytes);
        self.push(Kind::Write, fitting);
        fitting.len()
    }

    pub(super) fn hole(&mut self, len: u64) {
        self.push(Kind::Hole(len), b"");
    }

    pub(super) fn end(&mut self) {
        self.push(Kind::End, b"");
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_LEN || self.steps.len() >= BATCH_STEPS
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.bytes.clear();
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let mut rest = self.bytes.as_slice();
        self.steps.iter().map(move |(kind, len)| {
            let (bytes, after) = rest.split_at_checked(*len).unwrap_or((rest, b""));
            rest = after;
            match kind {
                Kind::Directory => Step::Directory(bytes),
                Kind::Begin => Step::Begin(bytes),
                Kind::Write => Step::Write(bytes),
                Kind::Hole(len) => Step::Hole(*len),
                Kind::End => Step::End,
            }
        })
    }

    fn push(&mut self, kind: Kind, bytes: &[u8]) {
        self.steps.push((kind, bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_back_in_order_with_their_bytes() {
        let mut batch = Batch::default();
        let path = DumpPath::new(b"a/b").unwrap();
        batch.directory(&DumpPath::new(b"a").unwrap());
        batch.begin(&path);
        assert_eq!(batch.write(b"xyz"), 3);
        assert_eq!(batch.write(b""), 0);
        batch.hole(1 << 40);
        batch.end();
        let steps: Vec<Step<'_>> = batch.steps().collect();
        let expected = [
            Step::Directory(b"a"),
            Step::Begin(b"a/b"),
            Step::Write(b"xyz"),
            Step::Write(b""),
            Step::Hole(1 << 40),
            Step::End,
        ];
        assert_eq!(steps, expected);
        batch.clear();
        assert!(batch.steps().next().is_none());
    }

    #[test]
    fn batch_takes_no_more_content_than_fits() {
        let mut batch = Batch::default();
        let long = vec![b'x'; BATCH_LEN + 1];
        assert_eq!(batch.write(&long), BATCH_LEN);
        assert!(batch.is_full());
        assert_eq!(batch.write(&long), 0);
    }
}
