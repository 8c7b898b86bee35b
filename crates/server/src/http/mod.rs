//! HTTP: health, metrics, the SDK, the demo, and the way to a WebSocket.

mod assets;
mod dev;
mod listen;

pub(crate) use dev::{Development, PEOPLE};
pub(crate) use listen::{Peer, accept, speak};

use crate::shared::Shared;
use crate::socket::{self, Io};
use assets::Tree;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use hyper::upgrade::OnUpgrade;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tracing::debug;

/// Scripts, styles and workers of this origin alone, and nothing that is written into a page.
const CSP: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; \
                   media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
                   form-action 'none'; frame-ancestors 'none'";

/// The page at `/` where apps bring their own.
const RUNNING: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
                       <meta name=\"viewport\" content=\"width=device-width\">\n<title>Ringback</title>\n\
                       <h1>Ringback</h1>\n<p>It is running. Apps connect to it at <code>/ws</code>.</p>\n\
                       <p><a href=\"/healthz\">Health</a> · <a href=\"/metrics\">Metrics</a></p>\n</html>\n";
const NO_DEMO: (StatusCode, &str) = (StatusCode::NOT_FOUND, "The demo is there in development mode alone.\n");

/// Whether a development server lets somebody be called this.
pub(crate) fn is_name(name: &str) -> bool {
    dev::is_name(name)
}

/// Everything that is served.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/ws", get(upgrade))
        .route("/web/{*path}", get(|Path(path): Path<String>| async move { assets::serve(Tree::Web, &path) }))
        .route("/demo/{*path}", get(welcome_part))
        .route("/as/{name}", get(to_folder))
        .route("/as/{name}/", get(demo_page))
        .route("/as/{name}/{*path}", get(demo))
        .route("/dev/token", get(dev::token))
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is nothing here.\n") })
        .layer(map_response(careful))
        .with_state(shared)
}

/// Sets what every answer says to a browser.
async fn careful(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

/// In development mode, the page that asks who one is; else what this is.
async fn index(State(shared): State<Arc<Shared>>) -> Response {
    match &shared.development {
        Some(_) => assets::serve(Tree::Demo, "welcome.html"),
        None => Html(RUNNING).into_response(),
    }
}

/// What the page that asks who one is needs; a demo user's page has the same files in a folder of its own.
async fn welcome_part(State(shared): State<Arc<Shared>>, Path(path): Path<String>) -> Response {
    if shared.development.is_none() {
        return NO_DEMO.into_response();
    }
    assets::serve(Tree::Demo, &path)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let text = shared.metrics.render(shared.inbox.len());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// The folder of a demo user's page ends in a slash, so that the page's own links lead into it.
async fn to_folder(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    if shared.development.is_none() {
        return NO_DEMO.into_response();
    }
    to_page(if dev::is_name(&name) { Some(name) } else { dev::meant_by(&name) })
}

/// Leads to a user's page, if there is such a user.
fn to_page(name: Option<String>) -> Response {
    match name {
        Some(name) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, dev::page(&name))]).into_response(),
        None => (StatusCode::NOT_FOUND, dev::NO_NAME).into_response(),
    }
}

async fn demo_page(state: State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    demo(state, Path((name, "index.html".to_owned()))).await
}

/// A demo user's page. Each has a path of their own, and their own service worker there, whose scope it is.
async fn demo(State(shared): State<Arc<Shared>>, Path((name, path)): Path<(String, String)>) -> Response {
    if shared.development.is_none() {
        return NO_DEMO.into_response();
    }
    if !dev::is_name(&name) {
        return to_page(dev::meant_by(&name));
    }
    match path.as_str() {
        "sw.js" => assets::serve(Tree::Web, "sw.js"),
        _ => assets::serve(Tree::Demo, &path),
    }
}

/// Turns a request into a WebSocket, and its connection into a session's.
async fn upgrade(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let peer = parts.extensions.remove::<Peer>();
    let Some((response, upgrade)) = switch(parts) else {
        return (StatusCode::BAD_REQUEST, "This is where WebSockets connect.\n").into_response();
    };
    tokio::spawn(async move {
        // The connection counts until its session is over.
        let _peer = peer;
        match upgrade.await {
            Ok(upgraded) => {
                let frame_bytes = ringback_protocol::frame_bytes(&shared.config.limits);
                socket::serve(Io::new(upgraded, frame_bytes), shared).await;
            }
            Err(error) => debug!(%error, "a connection went away before it was a WebSocket"),
        }
    });
    response
}

/// The answer to a request for a WebSocket, and its connection to be; none if it is no such request.
pub(crate) fn switch(mut request: Parts) -> Option<(Response, OnUpgrade)> {
    let upgrade = request.extensions.remove::<OnUpgrade>()?;
    let response = create_response(&hyper::Request::from_parts(request, ())).ok()?;
    Some((response.map(|()| Body::empty()), upgrade))
}
