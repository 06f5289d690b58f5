//! HTTP: connections, and which part of the store answers a request.

use std::convert::Infallible;

use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, CONTENT_TYPE},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    Shared,
    answer::{Body, Form, Refused, told, whole},
    path::Asked,
    selector::Selector,
    watch::Events,
    write::{absent, place},
};

pub(super) async fn accept(listener: TcpListener, store: Shared) {
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        connections.spawn(connected(connection, store.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connected(connection: TcpStream, store: Shared) {
    // What is not sent at once is slow, and still right.
    let _ = connection.set_nodelay(true);
    let service = service_fn(move |request| {
        let store = store.clone();
        async move { Ok::<_, Infallible>(answer(&store, request).await) }
    });
    // A client may leave whenever it wants.
    let _ =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

async fn answer(store: &Shared, request: Request<Incoming>) -> Response<Body> {
    let asked = Asked::read(request.uri());
    let what = asked.as_ref().map_or_else(|| "/".to_owned(), |asked| described(asked, &request));
    let answered = respond(store, request, asked).await;
    let answer = answered.unwrap_or_else(|refused| whole(refused.code, refused.status()));
    let counted = format!("{what} {}", answer.status().as_u16());
    *store.lock().requests.entry(counted).or_default() += 1;
    answer
}

/// `get deployments`, `list deployments metadata roadstead.dev/phase=held`: the verb, and how much of what is wanted.
fn described(asked: &Asked, request: &Request<Incoming>) -> String {
    let one = asked.name.is_some();
    let verb = match *request.method() {
        Method::GET if asked.is_set("watch") => "watch".to_owned(),
        Method::GET => if one { "get" } else { "list" }.to_owned(),
        Method::POST => "create".to_owned(),
        ref other => other.as_str().to_ascii_lowercase(),
    };
    let form = match Form::of_accept(request.headers().get(ACCEPT)) {
        Form::Metadata => Some("metadata"),
        Form::Whole => None,
    };
    let words = [Some(verb.as_str()), Some(asked.plural()), form, asked.parameter("labelSelector")];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

async fn respond(
    store: &Shared,
    request: Request<Incoming>,
    asked: Option<Asked>,
) -> Result<Response<Body>, Refused> {
    let (parts, body) = request.into_parts();
    let Some(asked) = asked else {
        return if parts.uri.path() == "/version" {
            let version =
                json!({ "major": "1", "minor": "37", "gitVersion": "v1.37.0-generated", "platform": "" });
            Ok(whole(StatusCode::OK, version.to_string().into()))
        } else {
            Err(Refused::not_found(parts.uri.path()))
        };
    };
    let form = Form::of_accept(parts.headers.get(ACCEPT));
    if parts.method == Method::GET {
        return read(store, asked, form);
    }
    let body = body.collect().await.map_err(|error| cut_off(&error))?.to_bytes();
    let mut store = store.lock();
    let (code, object) = match parts.method {
        Method::POST => (StatusCode::CREATED, store.create(&asked, &body)?),
        Method::PATCH => (StatusCode::OK, store.patch(&asked, parts.headers.get(CONTENT_TYPE), &body)?),
        Method::DELETE => (StatusCode::OK, store.delete(&asked)?),
        _ => return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "not known here")),
    };
    Ok(whole(code, form.of(&object)))
}

fn cut_off(error: &hyper::Error) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, "BadRequest", error.to_string())
}

/// One object, a page of a list, or a watch.
fn read(store: &Shared, mut asked: Asked, form: Form) -> Result<Response<Body>, Refused> {
    let selector = selector(&mut asked)?;
    if asked.is_set("watch") {
        let watch = store.lock().watch(asked, selector, form);
        let expired = || Refused::new(StatusCode::GONE, "Expired", "too old resource version");
        return Ok(told(watch.unwrap_or_else(|| Events::refused(&expired()))));
    }
    if asked.name.is_some() && asked.parameter("fieldSelector").is_none() {
        let place = place(&asked)?;
        let found = store.lock().object(&asked.kind, &place).map(|stored| stored.body.clone());
        let body: Bytes = found.ok_or_else(|| absent(&asked, &place))?;
        return Ok(whole(StatusCode::OK, form.of(&body)));
    }
    let limit = asked.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let page = store.lock().page(&asked, &selector, limit, asked.parameter("continue"));
    Ok(whole(StatusCode::OK, form.of_page(&page)))
}

/// The label selector; the one field selector that is known here, `metadata.name`, becomes the name.
fn selector(asked: &mut Asked) -> Result<Selector, Refused> {
    let refused = |text: &str| {
        Refused::new(StatusCode::BAD_REQUEST, "BadRequest", format!("selector {text:?} is not known here"))
    };
    if let Some(field) = asked.parameter("fieldSelector") {
        let name = field.strip_prefix("metadata.name=").ok_or_else(|| refused(field))?.to_owned();
        asked.name = Some(name);
    }
    let text = asked.parameter("labelSelector").unwrap_or_default();
    Selector::read(text).ok_or_else(|| refused(text))
}
