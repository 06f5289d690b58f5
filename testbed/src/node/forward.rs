//! A port on the machine's loopback that leads to the same port inside the node's network namespace: the namespace has
//! no route to the machine, and is to have none. It ends with the keeper.

use std::fs::File;
use std::net::{Ipv4Addr, TcpStream as Connection};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::mpsc;

use anyhow::Context as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

type Answer = std::io::Result<Connection>;

/// Forwards connections until it is dropped.
///
/// # Errors
/// When the port is taken, or the namespace cannot be entered.
pub(super) async fn forward(port: u16, namespace: &Path) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("cannot listen on port {port}"))?;
    let asks = connector(port, File::open(namespace)?);
    loop {
        let (mut outside, _) = listener.accept().await?;
        let (answer, connected) = oneshot::channel();
        asks.send(answer).ok().context("cannot enter the network namespace of the node")?;
        tokio::spawn(async move {
            // Refused inside is closed outside.
            let Ok(Ok(inside)) = connected.await else { return };
            let Ok(mut inside) = inside.set_nonblocking(true).and_then(|()| TcpStream::from_std(inside))
            else {
                return;
            };
            // Either side may close or reset at any time.
            let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
        });
    }
}

/// A thread in the namespace that connects for others: a socket stays in the namespace where it was made, whoever uses it.
fn connector(port: u16, namespace: File) -> mpsc::Sender<oneshot::Sender<Answer>> {
    let (asks, asked) = mpsc::channel::<oneshot::Sender<Answer>>();
    std::thread::spawn(move || {
        let entered = move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
        if let Err(error) = entered {
            eprintln!("testbed: cannot enter the network namespace of the node: {error}");
            return;
        }
        for answer in asked {
            // Whoever asked may be gone.
            let _ = answer.send(Connection::connect((Ipv4Addr::LOCALHOST, port)));
        }
    });
    asks
}
