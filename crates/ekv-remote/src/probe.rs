//! Whether a store keeps to "only if it is new".

use crate::{Error, Mode, Remote, Result};

/// Writes an object under a key of its own below `prefix` twice, both times only if it is new, and deletes it.
///
/// # Errors
/// A store that lets the second one pass, and would let a dump be overwritten; of the service.
pub fn check_create_only(remote: &dyn Remote, prefix: &str) -> Result<()> {
    let key = format!("{prefix}.ekv-backup-probe-{}", random_name());
    remote.put(&key, b"first", Mode::Create)?;
    let second = remote.put(&key, b"second", Mode::Create);
    let deleted = remote.delete(&key);
    match second {
        Err(Error::Exists { .. }) => deleted,
        Err(error) => Err(error),
        Ok(_) => Err(Error::Unfit {
            place: remote.place(prefix),
            what: "the store overwrites objects although it is told to create new ones only".to_owned(),
        }),
    }
}

/// Sixteen hexadecimal digits that no other run has.
pub(crate) fn random_name() -> String {
    let mut bytes = [0; 8];
    // Without randomness a name may have been used before: it is then refused as one that exists.
    let _ = getrandom::fill(&mut bytes);
    ekv_text::hex::hex(&bytes)
}
