//! What lies in the directory of a box.

use ekv_model::Protocol;

use crate::layout::in_scope::Role;
use crate::layout::in_scope::{InScope, Misplaced, ScopeRow, check_component};
use crate::segment::{Decoded, decode_segment};
use crate::verify::problem::ProblemKind;
use crate::verify::rules::Rules;

/// The directories of boxes.
pub(crate) const SCOPES: ScopeRow = ScopeRow {
    expected: Misplaced { expected: "directories only, one for each box" },
    check_name: check_component,
    ..ScopeRow::NAMED
};

/// A toy; its name without extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'p>(pub(super) &'p [u8]);

/// End of the name of a file.
pub(super) const EXTENSION: &[u8] = b".toy";

const IN_BOX: Misplaced = Misplaced { expected: "files that end in .toy" };

impl<'p> InScope<'p> for Entry<'p> {
    fn protocol(&self) -> Protocol {
        Protocol::Toy
    }

    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        path.strip_suffix(EXTENSION).filter(|name| !name.contains(&b'/')).map(Entry).ok_or(IN_BOX)
    }

    fn of_directory(_: &'p [u8]) -> Result<Self, Misplaced> {
        Err(IN_BOX)
    }

    fn put_path(&self, put: &mut dyn FnMut(&[&[u8]])) {
        put(&[self.0, EXTENSION]);
    }

    fn is_never_empty(&self) -> bool {
        false
    }

    fn role(&self) -> Role {
        Role::Content
    }

    fn check(&self, _: &Rules) -> Option<ProblemKind> {
        match decode_segment(self.0) {
            Ok(Decoded::Raw(_)) => None,
            Ok(_) => Some(ProblemKind::FallbackWithoutKeymap),
            Err(error) => Some(ProblemKind::Name(error)),
        }
    }
}
