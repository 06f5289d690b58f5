//! What `make chaos` relies on and no run of it would show.

#![allow(clippy::unwrap_used, reason = "a test")]

use testbed::chaos::seeded::VARIABLE;
use testbed::folder::binaries_folder;

fn knows_the_variable(binary: &str) -> bool {
    let bytes = std::fs::read(binaries_folder().unwrap().join(binary)).unwrap();
    String::from_utf8_lossy(&bytes).contains(VARIABLE)
}

#[test]
fn binaries_that_are_meant_to_run_have_no_seeded_bugs() {
    assert!(knows_the_variable("testbed"), "this test looks in the right way");
    for binary in ["roadstead-webhook", "roadstead-executor"] {
        assert!(!knows_the_variable(binary), "{binary} is built with the feature seeded-bugs");
    }
}
