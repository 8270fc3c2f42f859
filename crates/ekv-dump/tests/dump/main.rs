//! Whole dumps: how they are written, and how archives carry them.

mod archive;
mod dump_writer;
mod redis_databases;
