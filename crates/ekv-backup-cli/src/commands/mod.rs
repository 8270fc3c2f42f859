//! One file per command: options in, library call, report out.

pub(crate) mod clean;
pub(crate) mod decode;
pub(crate) mod documents;
pub(crate) mod encode;
pub(crate) mod inspect;
pub(crate) mod prepare_restore;
pub(crate) mod text;
pub(crate) mod verify;
