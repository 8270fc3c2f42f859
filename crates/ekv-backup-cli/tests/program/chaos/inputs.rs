//! What the commands read.

use std::path::PathBuf;

use ekv_testkit::fixtures::ALL_3;

use crate::support::{Room, small_snapshot};

/// How much the inputs hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    /// Four strings, one of which does not fit into a buffer: few enough calls to try each.
    Little,
    /// A real snapshot of all protocols.
    Much,
}

/// Inputs with what they are made of, and how.
const RECIPES: [(&str, &str, &str); 6] = [
    ("dump", "snapshot", "decode snapshot dump --adapter redis,sqs,dynamodb --fsync none"),
    ("payload", "dump", "encode dump payload --fsync none"),
    ("archive", "dump", "pack dump archive --fsync none"),
    ("old-dump", "old-snapshot", "decode old-snapshot old-dump --fsync none"),
    ("old-payload", "old-dump", "encode old-dump old-payload --fsync none"),
    ("old-archive", "old-dump", "pack old-dump old-archive --fsync none"),
];

/// Inputs by name, made where they are asked for.
pub(super) struct Inputs {
    pub(super) room: Room,
    data: Data,
}

impl Inputs {
    pub(super) fn new(data: Data) -> Inputs {
        Inputs { room: Room::in_memory(), data }
    }

    /// The path of an input; `None` if no input has this name.
    pub(super) fn provide(&self, name: &str) -> Option<PathBuf> {
        let path = self.room.path(name);
        if path.exists() {
            return Some(path);
        }
        match (name, RECIPES.iter().find(|(made, ..)| *made == name)) {
            ("snapshot", _) if self.data == Data::Much => self.room.write(name, &ALL_3.bytes()),
            ("snapshot", _) => self.room.write(name, &small_snapshot().put(b"large", 60, &[7; 300_000]).build()),
            ("old-snapshot", _) => self.room.write(name, &small_snapshot().build()),
            (_, Some((_, from, command))) => {
                self.provide(from).unwrap();
                self.room.run(&command.split(' ').collect::<Vec<_>>()).assert_code(0);
            }
            _ => return None,
        }
        Some(path)
    }
}
