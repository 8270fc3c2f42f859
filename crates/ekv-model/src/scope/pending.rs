//! Names that were given one by one, until something meets them.

use std::collections::BTreeMap;

use crate::Protocol;

/// Names that are looked after; whether further ones are there is not told.
const NAMES_MAX: usize = 10_000;

/// What a name can be met by: a thing, or with `None` a whole scope.
pub(super) type Target = (Protocol, Vec<u8>, Option<Vec<u8>>);

/// Names that were given one by one, and what each can be met by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) names: Vec<String>,
    is_full: bool,
    pub(super) targets: BTreeMap<Target, Vec<usize>>,
}

impl Pending {
    /// Begins a name; its targets follow.
    pub(super) fn add(&mut self, name: impl FnOnce() -> String) {
        self.is_full = self.names.len() >= NAMES_MAX;
        if !self.is_full {
            self.names.push(name());
        }
    }

    pub(super) fn target(&mut self, protocol: Protocol, scope: &[u8], key: Option<&[u8]>) {
        if !self.is_full {
            let target = (protocol, scope.to_vec(), key.map(<[u8]>::to_vec));
            self.targets.entry(target).or_default().push(self.names.len().saturating_sub(1));
        }
    }
}
