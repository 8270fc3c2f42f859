//! Manifests of an offload store.

use ekv_node::offload::Manifest;

pub(super) fn run(input: &[u8]) {
    let Ok(read) = Manifest::parse(input) else { return };
    // Whatever it is written like, it is one that was published with this hash.
    assert!(read.index > 0 && read.term > 0, "a position in the log");
    assert_eq!(Manifest::parse(input).unwrap(), read, "read twice, it says the same");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let files = ekv_testkit::fixtures::archive("offload-6.tar");
    files.into_iter().filter(|(path, _)| path.ends_with(".json")).map(|(_, text)| text).collect()
}
