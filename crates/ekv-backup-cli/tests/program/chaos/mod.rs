//! The program under attack from outside: killed, starved, lied to. Source: `docs/testing.md`.

mod concurrent;
mod disk;
mod hostile;
mod inputs;
mod kill;
mod plan;
mod strace;
mod subject;
mod surroundings;
