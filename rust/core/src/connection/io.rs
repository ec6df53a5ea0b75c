//! The bytes of one connection: what is read and not yet decoded, and what is about to be written.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::io::poll_read_buf;

use crate::connection::connect::Connection;
use crate::model::config::{Stream, Unacknowledged};
use crate::wire::resp::Decoder;

/// One connection with its buffers.
pub(crate) struct Io {
    stream: Box<dyn Stream>,
    pub(crate) input: BytesMut,
    pub(crate) decoder: Decoder,
    pub(crate) output: Output,
    /// Bytes handed to the stream since the connection was made.
    pub(crate) written: u64,
    needs_flush: bool,
    /// Replies received.
    pub(crate) received: u64,
}

impl Io {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            stream: connection.stream,
            input: connection.buffer,
            decoder: connection.decoder,
            output: Output::default(),
            written: 0,
            needs_flush: false,
            received: 0,
        }
    }

    /// Bytes written and bytes that are about to be.
    pub(crate) fn queued(&self) -> u64 {
        self.written + self.output.len() as u64
    }

    /// How many of the bytes the peer's machine has taken, where the system says so. Under TLS it is a little less, since
    /// records are longer than what is in them.
    pub(crate) fn taken(&self, unacknowledged: Option<Unacknowledged>) -> Option<u64> {
        let queued = self.stream.unacknowledged(unacknowledged)?;
        Some(self.written.saturating_sub(queued as u64))
    }

    /// Writes the output up to a count of all bytes written, and flushes where that is all of it.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, up_to: u64) -> Poll<io::Result<()>> {
        while let Some(chunk) = self.output.front() {
            if self.written >= up_to {
                return Poll::Ready(Ok(()));
            }
            let length = chunk.len().min(usize::try_from(up_to - self.written).unwrap_or(usize::MAX));
            let chunk = &chunk[..length];
            let result = ready!(Pin::new(&mut *self.stream).poll_write(cx, chunk));
            if result.is_err() && !self.stream.is_plain() {
                // TLS writes a chunk in pieces, and does not say how many of them went out before one failed.
                self.written += length as u64;
            }
            let count = result?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(count);
            self.written += count as u64;
            self.needs_flush = true;
        }
        if self.needs_flush {
            ready!(Pin::new(&mut *self.stream).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        const ROOM: usize = 64 << 10;
        const KEPT: usize = 1 << 20;
        if self.input.is_empty() && self.input.capacity() > KEPT {
            // What a large reply took is given back.
            self.input = BytesMut::new();
        }
        if self.input.capacity() - self.input.len() < ROOM / 4 {
            self.input.reserve(ROOM);
        }
        poll_read_buf(Pin::new(&mut *self.stream), cx, &mut self.input)
    }
}

/// Bytes to be written: small requests share a buffer, large ones are written from where they are.
#[derive(Default)]
pub(crate) struct Output {
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    length: usize,
}

impl Output {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn push(&mut self, wire: &Bytes) {
        const LARGE: usize = 32 << 10;
        if wire.len() < LARGE {
            self.tail.extend_from_slice(wire);
        } else {
            if !self.tail.is_empty() {
                self.chunks.push_back(self.tail.split().freeze());
            }
            self.chunks.push_back(wire.clone());
        }
        self.length += wire.len();
    }

    /// Keeps that many bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = length;
        let mut rest = length;
        for index in 0..self.chunks.len() {
            let chunk = &mut self.chunks[index];
            if rest < chunk.len() {
                chunk.truncate(rest);
                self.chunks.truncate(index + usize::from(rest > 0));
                self.tail.clear();
                return;
            }
            rest -= chunk.len();
        }
        self.tail.truncate(rest);
    }

    fn front(&self) -> Option<&[u8]> {
        match self.chunks.front() {
            Some(chunk) => Some(chunk),
            None if self.tail.is_empty() => None,
            None => Some(&self.tail),
        }
    }

    fn advance(&mut self, count: usize) {
        self.length -= count;
        match self.chunks.front_mut() {
            Some(chunk) => {
                chunk.advance(count);
                if chunk.is_empty() {
                    self.chunks.pop_front();
                }
            }
            None => self.tail.advance(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// Fails each write.
    struct Failing {
        is_plain: bool,
    }

    impl AsyncRead for Failing {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Failing {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Stream for Failing {
        fn unacknowledged(&self, _ask: Option<Unacknowledged>) -> Option<usize> {
            None
        }

        fn is_plain(&self) -> bool {
            self.is_plain
        }
    }

    #[test]
    fn a_write_that_fails_under_tls_may_have_written_all_that_it_was_given() {
        for (is_plain, written) in [(true, 0), (false, 8)] {
            let stream = Box::new(Failing { is_plain });
            let mut io = Io::new(Connection::new(stream));
            io.output.push(&Bytes::from_static(b"a\r\nb\r\nc\r"));
            let result = io.poll_write(&mut Context::from_waker(Waker::noop()), u64::MAX);
            assert!(matches!(result, Poll::Ready(Err(_))));
            assert_eq!(io.written, written, "plain: {is_plain}");
        }
    }
}
