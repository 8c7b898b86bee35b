//! All socket I/O of a session: the only type that knows which WebSocket crate this is.
//!
//! It is tungstenite's: kept by many, and it checks the protocol fully. What is ready together leaves in one write, past
//! tungstenite's own buffer, which a connection would keep for as long as it lives: idle connections are a server's main
//! cost.

use super::raw::Raw;
use hyper::upgrade::Upgraded;
use ringback_protocol::ByeCode;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, WebSocket};

pub(crate) use tokio_tungstenite::tungstenite::Utf8Bytes as Text;

/// Bytes read at a time; most frames of a client have fewer.
const READ_BUFFER: usize = 1024;
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 8 * 1024;
/// Bytes that a frame's header may have.
const HEADER: usize = 10;
/// How long the last words may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);
/// How much of what a client still sends is read away, so that its closing doesn't swallow the last words.
const DRAINED: usize = 1024 * 1024;

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    /// A frame.
    Text(Text),
    /// A sign of life: a ping, or a pong.
    Alive,
    /// A frame larger than any may be.
    TooLarge,
    /// Something that no client of ours sends.
    Nonsense,
    /// The connection is gone.
    Closed,
}

/// The connection is gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone;

/// One WebSocket.
pub(crate) struct Io {
    socket: WebSocket<Raw>,
    /// Frames on their way out; nothing else may be written before all of it is.
    leaving: Vec<u8>,
    /// Whether tungstenite may not have answered a ping yet.
    pinged: bool,
}

impl Io {
    /// Takes an upgraded connection over; a frame may have at most `frame_bytes`.
    pub(crate) fn new(upgraded: Upgraded, frame_bytes: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            // Bounds the answers to pings of who reads none of them; past it only the newest is kept.
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(2 * WRITE_BUFFER)
            .max_frame_size(Some(frame_bytes))
            .max_message_size(Some(frame_bytes));
        let socket = WebSocket::from_raw_socket(Raw::new(upgraded), Role::Server, Some(config));
        Self { socket, leaving: Vec::new(), pinged: false }
    }

    /// Waits for what comes next. It may be given up at any moment, and loses nothing by it.
    pub(crate) async fn read(&mut self) -> Came {
        match self.ready(WebSocket::read).await {
            Ok(Message::Text(text)) => Came::Text(text),
            Ok(Message::Ping(_)) => {
                self.pinged = true;
                Came::Alive
            }
            Ok(Message::Pong(_)) => Came::Alive,
            Ok(Message::Binary(_) | Message::Frame(_)) => Came::Nonsense,
            Err(Error::Capacity(_)) => Came::TooLarge,
            Err(Error::Protocol(_) | Error::Utf8(_)) => Came::Nonsense,
            Ok(Message::Close(_)) | Err(_) => Came::Closed,
        }
    }

    /// Writes frames, together as far as they fit, and waits until they are out.
    pub(crate) async fn write(&mut self, frames: Vec<String>) -> Result<(), Gone> {
        if self.pinged {
            // The answer may be half written, and nothing may come into the midst of it.
            self.ready(WebSocket::flush).await.map_err(|_| Gone)?;
            self.pinged = false;
        }
        let bytes = frames.iter().map(|frame| HEADER + frame.len()).sum::<usize>();
        self.leaving.reserve(bytes.min(WRITE_BUFFER));
        for frame in frames {
            let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
            header.format(frame.len() as u64, &mut self.leaving).map_err(|_| Gone)?;
            self.leaving.extend_from_slice(frame.as_bytes());
            if self.leaving.len() > WRITE_BUFFER {
                self.leave().await?;
            }
        }
        self.leave().await
    }

    /// Writes what is on its way out. It may be given up, and then goes on where it was.
    async fn leave(&mut self) -> Result<(), Gone> {
        let raw = &mut self.socket.get_mut().stream;
        while !self.leaving.is_empty() {
            match raw.write(&self.leaving).await {
                Ok(0) | Err(_) => return Err(Gone),
                Ok(written) => drop(self.leaving.drain(..written)),
            }
        }
        // An idle connection keeps no buffer.
        self.leaving = Vec::new();
        raw.flush().await.map_err(|_| Gone)
    }

    /// Asks for a sign of life.
    pub(crate) async fn ping(&mut self) -> Result<(), Gone> {
        self.say(Message::Ping(Bytes::new()));
        self.ready(WebSocket::flush).await.map_err(|_| Gone)
    }

    /// Leaves a message with tungstenite, until it is flushed.
    fn say(&mut self, message: Message) {
        // What can't leave at once stays, and what fails fails again when it is flushed.
        let _ = self.socket.write(message);
    }

    /// Has tungstenite do something as soon as it can.
    async fn ready<T>(&mut self, mut act: impl FnMut(&mut WebSocket<Raw>) -> Result<T, Error>) -> Result<T, Error> {
        poll_fn(|cx| {
            self.socket.get_mut().wakes(cx.waker());
            match act(&mut self.socket) {
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
                done => Poll::Ready(done),
            }
        })
        .await
    }

    /// Ends what the other side has closed: its close is answered, as RFC 6455 (5.5.1) wants it.
    pub(crate) async fn closed(mut self) {
        let answer = async {
            // Nothing may come into the midst of a frame.
            if self.leave().await.is_ok() {
                let _ = self.ready(WebSocket::flush).await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, answer).await;
    }

    /// Says the last words, closes, and waits a moment for the other side to have read them.
    pub(crate) async fn close(mut self, code: ByeCode, bye: String) {
        let why = CloseFrame {
            code: match code {
                ByeCode::ShuttingDown => CloseCode::Away,
                ByeCode::PayloadTooLarge => CloseCode::Size,
                ByeCode::Unavailable | ByeCode::Slow => CloseCode::Again,
                ByeCode::Replaced => CloseCode::Normal,
                ByeCode::Unauthorized | ByeCode::UpgradeRequired | ByeCode::BadRequest => CloseCode::Policy,
            },
            reason: code.as_str().into(),
        };
        let farewell = async {
            // Whoever is gone already needs no last words.
            let _ = self.leave().await;
            self.say(Message::text(bye));
            self.say(Message::Close(Some(why)));
            let _ = self.ready(WebSocket::flush).await;
            // A connection that is closed with bytes unread is reset, and the last words may be lost with it.
            let raw = &mut self.socket.get_mut().stream;
            let _ = raw.shutdown().await;
            let mut rest = raw.take(DRAINED as u64);
            // Not an array: that would be part of every session's task for as long as it lives.
            let mut scratch = vec![0; 1024];
            while matches!(rest.read(&mut scratch).await, Ok(1..)) {}
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}
