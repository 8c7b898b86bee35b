//! A bare relay: what `ringback bench` holds the server against.
//!
//! Its sockets are the server's own, by the same code; behind them is nothing but a queue for each. It knows no JSON
//! and keeps nothing: what it costs is what any server of these frames costs, and what the server costs more is ours.
//!
//! Connections come in pairs: each says `<pair> <side>` first (side 0 or 1) and hears `synced`. From then on a frame
//! that begins with the number of a step, 0 to 3, is answered by two frames, and by one to the other side, as the
//! server answers the steps of a call: invite, ring, accept, end.

use crate::http::{speak, switch};
use crate::socket::{Came, Gone, Io};
use axum::body::Body;
use axum::http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Frames that a step is answered by: two to who took it, one to the other side.
pub const ANSWERS: usize = 3;
/// Steps of a call.
pub const STEPS: usize = 4;
/// Pairs that it takes at most.
const PAIRS: u32 = 100_000;
/// Frames that may wait for one side at most; a pair takes turns, so there are a few.
const WAITING: usize = 64;
/// How long a request's head may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many bytes each answer has, by step: to who took it, the reply and the view; to the other side, the view.
pub type Sizes = [[usize; ANSWERS]; STEPS];

/// Relays until the process ends.
pub async fn run(listener: TcpListener, sizes: Sizes) -> io::Result<()> {
    let frames = std::array::from_fn(|step| std::array::from_fn(|slot| frame(step, slot, sizes[step][slot])));
    let relay = Arc::new(Relay { frames, pairs: Mutex::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        let relay = relay.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let relay = relay.clone();
                async move { Ok::<_, Infallible>(relay.upgrade(request)) }
            });
            // Who went away has nothing more to be told.
            let _ = speak(stream, service, PATIENCE).await;
        });
    }
}

/// An answer: a reply (`R`) or a view (`V`), its step, and as many dots as it takes.
fn frame(step: usize, slot: usize, bytes: usize) -> String {
    let kind = if slot == 0 { 'R' } else { 'V' };
    format!("{:.<bytes$}", format!("{kind}{step}"))
}

struct Relay {
    frames: [[String; ANSWERS]; STEPS],
    pairs: Mutex<HashMap<u32, [Arc<Side>; 2]>>,
}

/// One side of a pair: what waits to be written to it.
#[derive(Default)]
struct Side {
    waiting: Mutex<Vec<String>>,
    rung: Notify,
}

impl Relay {
    fn upgrade(self: Arc<Self>, request: hyper::Request<Incoming>) -> Response<Body> {
        let Some((response, upgrade)) = switch(request.into_parts().0) else {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return response;
        };
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                let io = Io::new(upgraded, ringback_protocol::frame_bytes(&Default::default()));
                // How it ends is of no interest: the load says what it misses.
                let _ = self.serve(io).await;
            }
        });
        response
    }

    async fn serve(&self, mut io: Io) -> Result<(), Gone> {
        let [own, other] = self.pair(&mut io).await?;
        io.write(vec!["synced".to_owned()]).await?;
        loop {
            let waiting = std::mem::take(&mut *lock(&own.waiting));
            if !waiting.is_empty() {
                io.write(waiting).await?;
            }
            tokio::select! {
                biased;
                came = io.read() => match came {
                    Came::Text(text) => {
                        let step = text.as_bytes().first().map_or(STEPS, |first| usize::from(first.wrapping_sub(b'0')));
                        let [reply, view, theirs] = self.frames.get(step).ok_or(Gone)?;
                        other.put(theirs.clone())?;
                        io.write(vec![reply.clone(), view.clone()]).await?;
                    }
                    Came::Alive => {}
                    Came::TooLarge | Came::Nonsense | Came::Closed => return Err(Gone),
                },
                () = own.rung.notified() => {}
            }
        }
    }

    /// Waits until a connection says which side of which pair it is; gives that side and the other.
    async fn pair(&self, io: &mut Io) -> Result<[Arc<Side>; 2], Gone> {
        let Came::Text(text) = io.read().await else {
            return Err(Gone);
        };
        let (pair, side) = text.split_once(' ').ok_or(Gone)?;
        let pair = pair.parse().ok().filter(|pair| *pair < PAIRS).ok_or(Gone)?;
        let [first, second] = lock(&self.pairs).entry(pair).or_default().clone();
        Ok(if side == "0" { [first, second] } else { [second, first] })
    }
}

impl Side {
    fn put(&self, frame: String) -> Result<(), Gone> {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= WAITING {
            return Err(Gone);
        }
        waiting.push(frame);
        drop(waiting);
        self.rung.notify_one();
        Ok(())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock, so there is nothing half done to guard against.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
