//! What a self test found, for a person to read.

use std::fmt;

use crate::digest::{Difference, Part, Thing};

/// Lines that are kept.
const KEPT_MAX: usize = 1000;

/// Differences between a dump and what its payload decodes to, in bounded memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// How many there are, exactly.
    pub(super) count: u64,
    /// The first of them, a line each.
    pub(super) lines: Vec<String>,
}

impl Differences {
    /// Notes a difference that no file stands for.
    pub(super) fn note(&mut self, line: impl fmt::Display) {
        self.count = self.count.saturating_add(1);
        if self.lines.len() < KEPT_MAX {
            self.lines.push(line.to_string());
        }
    }

    /// Notes a thing, of the dump first and of the decoded payload second.
    pub(super) fn thing(&mut self, thing: &Thing, difference: Difference) {
        let what = match difference {
            Difference::Contents => "the contents differ",
            Difference::OnlyFirst => "missing in the decoded payload",
            Difference::OnlySecond => "missing in the dump",
        };
        let part = match thing.part {
            Part::Itself => "",
            Part::Extension => ", what --extended adds",
            Part::Sequence => ", last sequence number",
        };
        self.note(format_args!("{}{part} ({what})", thing.name));
    }

    /// The content of the file that lists them.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        let listed = u64::try_from(self.lines.len()).unwrap_or(u64::MAX);
        match self.count.saturating_sub(listed) {
            0 => text,
            more => text + &format!("... and {more} more\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ekv_model::{Name, Protocol};

    use super::*;

    #[test]
    fn text_lists_the_first_thousand_and_counts_the_rest() {
        let mut found = Differences::default();
        let thing = |key: &[u8]| {
            let name = Name { protocol: Protocol::Redis, scope: b"0".to_vec(), key: vec![key.to_vec()] };
            Thing { name, part: Part::Itself }
        };
        found.thing(&thing(b"a\n"), Difference::Contents);
        for n in 1..1500 {
            found.thing(&thing(format!("{n}").as_bytes()), Difference::OnlyFirst);
        }
        let text = found.to_text();
        assert_eq!(text.lines().next(), Some("redis:0/a%0A (the contents differ)"));
        assert_eq!(text.lines().count(), 1001);
        assert_eq!(text.lines().last(), Some("... and 500 more"));
    }
}
