//! How much the server gives to whom: each wait, and everything that takes memory, has a limit. A test uses
//! shorter ones.

use std::time::Duration;

/// The limits of the TLS server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time: an API server keeps 25 idle ones and opens more under load.
    pub connections: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the head of a request may take, counted from the end of the previous one: also the keep-alive
    /// limit. The API server closes its idle connections after 90 s; were we first, a review could meet a closing
    /// one.
    pub head: Duration,
    /// How long a body may take to arrive: the API server sends it at once and waits 30 s at the most for the
    /// answer.
    pub body: Duration,
    /// Largest body, in bytes: an UPDATE carries two objects of up to 1.5 MB each, as JSON within JSON.
    pub body_bytes: usize,
    /// How long a client may leave sent answers unread, or unacknowledged.
    pub write: Duration,
    /// How long the gate's live read may take: well inside the 5 s that the API server waits for the gate.
    pub live_read: Duration,
    /// Bytes of all bodies in memory.
    pub memory: usize,
    /// Reviews that are decided at the same time; those of the gate wait for the API server meanwhile.
    pub reviews: usize,
    /// How long open connections may take to finish at the end.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            handshake: Duration::from_secs(5),
            head: Duration::from_mins(2),
            body: Duration::from_secs(10),
            body_bytes: 7 * 1024 * 1024,
            write: Duration::from_secs(30),
            live_read: Duration::from_secs(2),
            memory: 96 * 1024 * 1024,
            reviews: 512,
            drain: Duration::from_secs(15),
        }
    }
}
