//! The store format through the public interface.

mod faults;
mod group_views;
mod transactions;
mod vectors;
