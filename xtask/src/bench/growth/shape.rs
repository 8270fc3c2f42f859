//! Kinds of names, and of inputs, that made work grow faster than the input, or could.

use std::path::Path;

use super::node;
use super::records::{self, BETWEEN, COMMIT_TS, OLD_TS, Records};
use crate::error::Error;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Inspect,
    /// Into a tar.
    Decode,
    DecodeDirectory,
    /// Of a tar that was decoded before.
    EncodeArchive,
}

/// A kind of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    NestedKeys,
    NestedLists,
    NestedFields,
    LongCommonPrefixes,
    ManyLengths,
    ManyGroups,
    DeepDirectories,
    CollidingObjects,
    LongCommonPaths,
    DeepArchive,
    VersionsOfOneKey,
}

impl Shape {
    pub(super) const ALL: [Shape; 11] = [
        Shape::NestedKeys,
        Shape::NestedLists,
        Shape::NestedFields,
        Shape::LongCommonPrefixes,
        Shape::ManyLengths,
        Shape::ManyGroups,
        Shape::DeepDirectories,
        Shape::CollidingObjects,
        Shape::LongCommonPaths,
        Shape::DeepArchive,
        Shape::VersionsOfOneKey,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Shape::NestedKeys => "growth: nested keys",
            Shape::NestedLists => "growth: nested list names",
            Shape::NestedFields => "growth: nested field names",
            Shape::LongCommonPrefixes => "growth: long common prefixes",
            Shape::ManyLengths => "growth: names of many lengths",
            Shape::ManyGroups => "growth: many groups",
            Shape::DeepDirectories => "growth: deep directories",
            Shape::CollidingObjects => "growth: renamed objects",
            Shape::LongCommonPaths => "growth: archive, long paths",
            Shape::DeepArchive => "growth: archive, deep directories",
            Shape::VersionsOfOneKey => "growth: versions of one key",
        }
    }

    pub(super) fn command(self) -> Command {
        match self {
            Shape::DeepDirectories => Command::DecodeDirectory,
            Shape::LongCommonPaths | Shape::DeepArchive => Command::EncodeArchive,
            Shape::VersionsOfOneKey => Command::Inspect,
            _ => Command::Decode,
        }
    }

    /// Writes the input; one of `times` the length of the smallest. Returns its length in bytes.
    pub(super) fn write(self, path: &Path, times: u64) -> Result<u64, Error> {
        // Keys that begin with each other are as long as there are many of them.
        let nested = |count: usize| 1..=count * usize::try_from(times.isqrt()).unwrap_or(1);
        let mut records = Records::default();
        match self {
            Shape::NestedKeys => {
                nested(1_000).for_each(|len| records.expiring_string(&BETWEEN.repeat(len), OLD_TS));
                records.expiring_string(b"new", COMMIT_TS);
            }
            Shape::NestedLists => nested(1_000).for_each(|len| records.list(&[0x80].repeat(len))),
            Shape::NestedFields => {
                records.hash(b"h", &nested(2_000).map(|len| vec![b'f'; len]).collect::<Vec<_>>());
            }
            Shape::LongCommonPrefixes => {
                for i in 0..times * 5_000 {
                    let name = [&b"p".repeat(600)[..], &i.to_be_bytes(), &b"q".repeat(length_of(i))].concat();
                    records.hash(&name, &[b"field".to_vec()]);
                    records.expiry(&name, COMMIT_TS);
                }
            }
            Shape::ManyLengths => {
                for i in 0..times * 10_000 {
                    let name = [&i.to_be_bytes()[..], &b"q".repeat(length_of(i))].concat();
                    records.hash(&name, &[b"field".to_vec()]);
                    records.expiry(&name, COMMIT_TS);
                }
            }
            Shape::ManyGroups => return node::write(path, times * 200),
            Shape::DeepDirectories => objects(&mut records, times * 50, |i| format!("r{i:06}/{}f", "a/".repeat(100))),
            Shape::CollidingObjects => {
                objects(&mut records, times * 5_000, |i| {
                    format!("k{:06}{}", i / 2, if i % 2 == 0 { "" } else { "/x" })
                });
            }
            Shape::LongCommonPaths => {
                let common = vec!["p".repeat(200); 3].join("/");
                objects(&mut records, times * 1_000, |i| format!("{common}/d{i:06}/f"));
            }
            Shape::DeepArchive => objects(&mut records, times * 12, |i| format!("r{i:06}/{}f", "a/".repeat(490))),
            Shape::VersionsOfOneKey => {
                // The key is longer, too.
                let key_len = usize::try_from(times << 14).unwrap_or(0);
                return records::write(path, &records::versions_of_one_key(key_len, times * 4_000));
            }
        }
        records::write(path, &records.into_snapshot())
    }
}

/// A length below 400 that jumps about.
fn length_of(number: u64) -> usize {
    usize::try_from(number.wrapping_mul(2_654_435_761) % 397).unwrap_or(0)
}

fn objects(records: &mut Records, count: u64, key: impl Fn(u64) -> String) {
    records.bucket("b");
    (0..count).for_each(|i| records.object("b", &key(i)));
}
