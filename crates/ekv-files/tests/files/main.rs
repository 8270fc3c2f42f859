//! Sinks and sources: what every one of them keeps, and what nobody can make of the place where a directory is written.

mod sink_contract;
mod sink_full_disk;
mod sink_hostile;
mod source_contract;
