//! A port-forward to an API server that is a socket: it lists one pod, and what is behind its port answers by TLS, under
//! the name of a Service.

use std::{net::SocketAddr, time::Duration};

use certs::tls::{Authority, Leaf, LeafRequest, Usage};
use futures::{SinkExt as _, StreamExt as _};
use kube::Config;
use rustls::{ServerConfig, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};

use super::*;
use crate::nats::{authorities, tls_client};

const NAME: &str = "roadstead-nats.roadstead.svc";
const PORT: u16 = 4222;

fn leaf() -> (String, Leaf) {
    let life = Duration::from_hours(1);
    let authority = Authority::generate("test", life).unwrap();
    let request = LeafRequest {
        common_name: "nats".into(),
        organizations: vec![],
        dns_names: vec![NAME.into()],
        ips: vec![],
        usage: Usage::Server,
        life,
    };
    let leaf = authority.issue(&request).unwrap();
    (authority.cert_pem().to_owned(), leaf)
}

fn acceptor(leaf: &Leaf) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(leaf.cert_pem.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap();
    Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap()).into()
}

/// Answers a list of pods, or is a port-forward whose other end says back what it hears.
async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor) {
    let mut head = [0; 4096];
    let length = stream.peek(&mut head).await.unwrap();
    if !String::from_utf8_lossy(&head[..length]).contains("/pods/roadstead-nats-0/portforward") {
        let _ = stream.read(&mut head).await.unwrap();
        let pods = json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [{
            "metadata": {"name": "roadstead-nats-0"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }]})
        .to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{pods}",
            pods.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        return;
    }
    #[allow(clippy::result_large_err, reason = "the signature of the callback")]
    let choose = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", "v4.channel.k8s.io".parse().unwrap());
        Ok(response)
    };
    let (mut sink, mut source) = accept_hdr_async(stream, choose).await.unwrap().split();
    let frame = |channel: u8, bytes: &[u8]| Message::Binary([&[channel], bytes].concat().into());
    for channel in [0, 1] {
        sink.send(frame(channel, &PORT.to_le_bytes())).await.unwrap();
    }
    let (near, far) = duplex(1 << 16);
    tokio::spawn(async move {
        let Ok(mut tls) = acceptor.accept(far).await else { return };
        let mut heard = [0; 4];
        tls.read_exact(&mut heard).await.unwrap();
        tls.write_all(&heard).await.unwrap();
        tls.flush().await.unwrap();
    });
    let (mut read, mut write) = tokio::io::split(near);
    let outwards = async {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = read.read(&mut bytes).await {
            if sink.send(frame(0, &bytes[..length])).await.is_err() {
                return;
            }
        }
    };
    let inwards = async {
        while let Some(Ok(message)) = source.next().await {
            let bytes = message.into_data();
            if bytes.first() == Some(&0) && write.write_all(&bytes[1..]).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(outwards, inwards);
}

async fn api_server(leaf: &Leaf) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, acceptor) = (listener.local_addr().unwrap(), acceptor(leaf));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, acceptor.clone()));
        }
    });
    address
}

#[tokio::test]
async fn a_server_behind_a_port_forward_is_known_by_its_own_name_and_by_no_other() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (ca, leaf) = leaf();
    let address = api_server(&leaf).await;
    let client = Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap();
    let release = Release::new("roadstead", "roadstead", None);
    let tunnel = Tunnel::open(Pods::of(client, &release, "nats"), PORT).await.unwrap();
    for (name, good) in [(NAME, true), ("other.roadstead.svc", false)] {
        let config = tls_client(authorities(ca.as_bytes()).unwrap(), Some(name)).unwrap();
        let near = TcpStream::connect(("127.0.0.1", tunnel.port)).await.unwrap();
        let shaken =
            TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("127.0.0.1").unwrap(), near);
        let shaken = shaken.await;
        assert_eq!(shaken.is_ok(), good, "{name}: {shaken:?}");
        if let Ok(mut tls) = shaken {
            tls.write_all(b"ping").await.unwrap();
            let mut heard = [0; 4];
            tls.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"ping");
        }
    }
}

#[tokio::test]
async fn a_port_forward_that_nobody_gives_says_why() {
    let config = Config::new("http://127.0.0.1:1".parse().unwrap());
    let release = Release::new("roadstead", "ships", None);
    let opened = Tunnel::open(Pods::of(Client::try_from(config).unwrap(), &release, "nats"), PORT).await;
    let said = opened.err().unwrap();
    assert!(said.starts_with("list pods in namespace ships: "), "{said}");
}

#[test]
fn only_a_pod_that_is_ready_and_stays_is_taken() {
    let pod = |ready: &str, leaves: bool| -> Pod {
        let deleted = leaves.then_some("2026-01-01T10:00:00Z");
        serde_json::from_value(json!({
            "metadata": {"name": "n-0", "deletionTimestamp": deleted},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
        .unwrap()
    };
    assert!(is_ready(&pod("True", false)));
    assert!(!is_ready(&pod("False", false)) && !is_ready(&pod("True", true)) && !is_ready(&Pod::default()));
}
