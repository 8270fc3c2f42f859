//! The routing catalog. Source: `docs/format/snapshot.md`, section 12.

use std::collections::BTreeMap;

use ekv_snapshot::{CommitTs, Range, RecordFile, View, escape};
use ekv_text::ByteCursor;

use ekv_adapters::{RoutesBelow, route_key, routes_below};

/// Prefix of route records.
const ROUTE: &[u8] = b"!dist|route|";
/// Bytes that the borders of all routes may take together. A catalog of a hundred thousand routes has a few megabytes.
const CATALOG_LEN_MAX: usize = 64 << 20;
/// Bytes that a route takes beside its borders, about.
const ROUTE_LEN: usize = 64;

/// Which group owns which range of route keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Catalog {
    /// Ascending by their start.
    routes: Vec<Route>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    route_id: u64,
    group_id: u64,
}

/// Why there is no catalog.
#[derive(Debug)]
pub(crate) enum CatalogError {
    /// There is no route at the read timestamp.
    Absent,
    /// A route record does not parse: user key and reason.
    Damaged { user_key: Vec<u8>, reason: &'static str },
    /// The catalog needs more memory than it may have.
    TooLarge { limit: usize },
    /// A failing read.
    Read(ekv_model::Error),
}

impl Catalog {
    /// Reads the catalog of a snapshot. Cost: memory for the routes, at most 64 MiB.
    pub(crate) fn read(file: &RecordFile, read_ts: CommitTs) -> Result<Catalog, CatalogError> {
        let failed = |error: ekv_snapshot::Error| CatalogError::Read(error.into());
        let mut scan = View::of_file(file, read_ts).scan_range(Range::prefix(ROUTE)).map_err(failed)?;
        let mut routes = Vec::new();
        let mut memory = 0_usize;
        while let Some(record) = scan.next_visible().map_err(failed)? {
            let len = usize::try_from(record.body.len()).unwrap_or(usize::MAX);
            memory = memory.saturating_add(len).saturating_add(ROUTE_LEN);
            if memory > CATALOG_LEN_MAX {
                return Err(CatalogError::TooLarge { limit: CATALOG_LEN_MAX });
            }
            let mut body = Vec::with_capacity(len);
            let copied = record.body.body().for_each_chunk(|chunk| {
                body.extend_from_slice(chunk);
                Ok(())
            });
            copied.map_err(CatalogError::Read)?;
            let damaged = |reason| CatalogError::Damaged { user_key: record.user_key.to_vec(), reason };
            routes.push(parse(&body).map_err(damaged)?);
        }
        Catalog::new(routes)
    }

    fn new(mut routes: Vec<Route>) -> Result<Catalog, CatalogError> {
        if routes.is_empty() {
            return Err(CatalogError::Absent);
        }
        routes.sort_by(|a, b| (&a.start, a.route_id).cmp(&(&b.start, b.route_id)));
        Ok(Catalog { routes })
    }

    /// The groups that own something, each with the first route key that it owns.
    pub(crate) fn groups(&self) -> BTreeMap<u64, &[u8]> {
        let mut groups = BTreeMap::new();
        for route in &self.routes {
            groups.entry(route.group_id).or_insert(route.start.as_slice());
        }
        groups
    }

    /// The id of the group that owns a user key; `None` if no route covers it.
    pub(crate) fn owner_of(&self, user_key: &[u8]) -> Option<u64> {
        self.owner_of_route_key(&route_key(user_key))
    }

    fn owner_of_route_key(&self, route_key: &[u8]) -> Option<u64> {
        let route = self.routes.get(self.behind(route_key).checked_sub(1)?)?;
        let ends_behind = route.end.as_deref().is_none_or(|end| route_key < end);
        ends_behind.then_some(route.group_id)
    }

    /// The first route that starts behind a route key.
    fn behind(&self, route_key: &[u8]) -> usize {
        self.routes.partition_point(|route| route.start.as_slice() <= route_key)
    }

    /// The group that owns all user keys that begin with `prefix`; `None` also where that is not known.
    pub(crate) fn owner_of_prefix(&self, prefix: &[u8]) -> Option<u64> {
        match routes_below(prefix) {
            RoutesBelow::One(route_key) => self.owner_of_route_key(route_key),
            RoutesBelow::Same => {
                let route = self.routes.get(self.behind(prefix).checked_sub(1)?)?;
                // Whatever lies at or behind a place and begins with the prefix lies below or above all of it.
                let is_above = |place: &[u8]| place > prefix && !place.starts_with(prefix);
                let next_starts_behind = self.routes.get(self.behind(prefix)).is_none_or(|next| is_above(&next.start));
                let ends_behind = route.end.as_deref().is_none_or(is_above);
                (next_starts_behind && ends_behind).then_some(route.group_id)
            }
            RoutesBelow::Unknown => None,
        }
    }
}

fn parse(body: &[u8]) -> Result<Route, &'static str> {
    const SHORT: &str = "it is cut short";
    let mut fields = ByteCursor::new(body);
    let version = fields.u8().ok_or(SHORT)?;
    if !matches!(version, 1 | 2) {
        return Err("its version is unknown");
    }
    let route_id = fields.u64().ok_or(SHORT)?;
    let group_id = fields.u64().ok_or(SHORT)?;
    let state = fields.u8().ok_or(SHORT)?;
    fields.u64().ok_or(SHORT)?;
    let start = counted(&mut fields).ok_or(SHORT)?.to_vec();
    let end = match fields.u8().ok_or(SHORT)? {
        0 => None,
        1 => Some(counted(&mut fields).ok_or(SHORT)?.to_vec()),
        _ => return Err("it does not say whether it has an end"),
    };
    if version >= 2 {
        fields.u64().ok_or(SHORT)?;
    }
    if route_id == 0 || group_id == 0 || state > 3 {
        return Err("a number in it is out of range");
    }
    Ok(Route { start, end, route_id, group_id })
}

/// The bytes behind their number.
fn counted<'a>(fields: &mut ByteCursor<'a>) -> Option<&'a [u8]> {
    let len = fields.u64()?;
    fields.bytes(len)
}

impl std::fmt::Display for CatalogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CatalogError::Absent => f.write_str("there is no route in it"),
            CatalogError::Damaged { user_key, reason } => write!(f, "route {}: {reason}", escape(user_key)),
            CatalogError::TooLarge { limit } => write!(f, "it needs more than {limit} bytes of memory"),
            CatalogError::Read(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body of the documented route record: route 1, group 1, active, from the start to `m`.
    fn documented() -> Vec<u8> {
        let numbers = |numbers: &[u64]| numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>();
        [&[2][..], &numbers(&[1, 1]), &[0], &numbers(&[0, 0]), &[1], &numbers(&[1]), b"m", &numbers(&[0])].concat()
    }

    fn route(start: &[u8], end: Option<&[u8]>, route_id: u64, group_id: u64) -> Route {
        Route { start: start.to_vec(), end: end.map(<[u8]>::to_vec), route_id, group_id }
    }

    #[test]
    fn documented_route_is_read_and_cut_ones_are_not() {
        let body = documented();
        assert_eq!(parse(&body), Ok(route(b"", Some(b"m"), 1, 1)));
        for cut in 0..body.len() {
            assert_eq!(parse(&body[..cut]), Err("it is cut short"), "{cut}");
        }
        for (at, value) in [(0, 3), (8, 0), (16, 0), (17, 4), (34, 2)] {
            let mut damaged = body.clone();
            damaged[at] = value;
            assert!(parse(&damaged).is_err(), "{at}");
        }
        let mut huge = body;
        huge[26] = 0xff;
        assert_eq!(parse(&huge), Err("it is cut short"));
    }

    #[test]
    fn route_with_the_greatest_start_at_or_below_the_route_key_owns_it() {
        let routes = vec![
            route(b"m", None, 2, 2),
            route(b"", Some(b"c"), 1, 1),
            route(b"d", Some(b"m"), 3, 3),
            route(b"d", Some(b"m"), 4, 4),
        ];
        let catalog = Catalog::new(routes).unwrap();
        for (key, owner) in [
            (&b"a"[..], Some(1)),
            (b"", Some(1)),
            (b"c", None),
            (b"cz", None),
            (b"d", Some(4)),
            (b"lz", Some(4)),
            (b"m", Some(2)),
            (b"\xff", Some(2)),
            (b"!redis|str|zoo", Some(2)),
            (b"!hs|meta|\0\0\0\x03zoo", Some(1)),
        ] {
            assert_eq!(catalog.owner_of(key), owner, "{}", key.escape_ascii());
        }
        assert!(matches!(Catalog::new(Vec::new()), Err(CatalogError::Absent)));
    }

    #[test]
    fn owner_of_a_prefix_owns_every_key_that_begins_with_it() {
        let edge = |key: &str| [b"!hs|fld|\0\0\0\x01", key.as_bytes()].concat();
        let routes = vec![
            route(b"", Some(&edge("b")), 1, 1),
            route(&edge("b"), Some(&edge("d")), 2, 2),
            route(&edge("d\x7f"), None, 3, 3),
        ];
        let catalog = Catalog::new(routes).unwrap();
        for (prefix, owner) in [
            (edge("a"), Some(1)),
            (edge("b"), Some(2)),
            (edge("c"), Some(2)),
            // The gap between two routes, and a route that begins inside.
            (edge("d"), None),
            (edge("d\x7f"), Some(3)),
            (edge("e"), Some(3)),
            (edge(""), None),
            (b"!st|mem|".to_vec(), Some(3)),
            (b"!hs|".to_vec(), None),
            (b"!lst|meta|d|\0\0\0\x02kk".to_vec(), Some(3)),
            (b"!lst|meta|d|\0\0\0\x02k".to_vec(), None),
            (b"!lst|meta|".to_vec(), None),
            (b"!redis|str|k".to_vec(), None),
            (b"!s3|obj|head|b".to_vec(), None),
            (b"!".to_vec(), None),
            (b"".to_vec(), None),
        ] {
            assert_eq!(catalog.owner_of_prefix(&prefix), owner, "{}", prefix.escape_ascii());
            for tail in [&b""[..], b"\0", b"\x7f", b"\xff\xff", b"12345678", b"d\x7f\0"] {
                let key = [&prefix[..], tail].concat();
                assert!(owner.is_none() || catalog.owner_of(&key) == owner, "{}", key.escape_ascii());
            }
        }
    }
}
