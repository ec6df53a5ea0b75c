//! How the I/O thread wakes an event loop: by a descriptor that the loop waits for.

use std::io::{self, Read, Write};
#[cfg(unix)]
use std::os::fd::{AsRawFd, RawFd as Descriptor};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, RawSocket as Descriptor};

pub(super) struct Wakeup(ends::Ends);

impl Wakeup {
    pub(super) fn new() -> io::Result<Self> {
        ends::Ends::new().map(Self)
    }

    /// For the loop's `add_reader`.
    pub(super) fn descriptor(&self) -> Descriptor {
        #[cfg(unix)]
        return self.0.reader().as_raw_fd();
        #[cfg(windows)]
        return self.0.reader().as_raw_socket();
    }

    /// An error needs no handling: if the descriptor accepts no more, the loop has not read it yet.
    pub(super) fn set(&self) {
        let _ = self.0.writer().write(&1_u64.to_ne_bytes());
    }

    pub(super) fn clear(&self) {
        let _ = self.0.reader().read(&mut [0; 64]);
    }
}

/// An eventfd, which is both ends.
#[cfg(all(target_os = "linux", not(feature = "portable")))]
mod ends {
    use std::fs::File;
    use std::io;

    use rustix::event::{EventfdFlags, eventfd};

    pub(super) struct Ends(File);

    impl Ends {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?.into()))
        }

        pub(super) fn writer(&self) -> &File {
            &self.0
        }

        pub(super) fn reader(&self) -> &File {
            &self.0
        }
    }
}

/// Two connected sockets.
#[cfg(any(not(target_os = "linux"), feature = "portable"))]
mod ends {
    use std::io;

    #[cfg(any(not(unix), feature = "portable"))]
    use std::net::TcpStream as Socket;
    #[cfg(all(unix, not(feature = "portable")))]
    use std::os::unix::net::UnixStream as Socket;

    pub(super) struct Ends {
        writer: Socket,
        reader: Socket,
    }

    impl Ends {
        pub(super) fn new() -> io::Result<Self> {
            let (writer, reader) = pair()?;
            writer.set_nonblocking(true)?;
            reader.set_nonblocking(true)?;
            Ok(Self { writer, reader })
        }

        pub(super) fn writer(&self) -> &Socket {
            &self.writer
        }

        pub(super) fn reader(&self) -> &Socket {
            &self.reader
        }
    }

    #[cfg(all(unix, not(feature = "portable")))]
    fn pair() -> io::Result<(Socket, Socket)> {
        Socket::pair()
    }

    /// A connection of the process to itself: Windows has no pairs of sockets.
    #[cfg(any(not(unix), feature = "portable"))]
    fn pair() -> io::Result<(Socket, Socket)> {
        use std::net::{Ipv4Addr, TcpListener};
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let writer = Socket::connect(listener.local_addr()?)?;
        // Otherwise a byte would wait until the one before it is acknowledged.
        writer.set_nodelay(true)?;
        let own = writer.local_addr()?;
        loop {
            let (reader, from) = listener.accept()?;
            // Any program on the machine may have connected, too.
            if from == own {
                return Ok((writer, reader));
            }
        }
    }
}
