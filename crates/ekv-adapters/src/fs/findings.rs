//! What can be odd or damaged about the records of the file system. Source: `docs/format/fs.md`, section 5.

#![expect(missing_docs, reason = "each finding carries its meaning")]

use ekv_model::{Finding, findings};

/// How examples begin that name an inode without a path.
pub(super) const INODE: &[u8] = b"inode ";

findings! {
    // Losses: the one file is left out, or the directory with all that is in it.
    pub const DANGLING_ENTRY: Finding = Finding::loss("fs_dangling_entry", "names of which the file or directory is missing");
    pub const INVALID_ENTRY: Finding = Finding::loss("fs_invalid_entry", "names whose record does not parse");
    pub const INVALID_INODE: Finding =
        Finding::loss("fs_invalid_inode", "files and directories whose record does not parse; with all that is in them");
    pub const INODE_MISMATCH: Finding =
        Finding::loss("fs_inode_mismatch", "files and directories whose record has the number of another");
    pub const ILLEGAL_NAME: Finding =
        Finding::loss("fs_illegal_name", "names that no directory can have: empty, . or .., with a slash or a NUL byte");
    pub const LONG_PATH: Finding = Finding::loss("fs_path_too_long", "names whose path has more than 4 MiB");
    pub const DIRECTORY_LOOP: Finding =
        Finding::loss("fs_directory_loop", "further names of a directory that has one already, perhaps in itself");
    pub const ROOT_NOT_DIRECTORY: Finding =
        Finding::loss("fs_root_not_directory", "the root is no directory: nothing is reached");
    pub const DAMAGED_CHUNK: Finding =
        Finding::loss("fs_damaged_chunk", "files of which a stored part is damaged or cannot be decrypted");

    // Warnings: nothing is missing of what clients see.
    pub const ROOT_MISSING: Finding =
        Finding::warning("fs_root_missing", "the root has no record; it gets the one that the next mount would have made");
    pub const TYPE_MISMATCH: Finding =
        Finding::warning("fs_type_mismatch", "names that say another type than what they name; that counts");
    pub const UNKNOWN_TYPE: Finding =
        Finding::warning("fs_unknown_type", "files of a type that this version does not know; they are files, and keep its name");
    pub const UNKNOWN_FIELDS: Finding = Finding::warning(
        "fs_unknown_fields",
        "files and directories with members that this version does not know; they are kept in entries.jsonl",
    );
    pub const PARENT_MISMATCH: Finding =
        Finding::warning("fs_parent_mismatch", "files and directories whose record says another directory; the name counts");
    pub const ODD_MODE: Finding = Finding::warning("fs_odd_mode", "modes with bits beyond 07777; they are kept in entries.jsonl");
    pub const NLINK_MISMATCH: Finding =
        Finding::warning("fs_nlink_mismatch", "numbers of names that are not those that were counted; they are kept");
    pub const HOME_MISMATCH: Finding = Finding::warning(
        "fs_home_mismatch",
        "files whose home is missing, another one, or moving: clients read them, and some cannot write them",
    );
    pub const IGNORED_CHUNKS: Finding = Finding::warning(
        "fs_ignored_chunks",
        "stored parts that no client sees: beyond the end of a file or of a chunk, or left at an earlier home",
    );
    pub const IGNORED_SIZE: Finding = Finding::warning("fs_directory_size", "directories with a length, which means nothing");
    pub const UNLINKED_OPEN: Finding = Finding::warning(
        "fs_unlinked_open",
        "files without a name that a process held open, or that were being removed; --include-orphans writes them",
    );
    pub const LOST_INODE: Finding = Finding::warning(
        "fs_lost_inode",
        "files and directories that no name leads to; --include-orphans writes them",
    );
    pub const ORPHAN_CHUNKS: Finding =
        Finding::warning("fs_orphan_chunks", "stored parts of which there is no file; --include-orphans writes them");
    pub const MALFORMED_KEY: Finding =
        Finding::loss("fs_malformed_key", "records whose key does not parse: whatever they hold is missing");
    pub const USAGE_MISMATCH: Finding = Finding::warning(
        "fs_usage_mismatch",
        "the store counts other files and bytes than there are: a part may be missing; of groups read at different moments it may be nothing",
    );
}

// On the way back, of what is no oddity of a snapshot.
pub const MODE_MASKED: Finding = Finding::warning(
    "fs_mode_masked",
    "modes with bits beyond 07777, which no server takes; they are restored without these",
);
pub const CHUNK_SIZE_CHANGED: Finding = Finding::warning(
    "fs_chunk_size_changed",
    "files with chunks of more than 64 MiB, which are restored with chunks of 4 MiB",
);
