//! Sound dumps pass; every single fault is found.

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod directory;
mod integrity;
mod redis;
mod s3;
mod structure;
mod tree;
