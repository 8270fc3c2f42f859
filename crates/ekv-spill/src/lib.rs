//! Bounded memory: scratch files, spools and an external sorter.
