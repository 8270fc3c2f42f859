//! The commands that write.

use super::subject::Kind;

/// A command that writes, with words that name inputs (`inputs.rs`) and its target.
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The input that lies at the target as an older output.
    pub(super) old: Option<&'static str>,
    pub(super) words: &'static str,
}

impl Plan {
    const fn new(name: &'static str, kind: Kind, old: Option<&'static str>, words: &'static str) -> Plan {
        Plan { name, kind, old, words }
    }
}

pub(super) const DECODE: Plan = Plan::new("decode", Kind::Dump, None, "decode snapshot out");
pub(super) const DECODE_REPLACING: Plan =
    Plan::new("decode --force", Kind::Dump, Some("old-dump"), "decode --force snapshot out");
pub(super) const DECODE_TO_ARCHIVE: Plan =
    Plan::new("decode to an archive", Kind::Archive, None, "decode --compression none snapshot out");
pub(super) const DECODE_TO_ARCHIVE_REPLACING: Plan = Plan::new(
    "decode --force to an archive",
    Kind::Archive,
    Some("old-archive"),
    "decode --force --compression zstd snapshot out",
);
pub(super) const PACK: Plan = Plan::new("pack", Kind::Archive, None, "pack dump out");
pub(super) const PACK_REPLACING: Plan =
    Plan::new("pack --force", Kind::Archive, Some("old-archive"), "pack --force --compression none dump out");
pub(super) const UNPACK: Plan = Plan::new("unpack", Kind::Dump, None, "unpack archive out");
pub(super) const UNPACK_REPLACING: Plan =
    Plan::new("unpack --force", Kind::Dump, Some("old-dump"), "unpack --force archive out");
pub(super) const ENCODE: Plan = Plan::new("encode", Kind::Payload, None, "encode dump out");
pub(super) const ENCODE_REPLACING: Plan =
    Plan::new("encode --force", Kind::Payload, Some("old-payload"), "encode --force dump out");
pub(super) const RESTORE: Plan =
    Plan::new("restore", Kind::Node, None, "restore --fresh-cluster --peers n1=127.0.0.1:2380 dump out");
pub(super) const PREPARE_RESTORE: Plan = Plan::new(
    "prepare-restore",
    Kind::Node,
    None,
    "prepare-restore --fresh-cluster --peers n1=127.0.0.1:2380 payload out",
);
pub(super) const CHECKSUMS: Plan = Plan::new("checksums", Kind::Checksums, Some("old-dump"), "checksums out");

/// All of them.
pub(super) const ALL: [&Plan; 13] = [
    &DECODE,
    &DECODE_REPLACING,
    &DECODE_TO_ARCHIVE,
    &DECODE_TO_ARCHIVE_REPLACING,
    &PACK,
    &PACK_REPLACING,
    &UNPACK,
    &UNPACK_REPLACING,
    &ENCODE,
    &ENCODE_REPLACING,
    &RESTORE,
    &PREPARE_RESTORE,
    &CHECKSUMS,
];
