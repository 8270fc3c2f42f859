//! Names that cannot be in one dump.

/// Finds names that are taken among the files of a dump: the same path twice, and a file where another one needs a directory.
///
/// Takes paths in ascending byte order. Cost: one path, and a number for each byte of it.
#[derive(Default)]
pub(crate) struct TakenNames {
    last: Vec<u8>,
    /// Lengths of the files whose paths are a beginning of `last`, ascending.
    beginnings: Vec<usize>,
}

impl TakenNames {
    /// Takes the next file; answers whether its name is taken, or is below that of a file.
    pub(crate) fn is_taken(&mut self, path: &[u8]) -> bool {
        let common_len = self.last.iter().zip(path).take_while(|(a, b)| a == b).count();
        while self.beginnings.last().is_some_and(|len| *len > common_len) {
            self.beginnings.pop();
        }
        let is_taken = self.beginnings.iter().any(|len| matches!(path.get(*len), None | Some(b'/')));
        self.beginnings.push(path.len());
        self.last.clear();
        self.last.extend_from_slice(path);
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken<'p>(paths: &[&'p str]) -> Vec<&'p str> {
        let mut names = TakenNames::default();
        paths.iter().copied().filter(|path| names.is_taken(path.as_bytes())).collect()
    }

    #[test]
    fn repeated_names_and_files_below_files_are_found_whatever_stands_between() {
        assert_eq!(taken(&["a", "a", "b"]), ["a"]);
        assert_eq!(taken(&["a", "a-", "a-/b", "a/b", "a0"]), ["a-/b", "a/b"]);
        assert_eq!(taken(&["d", "d-", "d-x", "d/e/f", "d/e/f/g"]), ["d/e/f", "d/e/f/g"]);
    }

    #[test]
    fn names_that_only_begin_alike_are_free() {
        assert!(taken(&["a", "a-", "a-b", "a.b", "a0", "ab", "b/a", "b/a-/x", "b/ab", "c"]).is_empty());
    }
}
