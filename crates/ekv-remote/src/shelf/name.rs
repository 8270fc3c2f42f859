//! Names of dumps on a shelf.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How the time is written, to the second: names sort as times do.
const TIME: &str = "%Y-%m-%dT%H%M%SZ";
/// Characters of it.
const TIME_LEN: usize = 18;
/// Ending of a description.
pub(super) const DESCRIPTION: &str = ".json";
/// Endings of archives.
const ARCHIVES: [&str; 3] = [".tar.zst", ".tar", ".fsm.zst"];

/// The name of a dump: `2026-11-22T153700Z-g2-7f3a91c2`, without an ending. The same dump, made again, has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShelfName {
    /// The moment that it shows, in whole seconds.
    at: Timestamp,
    /// Raft groups in it.
    groups: u32,
    /// Beginning of a digest of what it was made of, and how.
    digest: u32,
}

impl ShelfName {
    /// The name of the dump that shows the moment `at`.
    pub fn new(at: Timestamp, groups: u32, digest: u32) -> Self {
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        ShelfName { at, groups, digest }
    }

    /// The moment that it shows, in whole seconds.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The name in a key behind the prefix of its shelf, and its ending; `None` for what is called otherwise.
    pub fn parse(key: &str) -> Option<(ShelfName, &str)> {
        let dot = key.find('.')?;
        let (name, ending) = key.split_at(dot);
        let at = DateTime::strptime(TIME, name.get(..TIME_LEN)?).ok()?;
        let (groups, digest) = name.get(TIME_LEN..)?.strip_prefix("-g")?.split_once('-')?;
        let parsed = ShelfName {
            at: at.to_zoned(TimeZone::UTC).ok()?.timestamp(),
            groups: groups.parse().ok()?,
            digest: u32::from_str_radix(digest, 16).ok()?,
        };
        // Digits can be written in several ways, and a name in one only.
        (parsed.to_string() == name).then_some((parsed, ending))
    }

    /// Whether an ending is that of an archive.
    pub(super) fn is_archive(ending: &str) -> bool {
        ARCHIVES.contains(&ending)
    }
}

impl fmt::Display for ShelfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-g{}-{:08x}", self.at.strftime(TIME), self.groups, self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_read_as_it_is_written_and_nothing_else_is_one() {
        let name = ShelfName::new("2026-11-22T15:37:00.925Z".parse().unwrap(), 2, 0x7f3a_91c2);
        assert_eq!(name.to_string(), "2026-11-22T153700Z-g2-7f3a91c2");
        assert_eq!(ShelfName::parse("2026-11-22T153700Z-g2-7f3a91c2.tar.zst"), Some((name, ".tar.zst")));
        for other in [
            "2026-11-22T153700Z-g2-7f3a91c2",
            "2026-11-22T153700Z-g02-7f3a91c2.json",
            "2026-11-22T153700Z-g2-7F3A91C2.json",
            "2026-11-22T153700Z-g2-7f3a91c.json",
            "2026-13-22T153700Z-g2-7f3a91c2.json",
            "2026-11-22T15:37:00Z-g2-7f3a91c2.json",
            "latest.json",
            "é026-11-22T153700Z-g2-7f3a91c2.json",
            "",
        ] {
            assert_eq!(ShelfName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_sort_as_the_times_that_they_state() {
        let name = |at: &str| ShelfName::new(at.parse().unwrap(), 1, 9).to_string();
        assert!(name("1999-12-31T23:59:59Z") < name("2026-11-22T15:37:00Z"));
        assert!(name("2026-11-22T15:37:00Z") < name("2026-11-22T15:37:01Z"));
    }
}
