//! Takes connections, as many as there is room for.

use super::router;
use crate::metrics::Metrics;
use crate::shared::Shared;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

/// Bytes of a request's head, at most.
const HEAD_BYTES: usize = 16 * 1024;
/// How long to wait when the system has no room for another connection.
const BREATH: Duration = Duration::from_millis(50);

/// Where a connection comes from, and its place among all that there may be; it counts as long as this lives.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    _place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connections.down();
    }
}

/// Takes connections until the server shuts down; comes back when the last of them is gone.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let most = shared.config.max_connections.min(Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(most));
    let service = TowerToHyperService::new(router(shared.clone()));
    let mut closing = shared.closing();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let Ok(permit) = room.clone().try_acquire_owned() else {
                    // Past the bound a connection is closed at once: who keeps one does no harm to who has one.
                    shared.metrics.turned_away.add(1);
                    continue;
                };
                shared.metrics.connections.up();
                let place = Place { _permit: permit, metrics: shared.metrics.clone() };
                let peer = Peer { address, _place: Arc::new(place) };
                tokio::spawn(serve(stream, peer, service.clone(), shared.clone()));
            }
            Err(error) => {
                // Of one connection that went away, or of a system out of descriptors: neither is the listener's end.
                warn!(%error, "a connection couldn't be taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    // Every permit comes back once every connection is gone.
    let _ = room.acquire_many(u32::try_from(most).unwrap_or(u32::MAX)).await;
}

/// Speaks HTTP on a connection, with the options that each of ours has; a request's head may take `patience` to come.
pub(crate) fn speak<S>(
    stream: TcpStream,
    service: S,
    patience: Duration,
) -> UpgradeableConnection<TokioIo<TcpStream>, S>
where
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // A frame is written whole: waiting for more would only delay a ring.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
}

async fn serve(stream: TcpStream, peer: Peer, service: TowerToHyperService<axum::Router>, shared: Arc<Shared>) {
    let named = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        service.call(request)
    });
    let mut closing = shared.closing();
    let connection = speak(stream, named, shared.config.handshake);
    tokio::pin!(connection);
    tokio::select! {
        // Who went away, or spoke no HTTP, has nothing more to be told.
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(shared.config.handshake, connection).await;
}
