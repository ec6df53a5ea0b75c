//! The bytes of one connection: what is read and not yet decoded, and what is about to be written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
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
    /// How much is read at once: it follows what there is to read.
    room: usize,
    pub(crate) decoder: Decoder,
    pub(crate) output: Output,
    /// Bytes handed to the stream since the connection was made.
    pub(crate) written: u64,
    /// Where the bytes begin that the server does not read, as its last reply says.
    pub(crate) unread_from: Option<u64>,
    needs_flush: bool,
    /// Replies received.
    pub(crate) received: u64,
}

impl Io {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            stream: connection.stream,
            input: connection.buffer,
            room: LEAST_ROOM,
            decoder: connection.decoder,
            output: Output::default(),
            written: 0,
            unread_from: None,
            needs_flush: false,
            received: 0,
        }
    }

    /// Bytes written and bytes that are about to be.
    pub(crate) fn queued(&self) -> u64 {
        self.written + self.output.len() as u64
    }

    /// How many of the bytes the peer's machine has taken, where the system says so. Under TLS it is a little less,
    /// since records are longer than what is in them.
    pub(crate) fn taken(&self, unacknowledged: Option<Unacknowledged>) -> Option<u64> {
        let queued = self.stream.unacknowledged(unacknowledged)?;
        Some(self.written.saturating_sub(queued as u64))
    }

    /// Writes the output up to a count of all bytes written, and flushes where that is all of it.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, up_to: u64) -> Poll<io::Result<()>> {
        while self.output.len() > 0 {
            if self.written >= up_to {
                return Poll::Ready(Ok(()));
            }
            let most = usize::try_from(up_to - self.written).unwrap_or(usize::MAX);
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.output.slices(most, &mut slices);
            let is_plain = self.stream.is_plain();
            let stream = Pin::new(&mut *self.stream);
            let result = ready!(match &slices[..count] {
                slices @ [_, _, ..] if is_plain => stream.poll_write_vectored(cx, slices),
                slices => stream.poll_write(cx, &slices[0]),
            });
            if result.is_err() && !is_plain {
                // TLS writes a chunk in pieces, and does not say how many of them went out before one failed.
                self.written += slices[0].len() as u64;
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
        const KEPT: usize = 1 << 20;
        if self.input.is_empty() && self.input.capacity() > KEPT {
            // The memory that a large reply took is freed.
            self.input = BytesMut::new();
        }
        let (free, missing) = (self.input.capacity() - self.input.len(), self.decoder.missing());
        if free < missing.max(LEAST_ROOM / 4) {
            // Makes room for both at once: each time the buffer grows, what was read of a string is copied.
            self.input.reserve(missing.max(self.room));
        }
        let free = self.input.capacity() - self.input.len();
        let count = ready!(poll_read_buf(Pin::new(&mut *self.stream), cx, &mut self.input))?;
        if count == free {
            self.room = (self.room * 2).min(MOST_ROOM);
        } else if missing == 0 && count < LEAST_ROOM / 4 {
            self.room = LEAST_ROOM;
        }
        Poll::Ready(Ok(count))
    }
}

/// How much is read at once at least, and at most.
const LEAST_ROOM: usize = 64 << 10;
const MOST_ROOM: usize = 256 << 10;

/// How many chunks are written at once.
const SLICES: usize = 16;

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

    /// The first chunks, up to that many bytes in all; how many chunks.
    fn slices<'a>(&'a self, most: usize, slices: &mut [IoSlice<'a>]) -> usize {
        let mut rest = most;
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let chunks = self.chunks.iter().map(|chunk| &chunk[..]).chain(tail);
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(chunks) {
            if rest == 0 {
                break;
            }
            let length = chunk.len().min(rest);
            *slice = IoSlice::new(&chunk[..length]);
            rest -= length;
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        self.length -= count;
        while let Some(chunk) = self.chunks.front_mut() {
            if count < chunk.len() {
                chunk.advance(count);
                return;
            }
            count -= chunk.len();
            self.chunks.pop_front();
        }
        self.tail.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;
    use crate::wire::resp::Frame;

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
        fn is_plain(&self) -> bool {
            self.is_plain
        }
    }

    /// Takes that many bytes of each write, and nothing once there are `most`.
    struct Taking {
        taken: std::rc::Rc<std::cell::RefCell<(Vec<u8>, usize)>>,
        at_once: usize,
    }

    impl AsyncRead for Taking {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Taking {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, chunk: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(chunk)])
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let mut taken = self.taken.borrow_mut();
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter()).take(self.at_once).copied().collect();
            taken.0.extend(&bytes);
            taken.1 += 1;
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Stream for Taking {}

    #[test]
    fn large_and_small_requests_are_written_together_in_their_order_and_no_further_than_they_may_be() {
        let requests: Vec<Bytes> = [40_000, 3, 5, 70_000, 33_000, 1]
            .iter()
            .zip(b'a'..)
            .map(|(length, byte)| vec![byte; *length].into())
            .collect();
        let expected: Vec<u8> = requests.iter().flatten().copied().collect();
        for at_once in [usize::MAX, 65_536, 40_007, 999] {
            let taken = std::rc::Rc::default();
            let mut io = Io::new(Connection::new(Box::new(Taking { taken: std::rc::Rc::clone(&taken), at_once })));
            requests.iter().for_each(|request| io.output.push(request));
            let mut cx = Context::from_waker(Waker::noop());
            for up_to in [40_004, 110_008, u64::MAX] {
                assert!(matches!(io.poll_write(&mut cx, up_to), Poll::Ready(Ok(()))));
                let written = usize::try_from(up_to).unwrap_or(usize::MAX).min(expected.len());
                assert_eq!(taken.borrow().0, expected[..written]);
                assert_eq!((io.written, io.queued()), (written as u64, expected.len() as u64));
            }
            if at_once == usize::MAX {
                assert_eq!(taken.borrow().1, 3, "each time it is one write");
            }
        }
    }

    /// Gives that many bytes of strings to each read.
    struct Giving {
        bytes: Vec<u8>,
        reads: std::rc::Rc<std::cell::Cell<usize>>,
    }

    impl AsyncRead for Giving {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let count = buffer.remaining().min(self.bytes.len());
            buffer.put_slice(&self.bytes[..count]);
            self.bytes.drain(..count);
            self.reads.set(self.reads.get() + 1);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Giving {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Stream for Giving {}

    #[test]
    fn what_is_read_at_once_follows_the_size_of_the_replies() {
        let text = vec![b'x'; 65_536];
        let value = [&b"$65536\r\n"[..], &text, b"\r\n"].concat();
        for (values, most_reads) in [(1, 2), (64, 24)] {
            let reads = std::rc::Rc::default();
            let giving = Giving { bytes: value.repeat(values), reads: std::rc::Rc::clone(&reads) };
            let mut io = Io::new(Connection::new(Box::new(giving)));
            let mut replies = 0;
            while replies < values {
                let read = io.poll_read(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(read, Poll::Ready(Ok(1..))));
                while let Some(frame) = io.decoder.decode(&mut io.input).expect("valid replies") {
                    assert!(matches!(frame, Frame::Reply(reply) if reply.as_bytes() == Some(&text)));
                    replies += 1;
                }
            }
            assert!(reads.get() <= most_reads, "{} reads for {values} values", reads.get());
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
