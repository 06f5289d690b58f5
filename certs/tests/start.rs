//! What runs until it is stopped, started wrongly: one clear line, before anything is written.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

use std::process::Command;

const ROTATE: &[&str] =
    &["rotate", "--namespace", "ns", "--authorities", "a", "--leaf", "l", "--hold", "h", "--gate", "g"];
const KEEP: &[&str] = &["nats", "keep", "--namespace", "ns", "--nats-url", "nats://r-nats:4222"];

/// What a command says about these arguments, which it must not accept.
fn refusal(command: &[&str], arguments: &[&str]) -> String {
    let mut process = Command::new(env!("CARGO_BIN_EXE_roadstead-certs"));
    process.args(command).args(["--admin-listen", "127.0.0.1:0"]).args(arguments);
    let output = process.env_clear().output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn times_that_could_not_be_kept_are_refused_at_the_start() {
    let named = [ROTATE, &["--dns", "webhook.test"]].concat();
    for (command, times, said) in [
        (&*named, ["--settle", "1h", "--authority-life", "3h"], "--settle must be less than a third"),
        (&*named, ["--life", "2days", "--authority-life", "1day"], "--life must not be more than"),
        (&*named, ["--life", "0s", "--authority-life", "1day"], "life of a certificate must be more than 0"),
        (KEEP, ["--settle", "1h", "--authority-life", "3h"], "--settle must be less than a third"),
        (
            KEEP,
            ["--certificate-life", "2days", "--authority-life", "1day"],
            "--certificate-life must not be more",
        ),
        (KEEP, ["--life", "1s", "--settle", "1s"], "--life must be at least 3 s"),
    ] {
        let refusal = refusal(command, &times);
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn what_would_be_no_name_or_no_configuration_is_refused_at_the_start() {
    for (arguments, said) in [
        (["--prefix", "a.b"], "write 1 to 63 characters"),
        (["--hosts", "a\"b"], "no quotes"),
        (["--hosts", "a b"], "no DNS name"),
        (["--accounts-dir", "a\nb"], "no quotes, backslashes or line ends"),
    ] {
        let refusal = refusal(KEEP, &arguments);
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn a_certificate_without_a_name_is_refused_at_the_start() {
    let refusal = refusal(ROTATE, &[]);
    assert!(refusal.contains("at least one DNS name or IP address (--dns, --ip)"), "{refusal}");
}

#[test]
fn without_kubernetes_it_says_what_to_set() {
    for command in [[ROTATE, &["--dns", "webhook.test"]].concat(), KEEP.to_vec()] {
        let refusal = refusal(&command, &[]);
        assert!(refusal.contains("KUBECONFIG"), "{refusal}");
    }
}
