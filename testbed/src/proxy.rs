//! A proxy between one client and the API server, with which a test decides at which point of a request
//! the world changes: a request that never arrives, or one that was applied and never answered.

mod disturb;

use std::convert::Infallible;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
pub use disturb::{Disturbance, Trouble};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::endpoint::Endpoint;
use crate::eventually::PATIENCE;
use crate::kubeconfig::Server;

type Matcher = Box<dyn Fn(&Parts) -> bool + Send + Sync>;

/// Plain HTTP on loopback in, HTTPS to the API server out. Bodies stream, so watches work.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// Requests that are held as long as this value lives.
#[derive(Debug)]
pub struct Hold {
    rule: Arc<Rule>,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: kube::Client,
    rules: Mutex<Vec<Arc<Rule>>>,
    disturbed: Mutex<Vec<Arc<disturb::Disturbed>>>,
    seen: Mutex<Vec<String>>,
}

struct Rule {
    matches: Matcher,
    point: Point,
    held: watch::Sender<usize>,
    /// Requests that are held now.
    waiting: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

/// Where in its life a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    BeforeForward,
    BeforeAnswer,
}

impl Proxy {
    /// Starts a proxy to this API server; it ends when it is dropped.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(server: &Server) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let upstream =
            Endpoint { url: server.url.clone(), ca_pem: server.ca_pem.clone(), ready: String::new() };
        let (rules, disturbed, seen) = (Mutex::default(), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { upstream: upstream.client()?, rules, disturbed, seen });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { url, shared, accepting })
    }

    /// How a client reaches the API server through this proxy, with the client's own token.
    #[must_use]
    pub fn server(&self) -> Server {
        Server { url: self.url.clone(), ca_pem: None }
    }

    /// Holds matching requests before the API server sees them. A client that dies takes its request with it.
    #[must_use]
    pub fn hold_request(&self, matches: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Hold {
        self.hold(Point::BeforeForward, Box::new(matches))
    }

    /// Lets the API server answer matching requests, and holds the answers.
    #[must_use]
    pub fn hold_response(&self, matches: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Hold {
        self.hold(Point::BeforeAnswer, Box::new(matches))
    }

    /// All requests so far, each as `METHOD /path?query`.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        lock(&self.shared.seen).clone()
    }

    fn hold(&self, point: Point, matches: Matcher) -> Hold {
        let (held, waiting, released) =
            (watch::Sender::new(0), watch::Sender::new(0), watch::Sender::new(false));
        let rule = Arc::new(Rule { matches, point, held, waiting, released });
        lock(&self.shared.rules).push(Arc::clone(&rule));
        Hold { rule, shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Hold {
    /// Waits until a request is held.
    ///
    /// # Errors
    /// When none came in time.
    pub async fn held(&self) -> anyhow::Result<()> {
        let mut held = self.rule.held.subscribe();
        let waited = tokio::time::timeout(PATIENCE, held.wait_for(|count| *count > 0)).await;
        let waited = waited.with_context(|| format!("the proxy held no request within {PATIENCE:?}"))?;
        waited.map(drop).context("the proxy is gone")
    }

    /// Waits until nothing is held any more, because the clients that sent it are gone.
    ///
    /// # Errors
    /// When it does not come to that in time.
    pub async fn abandoned(&self) -> anyhow::Result<()> {
        let mut waiting = self.rule.waiting.subscribe();
        let waited = tokio::time::timeout(PATIENCE, waiting.wait_for(|count| *count == 0)).await;
        let waited = waited.with_context(|| format!("requests are still held after {PATIENCE:?}"))?;
        waited.map(drop).context("the proxy is gone")
    }

    /// How many requests were held so far.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.rule.held.borrow()
    }

    /// Lets everything held go on, and later requests pass.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.shared.rules).retain(|rule| !Arc::ptr_eq(rule, &self.rule));
        self.rule.released.send_replace(true);
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, request: hyper::Request<Incoming>) -> Response<Body> {
        self.forward(request).await.unwrap_or_else(|error| {
            let mut answer = Response::new(Body::from(format!("testbed proxy: {error:#}").into_bytes()));
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        })
    }

    async fn forward(&self, request: hyper::Request<Incoming>) -> anyhow::Result<Response<Body>> {
        let (mut parts, body) = request.into_parts();
        lock(&self.seen).push(format!("{} {}", parts.method, parts.uri));
        self.pass(&parts, Point::BeforeForward).await;
        let trouble = self.trouble(&parts);
        match trouble {
            Some(Trouble::Late(pause)) => tokio::time::sleep(pause).await,
            Some(Trouble::Refused(status)) => return Ok(disturb::refusal(status)),
            Some(Trouble::Hidden(_)) | None => {}
        }
        // The client's own address for itself; the API server gets one that fits it.
        parts.headers.remove(hyper::header::HOST);
        let body = Body::from(body.collect().await?.to_bytes());
        let forwarded = hyper::Request::from_parts(parts.clone(), body);
        let answer = self.upstream.send(forwarded).await?;
        self.pass(&parts, Point::BeforeAnswer).await;
        if let Some(Trouble::Hidden(status)) = trouble {
            return Ok(disturb::refusal(status));
        }
        Ok(answer)
    }

    /// Waits while a rule holds this request at this point.
    async fn pass(&self, parts: &Parts, point: Point) {
        let rule = {
            let rules = lock(&self.rules);
            rules.iter().find(|rule| rule.point == point && (rule.matches)(parts)).cloned()
        };
        if let Some(rule) = rule {
            let mut released = rule.released.subscribe();
            rule.waiting.send_modify(|count| *count += 1);
            rule.held.send_modify(|count| *count += 1);
            let _waits = Waits(&rule);
            let _ = released.wait_for(|released| *released).await;
        }
    }
}

/// A request that is held; dropped also when its client is gone.
struct Waits<'a>(&'a Rule);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|count| *count -= 1);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        connections.spawn(serve(connection, Arc::clone(&shared)));
    }
}

/// Serves one connection. A client that closes it ends the request in progress: hyper drops its future.
async fn serve(connection: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.serve(request).await) }
    });
    let _ =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("point", &self.point).finish_non_exhaustive()
    }
}
