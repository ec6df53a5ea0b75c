//! The client's end of a connection: what a read or a write of the client does.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use glide_scripts_core::{Stream, Unacknowledged};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Fate, Line, State};
use crate::world::{Wire, World};

pub(super) struct ClientSocket {
    pub(super) wire: Rc<Line>,
    pub(super) world: Rc<World>,
    pub(super) is_plain: bool,
}

impl Stream for ClientSocket {
    fn is_plain(&self) -> bool {
        self.is_plain
    }

    fn unacknowledged(&self, _ask: Option<Unacknowledged>) -> Option<usize> {
        Some(self.wire.up.borrow().len())
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = &self.wire;
        let length = wire.arrived.borrow().len().min(buffer.remaining());
        if length > 0 {
            let part = self.world.once_in(4);
            let count = if part { 1 + self.world.below(length as u64) } else { length as u64 };
            let count = usize::try_from(count).unwrap_or(length);
            let bytes: Vec<u8> = wire.arrived.borrow_mut().drain(..count).collect();
            buffer.put_slice(&bytes);
            return Poll::Ready(Ok(()));
        }
        match wire.state.get() {
            State::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            State::Ended => Poll::Ready(Ok(())),
            State::Open => {
                wire.reader.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (wire, world) = (&self.wire, &self.world);
        if wire.state.get() == State::Reset {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = wire.room.get().saturating_sub(wire.up.borrow().len() as u64);
        if room == 0 {
            wire.writer.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        let most = room.min(bytes.len() as u64);
        let mut count = if world.once_in(4) { 1 + world.below(most) } else { most };
        if let Fate::ResetAfterWriting(after) = wire.fate.get() {
            count = count.min(after.saturating_sub(wire.written.get()));
            let count = usize::try_from(count).unwrap_or(0);
            wire.take(world, &bytes[..count]);
            if wire.written.get() >= after {
                wire.reset(world);
                // A plain socket says how much it accepted. Under TLS, a part may have been written, and it is not
                // known which.
                if !self.is_plain || count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
            }
            return Poll::Ready(Ok(count));
        }
        let count = usize::try_from(count).unwrap_or(0);
        wire.take(world, &bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        self.wire.is_dropped.set(true);
        self.wire.wake();
    }
}
