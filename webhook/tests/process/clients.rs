//! Client certificates, where they are asked for; and the end of the server while reviews are in flight.

use std::time::Duration;

use certs::tls::{Authority, Files, LeafRequest, Usage};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use webhook::server::Limits;

use crate::server::{Server, deployment, review};

/// A client's certificate of an authority.
fn client(authority: &Authority) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let request = LeafRequest {
        common_name: "kube-apiserver".into(),
        organizations: Vec::new(),
        dns_names: Vec::new(),
        ips: Vec::new(),
        usage: Usage::Client,
        life: Duration::from_mins(5),
    };
    let leaf = authority.issue(&request).unwrap();
    let certificate = CertificateDer::from_pem_slice(leaf.cert_pem.as_bytes()).unwrap();
    (certificate, PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap())
}

fn authority(files: &Files) -> Authority {
    let read = |path| std::fs::read_to_string(path).unwrap();
    Authority::from_pem(&read(files.ca_cert()), &read(files.ca_key())).unwrap()
}

#[tokio::test]
async fn only_a_client_of_the_right_authority_is_answered() {
    let server = Server::start_for_clients(Limits::default()).await;
    let stranger = Authority::generate("stranger", Duration::from_mins(5)).unwrap();
    for (certificate, answered) in
        [(None, false), (Some(client(&stranger)), false), (Some(client(&authority(&server.files))), true)]
    {
        let body = review("deployments", &deployment()).to_string();
        let request = format!(
            "POST /hold HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        // With TLS 1.3 a client hears of its refusal only when it reads.
        let mut answer = Vec::new();
        if let Ok(mut stream) = server.try_connect(certificate).await {
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = stream.read_to_end(&mut answer).await;
        }
        assert_eq!(answer.starts_with(b"HTTP/1.1 200 OK"), answered, "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn reviews_in_flight_when_it_stops_are_answered() {
    let mut server = Server::start_with(Limits::default()).await;
    let body = review("deployments", &deployment()).to_string();
    let length = body.len();
    let head =
        format!("POST /hold HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n");
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server asks for the body, so that it surely has begun.
        let mut told = [0; 25];
        stream.read_exact(&mut told).await.unwrap();
        assert!(told.starts_with(b"HTTP/1.1 100 Continue"));
        streams.push(stream);
    }
    server.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_millis(200), &mut server.serving).await;
    assert!(ended.is_err(), "it ends without those that it has begun");
    for mut stream in streams {
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
    }
    let ended = tokio::time::timeout(Duration::from_secs(10), &mut server.serving).await;
    ended.expect("it ends when they are answered").unwrap().unwrap();
}
