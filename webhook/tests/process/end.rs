//! The end of the process: told to stop it is unready at once, goes on answering until endpoints have caught up,
//! finishes what it has begun, and says that all went well.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Json, Router, body::Body, extract::RawQuery, response::IntoResponse, routing::get};
use certs::tls::Files;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    issue,
    server::{deployment, review, trusting},
    until,
};

/// How long it goes on.
const DELAY: Duration = Duration::from_secs(3);

/// A process that is ended whatever happens.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended by itself where the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An API server without any object: lists are empty and watches silent.
async fn empty_kubernetes() -> String {
    let lists = get(async |RawQuery(query): RawQuery| {
        if query.is_some_and(|query| query.contains("watch=true")) {
            return Body::from_stream(futures::stream::pending::<std::io::Result<Vec<u8>>>()).into_response();
        }
        let list = json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": {"resourceVersion": "1"}, "items": [],
        });
        Json(list).into_response()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router =
        Router::new().route("/api/v1/namespaces", lists.clone()).route("/apis/apps/v1/deployments", lists);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Status line of an answer of the admin endpoint; empty where nobody listens.
async fn admin(address: &str, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address).await else { return String::new() };
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A port that nobody has at this moment.
fn free() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn told_to_stop_it_is_unready_at_once_goes_on_for_a_while_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path());
    issue(&files);
    let kubeconfig = folder.path().join("kubeconfig");
    let server = empty_kubernetes().await;
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": server}}], "users": [{"name": "x", "user": {}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let (listen, admin_listen) = (free(), free());
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead-webhook"));
    command.args(["--listen", &listen, "--admin-listen", &admin_listen, "--nats-url", "127.0.0.1:1"]);
    command.args(["--shutdown-delay", &format!("{}s", DELAY.as_secs())]);
    command.arg("--tls-cert").arg(files.cert()).arg("--tls-key").arg(files.key());
    command.env("KUBECONFIG", &kubeconfig).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = Process(command.spawn().unwrap());
    until("it is ready", async || admin(&admin_listen, "/readyz").await.contains("200")).await;

    let body = review("deployments", &deployment()).to_string();
    let head = format!(
        "POST /hold HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answered = async || {
        let Ok(mut stream) = trusting(&files, &listen).await else { return false };
        let _ = stream.write_all((head.clone() + &body).as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer.starts_with(b"HTTP/1.1 200 OK")
    };
    assert!(answered().await);
    // Begun before the end, and finished only when all new ones are refused.
    let mut begun = trusting(&files, &listen).await.unwrap();
    begun.write_all(head.replace("connection: close", "expect: 100-continue").as_bytes()).await.unwrap();
    let mut told = [0; 25];
    begun.read_exact(&mut told).await.unwrap();

    let pid = rustix::process::Pid::from_child(&process.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let stopped = Instant::now();
    until("it is unready", async || admin(&admin_listen, "/readyz").await.contains("503")).await;
    assert!(stopped.elapsed() < DELAY / 2, "unready only after {:?}", stopped.elapsed());
    while stopped.elapsed() < DELAY / 2 {
        assert!(answered().await, "not answered after {:?}", stopped.elapsed());
    }
    until("it listens no more", async || TcpStream::connect(&listen).await.is_err()).await;
    assert!(stopped.elapsed() >= DELAY, "gone after {:?}", stopped.elapsed());
    assert!(process.0.try_wait().unwrap().is_none(), "it ends without what it has begun");
    begun.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = begun.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
    until("it ends", async || process.0.try_wait().unwrap().is_some()).await;
    assert_eq!(process.0.wait().unwrap().code(), Some(0));
}
