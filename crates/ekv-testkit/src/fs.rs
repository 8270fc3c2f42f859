//! Records of a file system. Source: `docs/format/fs.md`, section 2.

/// Number of the root.
pub const ROOT: u64 = 1;

/// The key of a record of an inode.
pub fn id_key(prefix: &str, id: u64) -> Vec<u8> {
    [prefix.as_bytes(), &id.to_be_bytes()].concat()
}

/// The key of a part of a file at its home.
pub fn chunk_key(home: u64, inode: u64, index: u64) -> Vec<u8> {
    [&id_key("!fs|chk|", home)[..], &inode.to_be_bytes(), &index.to_be_bytes()].concat()
}

/// The key of a name in a directory.
pub fn dir_key(directory: u64, name: &[u8]) -> Vec<u8> {
    let mut key = id_key("!fs|dir|", directory);
    for byte in name {
        key.push(*byte);
        if *byte == 0 {
            key.push(0xff);
        }
    }
    [key.as_slice(), &[0, 0]].concat()
}

/// What is stored of an inode; fields can be replaced in the text.
pub fn inode(id: u64, parent: u64, kind: &str, size: u64, nlink: u32) -> String {
    format!(
        r#"{{"inode":{id},"parent":{parent},"type":"{kind}","mode":420,"uid":1,"gid":2,"size":{size},"atime_nsec":1,"mtime_nsec":-2,"ctime_nsec":3,"chunk_size":4194304,"home_slot":{id},"epoch":1,"nlink":{nlink},"generation":1}}"#
    )
}
