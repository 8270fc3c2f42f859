//! The store format through the public interface.

mod faults;
mod group_views;
#[cfg(unix)]
mod kept;
mod transactions;
mod vectors;
