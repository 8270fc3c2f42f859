//! Which Raft group owns a user key. Source: `docs/format/snapshot.md`, section 12.
//!
//! A group can hold stale copies of keys that were moved to another group. The routing catalog, which the cluster stores among its
//! own records, says who owns what: each user key has a *route key*, and each route owns a range of route keys.

mod catalog;

pub(crate) use catalog::{Catalog, CatalogError};
