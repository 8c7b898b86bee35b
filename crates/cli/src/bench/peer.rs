//! One device of the load: a WebSocket that does as little as it can, so that what it talks to is what is measured.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use ringback_core::id::UserId;
use ringback_server::config::Secret;
use ringback_server::{token, wall};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// How long anything may take before the benchmark fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long tokens are valid: longer than any benchmark runs.
const VALID: Duration = Duration::from_secs(24 * 3600);
/// Connections from one address: Linux gives out 28,232 ports unless told otherwise.
const PORTS: u32 = 20_000;
/// Most frames are smaller.
const BUFFER: usize = 2048;

/// A device's connection.
pub(super) struct Peer {
    socket: WebSocketStream<TcpStream>,
}

/// A user of the benchmark's.
pub(super) fn user(number: u32) -> String {
    format!("user-{number:06}")
}

impl Peer {
    /// Opens a WebSocket; the number chooses the address of the loopback network that it comes from.
    async fn open(at: SocketAddr, number: u32) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Closed by a reset: a port that waits after its end would be missing to the next round.
        socket.set_zero_linger()?;
        let [low, high, ..] = (number / PORTS).to_le_bytes();
        socket.bind((Ipv4Addr::new(127, 0, high, low + 1), 0).into())?;
        let stream = timeout(PATIENCE, socket.connect(at)).await.context("it takes no connection in time")??;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
        let opened = tokio_tungstenite::client_async_with_config(format!("ws://{at}/ws"), stream, Some(config));
        let (socket, _) = timeout(PATIENCE, opened).await.context("it answers no upgrade in time")??;
        Ok(Self { socket })
    }

    /// Connects a user's device to the server, and waits until it is caught up.
    pub(super) async fn sign_in(at: SocketAddr, number: u32, secret: &Secret) -> Result<Self> {
        let mut peer = Self::open(at, number).await?;
        let user = user(number);
        let token = token::sign(secret, &UserId::new(&user)?, &format!("User {number}"), wall() + VALID)?;
        let device =
            json!({ "id": format!("device-{number:06}"), "platform": "bench", "sdk": env!("CARGO_PKG_VERSION") });
        let hello = json!({ "type": "hello", "token": token, "protocol": 1, "device": device });
        peer.say(hello.to_string()).await?;
        while !peer.hear().await?.contains(r#""type":"synced""#) {}
        Ok(peer)
    }

    /// Connects one side of a pair to the relay.
    pub(super) async fn join(at: SocketAddr, pair: u32, side: u32) -> Result<Self> {
        let mut peer = Self::open(at, 2 * pair + side).await?;
        peer.say(format!("{pair} {side}")).await?;
        peer.hear().await?;
        Ok(peer)
    }

    /// Sends a frame.
    pub(super) async fn say(&mut self, frame: String) -> Result<()> {
        self.socket.send(Message::text(frame)).await.context("the connection was lost")
    }

    /// Waits for the next frame.
    pub(super) async fn hear(&mut self) -> Result<Utf8Bytes> {
        timeout(PATIENCE, self.next()).await.context("no frame came in time")?
    }

    /// Waits for the next frame, however long it takes; answers pings meanwhile.
    pub(super) async fn next(&mut self) -> Result<Utf8Bytes> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if text.starts_with(r#"{"type":"bye""#) => bail!("it said {text}"),
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => bail!("the connection was closed: {other:?}"),
                Some(Err(error)) => return Err(error).context("the connection was lost"),
                None => bail!("the connection was closed"),
            }
        }
    }
}
