//! A client that takes it calmly when the server is gone.

use futures_util::{SinkExt, StreamExt};
use ringback_server::testing::hello;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The wall clock, in ms since 1970.
#[allow(clippy::disallowed_methods)] // tokens are judged by the wall clock
pub(crate) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// The connection is closed; with the server's `bye`, if it said one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gone(pub(crate) Option<Value>);

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// What came while something else was awaited.
    waiting: VecDeque<Value>,
    bye: Option<Value>,
    requests: u64,
    /// The frames of the handshake, from `welcome` to `synced`.
    pub(crate) opening: Vec<Value>,
}

impl Client {
    /// Opens the WebSocket and says nothing yet.
    pub(crate) async fn open(at: SocketAddr) -> Result<Self, Gone> {
        let stream = TcpStream::connect(at).await.map_err(|_| Gone(None))?;
        stream.set_nodelay(true).map_err(|_| Gone(None))?;
        let opened = tokio_tungstenite::client_async(format!("ws://{at}/ws"), stream);
        let opened = tokio::time::timeout(PATIENCE, opened).await.expect("the server answers the upgrade");
        let (socket, _) = opened.map_err(|_| Gone(None))?;
        Ok(Self { socket, waiting: VecDeque::new(), bye: None, requests: 0, opening: Vec::new() })
    }

    /// Connects a device as a good one does, up to `synced`.
    pub(crate) async fn connect(at: SocketAddr, user: &str, device: &str, more: Value) -> Result<Self, Gone> {
        let mut client = Self::open(at).await?;
        let mut hello = hello(user, device);
        for (field, value) in more.as_object().into_iter().flatten() {
            hello[field] = value.clone();
        }
        client.say(&hello).await?;
        loop {
            let frame = client.next().await?;
            let synced = frame["type"] == "synced";
            client.opening.push(frame);
            if synced {
                return Ok(client);
            }
        }
    }

    /// Sends a frame.
    pub(crate) async fn say(&mut self, frame: &Value) -> Result<(), Gone> {
        let sent = self.socket.send(Message::text(frame.to_string())).await;
        sent.map_err(|_| Gone(self.bye.clone()))
    }

    /// The next frame, whatever it is.
    pub(crate) async fn next(&mut self) -> Result<Value, Gone> {
        match self.waiting.pop_front() {
            Some(frame) => Ok(frame),
            None => tokio::time::timeout(PATIENCE, self.read()).await.expect("a frame comes in time"),
        }
    }

    /// The next frame if one comes within `time`.
    pub(crate) async fn next_within(&mut self, time: Duration) -> Result<Option<Value>, Gone> {
        match self.waiting.pop_front() {
            Some(frame) => Ok(Some(frame)),
            None => tokio::time::timeout(time, self.read()).await.map_or(Ok(None), |frame| frame.map(Some)),
        }
    }

    /// Waits for the frame that `is` it; those before it stay for [`Client::next`].
    pub(crate) async fn until(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value, Gone> {
        if let Some(at) = self.waiting.iter().position(&is) {
            return Ok(self.waiting.remove(at).unwrap());
        }
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let frame = self.read().await?;
                if is(&frame) {
                    return Ok(frame);
                }
                self.waiting.push_back(frame);
            }
        });
        waited.await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// The next request's frame, with an id of its own.
    pub(crate) fn ask(&mut self, kind: &str, fields: Value) -> Value {
        self.requests += 1;
        let mut frame = fields;
        frame["type"] = kind.into();
        frame["id"] = format!("r-{}-{}", wall_ms(), self.requests).into();
        frame
    }

    /// Asks for something and waits for its answer: `ok`, or `error`.
    pub(crate) async fn request(&mut self, kind: &str, fields: Value) -> Result<Result<Value, Value>, Gone> {
        let frame = self.ask(kind, fields);
        self.repeat(&frame).await
    }

    /// Sends a request's frame, for the first time or again, and waits for its answer.
    pub(crate) async fn repeat(&mut self, frame: &Value) -> Result<Result<Value, Value>, Gone> {
        self.say(frame).await?;
        let answers = |reply: &Value| reply["type"] == "reply" && reply["id"] == frame["id"];
        let mut reply = self.until(&format!("the answer to {frame}"), answers).await?;
        Ok(match reply.get_mut("error").map(Value::take) {
            Some(error) if !error.is_null() => Err(error),
            _ => Ok(reply["ok"].take()),
        })
    }

    async fn read(&mut self) -> Result<Value, Gone> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).expect("the server sends JSON");
                    if frame["type"] == "bye" {
                        self.bye = Some(frame);
                        continue;
                    }
                    return Ok(frame);
                }
                Some(Ok(_)) => {} // pings are answered by the library
                Some(Err(_)) | None => return Err(Gone(self.bye.clone())),
            }
        }
    }
}
