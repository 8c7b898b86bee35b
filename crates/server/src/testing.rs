//! A server on a free port, and a client of few words: for tests, of this crate and of others.
//!
//! Everything here panics when the test's own setting fails; what the server says comes back to the test.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that can't be set up has failed

use crate::config::{Auth, Secret};
use crate::{Config, DriverError, Server, token, wall};
use futures_util::{SinkExt, StreamExt};
use ringback_core::id::UserId;
use ringback_core::time::Timestamp;
use ringback_store::{Memory, Store};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long anything that a test waits for may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The secret that test servers check tokens with.
pub fn secret() -> Secret {
    Secret::new(*b"a secret for tests, of 32 bytes!")
}

/// A token for a user, called like their id with a capital letter, that expires at this moment of the wall clock.
pub fn token(user: &str, expires: Timestamp) -> String {
    let name = user[..1].to_uppercase() + &user[1..];
    token::sign(&secret(), &UserId::new(user).unwrap(), &name, expires).unwrap()
}

/// A configuration for a test: a free port on loopback, and the tests' secret.
pub fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        auth: Auth::Keys { secret: Some(secret()), public_key: None },
        ..Config::default()
    }
}

/// A server of a test's own.
#[derive(Debug)]
pub struct TestServer {
    server: Server,
}

impl TestServer {
    /// Starts one that keeps everything in memory.
    pub async fn start() -> Self {
        Self::with(config(), Box::new(Memory::new())).await
    }

    /// Starts one with a configuration and a store.
    pub async fn with(config: Config, store: Box<dyn Store>) -> Self {
        Self { server: Server::start(config, store).await.unwrap() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A user's device, connected and caught up.
    pub async fn device(&self, user: &str, device: &str) -> TestClient {
        TestClient::connect(self.address(), user, device).await
    }

    /// A bare WebSocket, before its hello.
    pub async fn socket(&self) -> TestClient {
        TestClient::open(self.address()).await
    }

    /// Stops it, losing nothing.
    pub async fn stop(self) -> Result<(), DriverError> {
        self.server.stop().await
    }

    /// Waits until it can't go on.
    pub async fn failed(&mut self) -> DriverError {
        self.server.failed().await
    }
}

/// A client of few words: it sends what it is given, and hands out what comes.
#[derive(Debug)]
pub struct TestClient {
    socket: WebSocketStream<TcpStream>,
    /// What came while a test waited for something else, in order.
    passed: Vec<Value>,
    requests: u64,
    name: String,
}

/// A hello of a user's device, with the defaults of the configuration.
pub fn hello(user: &str, device: &str) -> Value {
    json!({
        "type": "hello", "token": token(user, wall() + Duration::from_secs(3600)), "protocol": 1,
        "device": { "id": device, "platform": "test", "sdk": "0.1.0" },
    })
}

impl TestClient {
    /// Opens a WebSocket and says nothing.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, address).await
    }

    /// The same over a connection of the test's own making.
    pub async fn over(stream: TcpStream, address: SocketAddr) -> Self {
        let (socket, _) = client_async(format!("ws://{address}/ws"), stream).await.unwrap();
        Self { socket, passed: Vec::new(), requests: 0, name: String::new() }
    }

    /// Connects a user's device, and returns once it is caught up; what came is [`TestClient::passed`].
    pub async fn connect(address: SocketAddr, user: &str, device: &str) -> Self {
        let mut client = Self::open(address).await;
        client.greet(&hello(user, device)).await;
        client
    }

    /// Says this hello, and waits until caught up.
    pub async fn greet(&mut self, hello: &Value) {
        self.name = format!("{}-{}", hello["device"]["id"].as_str().unwrap(), nonce());
        self.send(hello).await;
        self.until(|frame| frame["type"] == "synced").await;
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.send_text(frame.to_string()).await;
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: impl Into<String>) {
        // The server may have closed the connection already: then the test learns it from what comes.
        let _ = self.socket.send(Message::text(text.into())).await;
    }

    /// Sends a WebSocket message of any kind.
    pub async fn send_message(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    /// The next frame that the server sends; none once it has closed the connection.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let came = timeout(PATIENCE, self.socket.next()).await.expect("a frame, or the end, in time");
            match came {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The first frame, of those that passed and those to come, that fits. Those before it are kept.
    pub async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.passed.iter().position(&fits) {
            return self.passed.remove(at);
        }
        loop {
            let frame = self.next().await;
            let frame = frame.unwrap_or_else(|| panic!("{}: closed; there had been {:?}", self.name, self.passed));
            if fits(&frame) {
                return frame;
            }
            self.passed.push(frame);
        }
    }

    /// What came while the test waited for something else; empty from then on.
    pub fn passed(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.passed)
    }

    /// The last word before the connection is closed, by its code.
    pub async fn bye(&mut self) -> String {
        let bye = self.until(|frame| frame["type"] == "bye").await;
        assert_eq!(self.next().await, None, "after the last word comes nothing");
        bye["code"].as_str().unwrap().to_owned()
    }

    /// Sends a request with an id of its own, and returns the id.
    pub async fn request(&mut self, mut request: Value) -> String {
        self.requests += 1;
        let id = format!("{}-{}", self.name, self.requests);
        request["id"] = json!(id);
        self.send(&request).await;
        id
    }

    /// Asks, and returns the whole reply.
    pub async fn reply(&mut self, request: Value) -> Value {
        let id = self.request(request).await;
        self.until(|frame| frame["type"] == "reply" && frame["id"] == json!(id)).await
    }

    /// Asks, and returns what was done.
    pub async fn ask(&mut self, request: Value) -> Value {
        let reply = self.reply(request.clone()).await;
        assert!(reply.get("ok").is_some(), "{request} was refused: {reply}");
        reply["ok"].clone()
    }

    /// Asks, and returns the code that it was refused with.
    pub async fn refused(&mut self, request: Value) -> String {
        let reply = self.reply(request.clone()).await;
        let code = reply["error"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{request} was taken: {reply}")).to_owned()
    }

    /// A view of this call in which the device's user has this state in their last turn.
    pub async fn call(&mut self, invitation: &Value, state: &str) -> Value {
        let fits = |frame: &Value| {
            frame["type"] == "call"
                && frame["invitation_id"] == *invitation
                && frame["own"].as_array().and_then(|own| own.last()).is_some_and(|turn| turn["state"] == state)
        };
        self.until(fits).await
    }

    /// The next frame, if one comes within `time`.
    pub async fn next_within(&mut self, time: Duration) -> Option<Value> {
        timeout(time, self.next()).await.unwrap_or(None)
    }

    /// How many bytes have come that nobody has read, even of a frame that isn't whole.
    pub fn bytes_there(&self) -> usize {
        match self.socket.get_ref().try_read(&mut [0; 1024]) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(error) => panic!("{error}"),
        }
    }

    /// Closes the connection as a client does that means it; the code by which the server closes it too, if it does.
    pub async fn close(mut self) -> Option<u16> {
        let why = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
        self.send_message(Message::Close(Some(why))).await;
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("an answer, or the end, in time") {
                Some(Ok(Message::Close(answer))) => return answer.map(|answer| answer.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Goes away without a word, as when the network is lost.
    pub fn vanish(self) {}
}

/// Sends an HTTP request of these header lines, and returns the status and the whole answer.
pub async fn http(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer in time").unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no HTTP: {answer}")), answer)
}

/// The value of one of the server's metrics.
pub async fn metric(address: SocketAddr, name: &str) -> f64 {
    let (_, text) = http(address, "/metrics", &[("Host", "127.0.0.1")]).await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Something that no other client of this process has.
fn nonce() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
