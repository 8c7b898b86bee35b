//! A connection as tungstenite wants it, which knows no tasks: what isn't ready says so, and wakes the session's.
//!
//! `tokio-tungstenite` does the same for any two tasks, and keeps a waker for each in memory of its own.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection, and the task that it is for.
pub(super) struct Raw {
    pub(super) stream: TokioIo<Upgraded>,
    waker: Waker,
}

impl Raw {
    pub(super) fn new(upgraded: Upgraded) -> Self {
        Self { stream: TokioIo::new(upgraded), waker: Waker::noop().clone() }
    }

    /// Names the task to wake.
    pub(super) fn wakes(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }

    fn now<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut TokioIo<Upgraded>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        match poll(Pin::new(&mut self.stream), &mut Context::from_waker(&self.waker)) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut into = ReadBuf::new(into);
        self.now(|stream, cx| stream.poll_read(cx, &mut into))?;
        Ok(into.filled().len())
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.now(|stream, cx| stream.poll_write(cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.now(|stream, cx| stream.poll_flush(cx))
    }
}
