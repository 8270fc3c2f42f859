//! The coverage-guided engine (libFuzzer) around one target.
//!
//! The environment variable `EKV_FUZZ_TARGET` names the target; `cargo xtask fuzz` builds and calls this program.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<&ekv_fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("EKV_FUZZ_TARGET").unwrap_or_default();
    match ekv_fuzz::target(&name) {
        Some(target) => target,
        None => panic!("EKV_FUZZ_TARGET must name a target, not {name:?}"),
    }
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    (TARGET.run)(input);
});
