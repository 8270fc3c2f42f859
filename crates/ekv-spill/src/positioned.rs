//! Reading and writing files by position.
//!
//! Where the system has no such calls the position of the file is moved; that is sound for files that one thread alone uses.

use std::fs::File;
use std::io;

/// Fills `buf` from `offset`.
///
/// # Errors
/// The system's, and `UnexpectedEof` for a file that ends before that.
#[cfg(unix)]
pub fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

/// Writes all of `bytes` from `offset` on.
///
/// # Errors
/// The system's.
#[cfg(unix)]
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Fills `buf` from `offset`; moves the position.
///
/// # Errors
/// The system's, and `UnexpectedEof` for a file that ends before that.
#[cfg(not(unix))]
pub fn read_exact_at(mut file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buf)
}

/// Writes all of `bytes` from `offset` on; moves the position.
///
/// # Errors
/// The system's.
#[cfg(not(unix))]
pub fn write_all_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}
