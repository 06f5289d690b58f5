//! `roadstead-certs rotate` started wrongly: one clear line, before anything is written.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

use std::process::Command;

/// What it says about these arguments, which it must not accept.
fn refusal(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead-certs"));
    command.args([
        "rotate",
        "--namespace",
        "ns",
        "--authorities",
        "a",
        "--leaf",
        "l",
        "--hold",
        "h",
        "--gate",
        "g",
    ]);
    command.args(["--admin-listen", "127.0.0.1:0"]).args(arguments);
    let output = command.env_clear().output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn times_that_could_not_be_kept_are_refused_at_the_start() {
    let named = ["--dns", "webhook.test"];
    for (times, said) in [
        (["--settle", "1h", "--authority-life", "3h"], "--settle must be less than a third"),
        (["--life", "2days", "--authority-life", "1day"], "--life must not be more than --authority-life"),
        (["--life", "0s", "--authority-life", "1day"], "life of a certificate must be more than 0"),
    ] {
        let refusal = refusal(&[named.as_slice(), &times].concat());
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn a_certificate_without_a_name_is_refused_at_the_start() {
    let refusal = refusal(&[]);
    assert!(refusal.contains("at least one DNS name or IP address (--dns, --ip)"), "{refusal}");
}

#[test]
fn without_kubernetes_it_says_what_to_set() {
    let refusal = refusal(&["--dns", "webhook.test"]);
    assert!(refusal.contains("KUBECONFIG"), "{refusal}");
}
