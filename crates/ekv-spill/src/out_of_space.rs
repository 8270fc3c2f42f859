//! Tells a full disk from every other failure.

use std::error::Error as StdError;
use std::io;

/// Windows `ERROR_DISK_FULL`.
const WINDOWS_DISK_FULL: i32 = 112;
/// Windows `ERROR_HANDLE_DISK_FULL`.
const WINDOWS_HANDLE_DISK_FULL: i32 = 39;
/// `ENOSPC`, which C libraries on Windows also return.
const ENOSPC: i32 = 28;

/// Whether any error of the cause chain says that the disk is full, a quota is used up, or a file would be larger than the file system or
/// the limits of the process (`ulimit -f`) allow.
///
/// Source: `docs/format/tree.md`, section 8.5. Unix: `ENOSPC`, `EDQUOT` and `EFBIG`; Windows: 112, 39 and `ENOSPC`.
pub fn is_out_of_space(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        if let Some(io_error) = error.downcast_ref::<io::Error>() {
            if means_full(io_error) {
                return true;
            }
            // `io::Error::source` skips the error it wraps and answers that one's source.
            if let Some(inner) = io_error.get_ref() {
                next = Some(inner);
            }
        }
    }
    false
}

fn means_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
        || (cfg!(windows) && error.raw_os_error().is_some_and(is_windows_full_code))
}

fn is_windows_full_code(code: i32) -> bool {
    matches!(code, WINDOWS_DISK_FULL | WINDOWS_HANDLE_DISK_FULL | ENOSPC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Operation};

    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    const EDQUOT: i32 = if cfg!(target_os = "linux") { 122 } else { 69 };
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    const EFBIG: i32 = 27;

    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    #[test]
    fn full_disk_used_up_quota_and_too_large_a_file_are_out_of_space_and_nothing_else_is() {
        for code in 1..200 {
            let expected = [ENOSPC, EDQUOT, EFBIG].contains(&code);
            assert_eq!(is_out_of_space(&io::Error::from_raw_os_error(code)), expected, "code {code}");
        }
    }

    #[test]
    fn windows_codes_are_the_two_disk_full_codes_and_enospc() {
        let full: Vec<i32> = (0..2000).filter(|code| is_windows_full_code(*code)).collect();
        assert_eq!(full, [28, 39, 112]);
    }

    #[test]
    fn cause_is_found_below_other_errors_and_inside_io_errors() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let spill = Error::Io { operation: Operation::Write, place: String::new(), source: full() };
        assert!(is_out_of_space(&spill));
        assert!(is_out_of_space(&io::Error::other(full())));
        assert!(is_out_of_space(&io::Error::other(io::Error::other(spill))));
        assert!(!is_out_of_space(&io::Error::other(io::Error::other("no space"))));
    }
}
