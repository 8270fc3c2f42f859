//! Staged writes of two-phase transactions. Source: `docs/format/snapshot.md`, section 11.

mod case;
mod damage;
mod fates;
mod history;
mod limits;
mod views;
