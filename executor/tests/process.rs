//! The executor as a process that is started wrongly: one clear line that says what and what to do.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

use std::process::{Command, Output};

fn executor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead-executor"));
    command.args(["--admin-listen", "127.0.0.1:0"]).args(arguments).env_clear().output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn without_kubernetes_it_says_what_to_set() {
    let output = executor(&[]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.lines().any(|line| line.starts_with("error: ") && line.contains("KUBECONFIG")), "{said}");
}

#[test]
fn an_address_in_use_is_named_with_its_flag() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_roadstead-executor"))
        .args(["--admin-listen", &address])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains(&address) && said(&output).contains("--admin-listen"),
        "{}",
        said(&output)
    );
}

#[test]
fn no_slots_and_a_cluster_name_that_would_widen_a_subject_are_refused() {
    for (arguments, flag) in [(["--slots", "0"], "--slots"), (["--cluster", "*"], "--cluster")] {
        let output = executor(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(flag), "{}", said(&output));
    }
}
