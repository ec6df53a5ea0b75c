//! A real server's process; the tests of the simulator have this file, too.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A server, ended with the test.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a program with these settings, on another port if the first one was taken meanwhile.
    pub(crate) fn run(program: impl AsRef<Path>, settings: &[&str]) -> Self {
        const TRIES: usize = 10;
        let program = program.as_ref();
        let started = || Self::run_on(free_port(), program, settings);
        let ends = || panic!("{} ends", program.display());
        std::iter::repeat_with(started).take(TRIES).flatten().next().unwrap_or_else(ends)
    }

    /// `None` if it ended, as it does if its port is taken.
    fn run_on(port: u16, program: &Path, settings: &[&str]) -> Option<Self> {
        /// How long a server may take, also on a machine that does other work.
        const BOUND: Duration = Duration::from_secs(60);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .args(settings)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start ({error}); set VALKEY_SERVER", program.display()));
        let mut server = Self { process, port, _folder: folder };
        let deadline = Instant::now() + BOUND;
        while !server.answers() {
            if server.process.try_wait().expect("a child's state").is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "{} does not answer", program.display());
            thread::sleep(Duration::from_millis(1));
        }
        Some(server)
    }

    /// That something is connected to is not enough: it may be another test's server, or the connection itself, which
    /// the system may have given this port.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut text = String::new();
        let asked = stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .and_then(|()| stream.write_all(b"INFO server\r\nQUIT\r\n"))
            .and_then(|()| stream.read_to_string(&mut text));
        asked.is_ok() && text.contains(&format!("process_id:{}\r", self.process.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free, as is that of a cluster's bus, 10,000 above. Most systems give neither to a connection of a
/// client.
fn free_port() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..22_000));
    ports.find(|&port| free(port) && free(port + 10_000)).expect("a free port")
}
