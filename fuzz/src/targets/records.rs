//! Records of every kind in a sound container: nothing in them is an error, every one is accounted for, and the dump verifies.

use ekv_model::Severity;

use crate::dump::{Options, check_redis_round_trip, decode};
use crate::records::{parse, snapshot};

/// The first byte holds options, the rest are records.
pub(super) fn run(input: &[u8]) {
    let Some((bits, input)) = input.split_first() else { return };
    decode(&snapshot(&parse(input)).input(), Options::of(*bits)).expect("a well-formed snapshot is read");
}

/// As [`run`]; also encodes what came out, if nothing was lost.
pub(super) fn run_redis(input: &[u8]) {
    let Some((bits, input)) = input.split_first() else { return };
    let options = Options::of(*bits);
    let dump = decode(&snapshot(&parse(input)).input(), options).expect("a well-formed snapshot is read");
    if dump.findings.count_of(Severity::Loss) == 0 && dump.read_ts.0 > 0 {
        check_redis_round_trip(&dump, options);
    }
}
