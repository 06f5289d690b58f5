//! What a decision costs in instructions of the processor: a figure that repeats on every machine, so that a
//! slow-down is seen without a clock. The figures stand in `instructions.txt`; after a change that is meant, write
//! them anew: `UPDATE_INSTRUCTIONS=1 cargo test -p webhook --test instructions`

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// How far from the recorded count is still the same, in percent: another libc allocates a little differently.
const TOLERANCE: u64 = 10;

/// Decisions that are counted: those that the second run makes more than the first, so that what the process costs by
/// itself, and what only a first decision costs, cancels out.
const TIMES: u64 = 50;

/// Builds the decision without the server, so that it takes seconds: optimised as a release is, but by one unit of code
/// and not across crates, which would differ with what else is in the build.
fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "-p", "webhook", "--bin", "decide", "--profile", "counted"]);
    build.args(["--no-default-features", "--features", "count"]);
    // Flags of whoever runs the tests would change what is counted.
    build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").current_dir(root);
    assert!(build.status().unwrap().success(), "the program `decide` does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("counted/decide")
}

/// Instructions of a run that decides so often.
fn run(program: &Path, which: &str, times: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([which, &times.to_string()])
        .output()
        .expect("valgrind is not installed: make valgrind");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let counted = text.lines().find_map(|line| line.split_once("Collected : "));
    counted.expect("callgrind counts").1.trim().parse().unwrap()
}

#[test]
fn a_decision_takes_as_many_instructions_as_are_recorded() {
    let program = program();
    let counted = |which| (run(&program, which, 2 * TIMES) - run(&program, which, TIMES)) / TIMES;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions/instructions.txt");
    let recorded = fs::read_to_string(&file).unwrap();
    let (mut anew, mut wrong) = (String::new(), Vec::new());
    for line in recorded.lines() {
        let (which, expected) = line.split_once(' ').unwrap();
        let (counted, expected): (u64, u64) = (counted(which), expected.parse().unwrap());
        println!("{which} {counted}");
        writeln!(anew, "{which} {counted}").unwrap();
        if counted.abs_diff(expected) * 100 > expected * TOLERANCE {
            wrong.push(format!("{which} {counted}, recorded {expected}"));
        }
    }
    if std::env::var_os("UPDATE_INSTRUCTIONS").is_some() {
        return fs::write(&file, anew).unwrap();
    }
    assert!(wrong.is_empty(), "more than {TOLERANCE} % from {}: {wrong:?}", file.display());
}
