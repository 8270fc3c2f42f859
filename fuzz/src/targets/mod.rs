//! The targets, by what they attack.

mod archive;
mod archive_index;
mod container;
mod encryption;
mod files;
mod json;
mod kept_index;
mod keys;
mod names;
mod nodes;
mod offload;
mod raft;
mod rdb;
mod records;
mod spill;
mod sst;

use crate::{Target, seeds};

pub(crate) use archive::to_archive;
pub(crate) use files::{PATHS, to_input as dump_input};
pub(crate) use nodes::SECOND_GROUP;

/// All targets.
pub const ALL: &[Target] = &[
    Target { name: "container", run: container::run, seeds: seeds::containers, len_max: 4096 },
    Target { name: "container_resealed", run: container::run_resealed, seeds: seeds::payloads, len_max: 4096 },
    Target { name: "records", run: records::run, seeds: seeds::records_of_all, len_max: 8192 },
    Target { name: "redis", run: records::run_redis, seeds: seeds::records_of_redis, len_max: 8192 },
    Target { name: "dynamodb", run: records::run, seeds: seeds::records_of_dynamodb, len_max: 8192 },
    Target { name: "s3", run: records::run, seeds: seeds::records_of_s3, len_max: 8192 },
    Target { name: "sqs", run: records::run, seeds: seeds::records_of_sqs, len_max: 8192 },
    Target { name: "fs", run: records::run, seeds: seeds::records_of_fs, len_max: 8192 },
    Target { name: "transactions", run: records::run, seeds: seeds::transactions, len_max: 4096 },
    Target { name: "node", run: nodes::run, seeds: seeds::nodes, len_max: 4096 },
    Target { name: "file", run: nodes::run_file, seeds: seeds::compressed, len_max: 4096 },
    Target { name: "dump", run: files::run_dump, seeds: seeds::dumps, len_max: 16384 },
    Target { name: "archive", run: archive::run, seeds: seeds::archives, len_max: 20_000 },
    Target { name: "archive_write", run: archive::run_write, seeds: seeds::dumps, len_max: 16384 },
    Target { name: "archive_index", run: archive_index::run, seeds: archive_index::seeds, len_max: 4096 },
    Target { name: "kept_index", run: kept_index::run, seeds: kept_index::seeds, len_max: 4096 },
    Target { name: "lines", run: files::run_lines, seeds: seeds::lines, len_max: 4096 },
    Target { name: "manifest", run: files::run_manifest, seeds: seeds::manifests, len_max: 8192 },
    Target { name: "encode_info", run: files::run_encode_info, seeds: seeds::encode_infos, len_max: 8192 },
    Target { name: "json_read", run: json::run_read, seeds: seeds::json, len_max: 4096 },
    Target { name: "json_write", run: json::run_write, seeds: seeds::json, len_max: 4096 },
    Target { name: "names", run: names::run, seeds: seeds::names, len_max: 2048 },
    Target { name: "keys", run: keys::run, seeds: seeds::keys, len_max: 2048 },
    Target { name: "snap", run: raft::run_snap, seeds: seeds::snaps, len_max: 2048 },
    Target { name: "wal", run: raft::run_wal, seeds: seeds::wals, len_max: 4096 },
    Target { name: "peers", run: raft::run_peers, seeds: seeds::peers, len_max: 2048 },
    Target { name: "encryption", run: encryption::run, seeds: encryption::seeds, len_max: 1024 },
    Target { name: "offload", run: offload::run, seeds: offload::seeds, len_max: 2048 },
    Target { name: "rdb", run: rdb::run, seeds: rdb::seeds, len_max: 4096 },
    Target { name: "sst", run: sst::run, seeds: sst::seeds, len_max: 8192 },
    Target { name: "spill", run: spill::run, seeds: Vec::new, len_max: 4096 },
];
