//! The descriptor by which the I/O thread wakes an event loop.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

/// An eventfd.
#[cfg(target_os = "linux")]
pub(super) struct Wakeup(std::fs::File);

#[cfg(target_os = "linux")]
impl Wakeup {
    pub(super) fn new() -> io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?.into()))
    }

    fn ends(&self) -> (&std::fs::File, &std::fs::File) {
        (&self.0, &self.0)
    }
}

/// A pair of sockets, where there is no eventfd: one to write, one to read.
#[cfg(not(target_os = "linux"))]
pub(super) struct Wakeup(std::os::unix::net::UnixStream, std::os::unix::net::UnixStream);

#[cfg(not(target_os = "linux"))]
impl Wakeup {
    pub(super) fn new() -> io::Result<Self> {
        let (writer, reader) = std::os::unix::net::UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        reader.set_nonblocking(true)?;
        Ok(Self(writer, reader))
    }

    fn ends(&self) -> (&std::os::unix::net::UnixStream, &std::os::unix::net::UnixStream) {
        (&self.0, &self.1)
    }
}

impl Wakeup {
    /// For the loop's `add_reader`.
    pub(super) fn descriptor(&self) -> RawFd {
        self.ends().1.as_raw_fd()
    }

    /// An error needs no handling: a descriptor that takes no more is set already.
    pub(super) fn set(&self) {
        let _ = self.ends().0.write(&1_u64.to_ne_bytes());
    }

    pub(super) fn clear(&self) {
        let _ = self.ends().1.read(&mut [0; 64]);
    }
}
