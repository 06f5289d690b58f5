//! The webhook as a process that is started wrongly: one clear line that says what and what to do.

use std::process::{Command, Output};

use certs::tls::Files;

use crate::issue;

fn webhook(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead-webhook"));
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).args(arguments);
    command.env_clear().output().unwrap()
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    text.lines()
        .find(|line| line.starts_with("error: "))
        .expect("a line that begins with `error:`")
        .to_owned()
}

#[test]
fn a_path_that_is_set_but_empty_is_refused_with_its_flag() {
    for (variable, flag) in [
        ("ROADSTEAD_CLIENT_CA", "--client-ca"),
        ("ROADSTEAD_TLS_CERT", "--tls-cert"),
        ("ROADSTEAD_TLS_KEY", "--tls-key"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead-webhook"));
        command.env_clear().env("ROADSTEAD_TLS_CERT", "x").env("ROADSTEAD_TLS_KEY", "x").env(variable, "");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(flag), "{said}");
    }
}

#[test]
fn without_kubernetes_it_says_what_to_set() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path());
    issue(&files);
    let (cert, key) = (files.cert(), files.key());
    let line = error(&webhook(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]));
    assert!(line.contains("KUBECONFIG"), "{line}");
}

#[test]
fn a_cluster_name_that_would_widen_a_subject_is_refused() {
    let output = webhook(&["--tls-cert", "x", "--tls-key", "x", "--cluster", "*"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--cluster"));
}
