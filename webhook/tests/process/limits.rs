//! The server's limits: whatever one client does, it costs a bounded amount, and the others are answered.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};
use webhook::server::Limits;

use crate::server::{Server, deployment, review};

/// What arrives until the server closes the connection.
async fn rest(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "the server keeps the connection open");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The server answers a review on a connection of its own.
async fn healthy(server: &Server) {
    let body = review("deployments", &deployment()).to_string();
    let answer = tokio::time::timeout(Duration::from_secs(30), server.post("/hold", body.as_bytes())).await;
    assert_eq!(answer.expect("the server answers nobody").0, "HTTP/1.1 200 OK");
}

fn short() -> Limits {
    let moment = Duration::from_millis(300);
    Limits { handshake: moment, head: moment, body: moment, ..Limits::default() }
}

#[tokio::test]
async fn slow_clients_are_closed_and_the_others_answered() {
    let server = Server::start_with(short()).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = Vec::new();
    for begin in [
        "",
        "POST /hold HTT",
        "POST /hold HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
        "POST /hold HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        slow.push((begin, stream));
    }
    healthy(&server).await;
    assert_eq!(rest(silent).await, "");
    for (begin, stream) in slow {
        let answer = rest(stream).await;
        assert_eq!(answer.contains("408 Request Timeout"), begin.contains("\r\n\r\n"), "{begin:?}: {answer}");
    }
    healthy(&server).await;
}

#[tokio::test]
async fn a_body_that_does_not_end_is_refused_at_its_limit() {
    let server = Server::start_with(Limits { body_bytes: 1000, ..Limits::default() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /hold HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = format!("64\r\n{}\r\n", "x".repeat(100));
    for _ in 0..11 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    assert!(rest(stream).await.contains("413 Payload Too Large"));
    healthy(&server).await;
}

#[tokio::test]
async fn more_than_the_memory_for_bodies_is_refused_for_now() {
    let server = Server::start_with(Limits { memory: 2000, ..Limits::default() }).await;
    let (status, _) = server.post("/hold", &vec![b' '; 3000]).await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    healthy(&server).await;
    assert!(
        server.metrics().contains(r#"requests_rejected_total{reason="crowded"} 1"#),
        "{}",
        server.metrics()
    );
}

#[tokio::test]
async fn more_reviews_than_are_decided_at_once_are_refused_for_now() {
    let server = Server::start_with(Limits { reviews: 0, ..Limits::default() }).await;
    let (status, _) = server.post("/hold", review("deployments", &deployment()).to_string().as_bytes()).await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
}

#[tokio::test]
async fn a_length_that_is_a_lie_harms_nobody() {
    let server = Server::start_with(short()).await;
    for length in ["99999999999999999999", "-1", "7340033", "2, 3"] {
        let mut stream = server.connect().await;
        let head = format!("POST /hold HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{{}}");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{length}: {answer}");
    }
    healthy(&server).await;
}

#[tokio::test]
async fn pipelined_reviews_are_answered_one_by_one() {
    let server = Server::start_with(short()).await;
    let mut stream = server.connect().await;
    let body = review("deployments", &deployment()).to_string();
    let request = format!("POST /hold HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.repeat(100).as_bytes()).await.unwrap();
    assert_eq!(rest(stream).await.matches("HTTP/1.1 200 OK").count(), 100);
}

#[tokio::test]
async fn thousands_of_silent_sockets_do_not_keep_a_review_out() {
    // The crowd is not waited out: only a seat that is given up lets a review in.
    let handshake = Duration::from_hours(1);
    let server =
        Arc::new(Server::start_with(Limits { connections: 100, handshake, ..Limits::default() }).await);
    // The other ends are in this process, too, but no more than there are seats.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let files: usize = files.split_whitespace().next().unwrap().parse().unwrap_or(20_000);
    let count = 10_000.min(files - 1_000);
    eprintln!("{count} sockets");
    let mut crowd = Vec::with_capacity(count);
    for number in 0..count {
        crowd.push(TcpStream::connect(server.address).await.unwrap());
        if number % 1000 == 999 {
            healthy(&server).await;
        }
    }
    let mut posts = JoinSet::new();
    for _ in 0..20 {
        let server = Arc::clone(&server);
        posts.spawn(async move { healthy(&server).await });
    }
    posts.join_all().await;
    assert!(server.metrics().contains(r#"requests_rejected_total{reason="crowded"}"#));
}

#[tokio::test]
async fn a_client_that_never_reads_its_answers_is_given_up() {
    let limits = Limits { write: Duration::from_millis(300), ..Limits::default() };
    let server = Server::start_with(limits).await;
    let mut stream = server.connect().await;
    let body = review("deployments", &deployment()).to_string();
    let request = format!("POST /hold HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // It sends until the server takes no more, because its answers are stuck; then the connection ends.
    let sending = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
    let ended = tokio::time::timeout(Duration::from_mins(1), sending).await;
    assert!(ended.is_ok(), "the connection is kept for a client that never reads");
    healthy(&server).await;
}

#[tokio::test]
async fn a_panic_costs_one_request_and_is_counted() {
    let server = Server::start_with(Limits::default()).await;
    let (status, _) = server.post("/panic", b"{}").await;
    assert_eq!(status, "HTTP/1.1 500 Internal Server Error");
    healthy(&server).await;
    assert!(server.metrics().contains("panics_total 1"), "{}", server.metrics());
}
