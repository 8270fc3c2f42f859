//! User keys of toys.

use crate::Family;

/// Splits a user key into the names of box and toy.
pub(super) fn parse(user_key: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = user_key.strip_prefix(Family::Toy.prefix())?;
    let (of, name) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'|')?)?;
    let name = name.strip_prefix(b"|")?;
    (!of.is_empty() && !name.is_empty()).then_some((of, name))
}

/// The user key of a toy.
pub(super) fn toy(of: &[u8], name: &[u8]) -> Vec<u8> {
    [Family::Toy.prefix(), of, b"|", name].concat()
}
