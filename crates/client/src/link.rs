//! The connection itself: where the server is, one attempt to reach it, and when the next one is due (N3).

use crate::error::{CallError, ConfigError};
use crate::token::TokenSource;
use futures_util::{SinkExt, StreamExt};
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Shortest and longest wait before trying again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// From the attempt to `synced`; beyond it the attempt has failed. Half as long as the server gives a hello, twice.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the system may take to take a frame; beyond it nobody reads at the other end.
const WRITE: Duration = Duration::from_secs(10);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// A device is idle nearly always, so it keeps little to read into; larger frames grow it for as long as they last.
const BUFFER: usize = 4 * 1024;
/// No frame of the server is larger: its largest is a page of 100 participants with the longest `customData`.
const FRAME: usize = 1024 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where the server is.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    url: String,
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    /// Takes `http:`, `https:`, `ws:` and `wss:`; without a path it is `/ws`.
    pub(crate) fn parse(server: &str) -> Result<Self, ConfigError> {
        let wrong = |problem: &str| ConfigError::new("server", problem);
        let uri: Uri = server.parse().map_err(|_| wrong("must be an address like https://calls.example"))?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong("must begin with https:, wss:, http: or ws:")),
        };
        if tls && cfg!(not(feature = "tls")) {
            return Err(wrong("is https: or wss:, which the feature `tls` is needed for"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("must name a host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("must not have a user or a password: the token says who it is"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path == "/" { "/ws" } else { path };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { url: format!("{}://{authority}{path}", if tls { "wss" } else { "ws" }), host, port, tls })
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// No token could be had.
    Token(CallError),
    /// The server can't be reached, and why.
    Network(String),
}

/// What a link has to say.
#[derive(Debug)]
pub(crate) enum Happened {
    /// The wait is over: connect.
    Due,
    /// The connection is open, with this token; hello comes first.
    Opened(String),
    /// The attempt failed.
    Failed(Failed),
    /// The server said something.
    Said(String),
    /// It is there, at least.
    Alive,
    /// The connection is gone.
    Lost,
}

type Attempt = Pin<Box<dyn Future<Output = Result<(Socket, String), Failed>> + Send>>;

/// The connection, in whatever state it is.
pub(crate) enum Link {
    /// None is wanted.
    Idle,
    /// The next attempt waits.
    Waiting(Pin<Box<Sleep>>),
    /// An attempt is under way.
    Connecting(Attempt),
    /// It stands; until it is synced, it has until `by`.
    Open { socket: Box<Socket>, by: Option<Instant> },
}

impl Link {
    /// Begins an attempt; `fresh`: with a new token.
    pub(crate) fn connect(address: &Address, tokens: &TokenSource, fresh: bool) -> Self {
        let (address, tokens) = (address.clone(), tokens.clone());
        Self::Connecting(Box::pin(async move {
            let token = timeout(HANDSHAKE, tokens.get(fresh)).await;
            let token = token.map_err(|_| Failed::Network("no token came in time".to_owned()))?;
            let token = token.map_err(Failed::Token)?;
            let opened = timeout(HANDSHAKE, open(&address)).await;
            let opened = opened.map_err(|_| Failed::Network("it doesn't answer".to_owned()))?;
            Ok((opened.map_err(Failed::Network)?, token))
        }))
    }

    /// Waits before the next attempt.
    pub(crate) fn wait(span: Duration) -> Self {
        Self::Waiting(Box::pin(sleep_until(Instant::now() + span)))
    }

    /// Waits for what happens next. Nothing is lost by dropping the future.
    pub(crate) async fn next(&mut self) -> Happened {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Waiting(sleep) => {
                sleep.as_mut().await;
                Happened::Due
            }
            Self::Connecting(attempt) => match attempt.await {
                Ok((socket, token)) => {
                    *self = Self::Open { socket: Box::new(socket), by: Some(Instant::now() + HANDSHAKE) };
                    Happened::Opened(token)
                }
                Err(failed) => {
                    *self = Self::Idle;
                    Happened::Failed(failed)
                }
            },
            Self::Open { socket, by } => {
                let said = match by {
                    Some(by) => timeout_at(*by, socket.next()).await,
                    None => Ok(socket.next().await),
                };
                match said {
                    Ok(Some(Ok(Message::Text(text)))) => Happened::Said(text.as_str().to_owned()),
                    // Pings are answered by the library.
                    Ok(Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {
                        Happened::Alive
                    }
                    Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => Happened::Lost,
                }
            }
        }
    }

    /// How things stand is complete: the handshake is over.
    pub(crate) fn synced(&mut self) {
        if let Self::Open { by, .. } = self {
            *by = None;
        }
    }

    /// Sends frames in one write; false if the connection is gone. What is sent on none goes nowhere: whether a frame
    /// arrived only its answer tells.
    pub(crate) async fn send(&mut self, frames: Vec<String>) -> bool {
        let Self::Open { socket, .. } = self else { return true };
        let write = async {
            for frame in frames {
                socket.feed(Message::text(frame)).await?;
            }
            socket.flush().await
        };
        let written: Result<Result<(), SocketError>, _> = timeout(WRITE, write).await;
        matches!(written, Ok(Ok(())))
    }

    /// Whether there is a connection, or soon may be one.
    pub(crate) fn wanted(&self) -> bool {
        !matches!(self, Self::Idle)
    }

    /// Whether there is a connection.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Closes the connection as one does.
    pub(crate) async fn close(self) {
        if let Self::Open { mut socket, .. } = self {
            // Whoever doesn't hear it sees that the connection is gone.
            let _ = timeout(GOODBYE, socket.close(None)).await;
        }
    }
}

/// The wait before an attempt, after so many that failed: doubling from half a second to 15 s, of which the upper half
/// is chance, so that the devices of a server that restarts don't all come at once.
pub(crate) fn back_off(failures: u32, chance: f64) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << failures.min(16)).min(LONGEST_WAIT);
    whole.mul_f64(0.5 + 0.5 * chance)
}

async fn open(address: &Address) -> Result<Socket, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let request = address.url.as_str().into_client_request().map_err(|error| text(&error))?;
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(|error| text(&error))?;
    // Frames are small and wait for answers: nothing is gained by holding them back.
    stream.set_nodelay(true).map_err(|error| text(&error))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(FRAME)
        .max_message_size(Some(FRAME))
        .max_frame_size(Some(FRAME));
    upgrade(address, request, stream, config).await
}

#[cfg(feature = "tls")]
async fn upgrade(
    address: &Address,
    request: Request,
    stream: TcpStream,
    config: WebSocketConfig,
) -> Result<Socket, String> {
    use tokio_tungstenite::{Connector, client_async_tls_with_config};
    let connector = if address.tls { Connector::Rustls(trusted().await?) } else { Connector::Plain };
    let opened = client_async_tls_with_config(request, stream, Some(config), Some(connector)).await;
    opened.map(|(socket, _)| socket).map_err(|error| error.to_string())
}

#[cfg(not(feature = "tls"))]
async fn upgrade(
    address: &Address,
    request: Request,
    stream: TcpStream,
    config: WebSocketConfig,
) -> Result<Socket, String> {
    if address.tls {
        return Err("the feature `tls` is off".to_owned());
    }
    let stream = MaybeTlsStream::Plain(stream);
    let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    opened.map(|(socket, _)| socket).map_err(|error| error.to_string())
}

/// TLS by the certificates that the system trusts.
#[cfg(feature = "tls")]
async fn trusted() -> Result<std::sync::Arc<rustls::ClientConfig>, String> {
    use std::sync::{Arc, OnceLock};
    /// What the system trusts; read once, since that takes a while.
    static TRUSTED: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    if let Some(config) = TRUSTED.get() {
        return Ok(config.clone());
    }
    let read = tokio::task::spawn_blocking(|| {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            return Err("this system trusts no certificates: install its CA certificates".to_owned());
        }
        // Named, and not the process's own choice: an app may have another one, or none.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?;
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    });
    let config = read.await.map_err(|error| error.to_string())??;
    Ok(TRUSTED.get_or_init(|| config).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        let parsed = |text: &str| Address::parse(text).unwrap();
        assert_eq!(parsed("http://127.0.0.1:8787").url, "ws://127.0.0.1:8787/ws");
        assert_eq!(parsed("ws://localhost:8787/").url, "ws://localhost:8787/ws");
        assert_eq!(parsed("ws://[::1]:8787/calls/ws").url, "ws://[::1]:8787/calls/ws");
        assert_eq!(parsed("http://[::1]:8787").host, "::1");
        for wrong in ["", "calls.example", "ftp://calls.example", "http://", "http://me:word@calls.example"] {
            assert_eq!(Address::parse(wrong).unwrap_err().parameter, "server", "{wrong}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn https_is_wss() {
        let address = Address::parse("https://calls.example").unwrap();
        assert_eq!((address.url.as_str(), address.port, address.tls), ("wss://calls.example/ws", 443, true));
    }

    // spec: N3
    #[test]
    fn waits_double_up_to_a_quarter_of_a_minute_and_half_of_each_is_chance() {
        assert_eq!(back_off(0, 0.0), Duration::from_millis(250));
        assert_eq!(back_off(0, 1.0), Duration::from_millis(500));
        assert_eq!(back_off(3, 1.0), Duration::from_secs(4));
        assert_eq!(back_off(u32::MAX, 1.0), Duration::from_secs(15));
        assert!(back_off(5, 0.3) < back_off(5, 0.7));
    }
}
