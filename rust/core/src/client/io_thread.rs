//! The one thread on which all clients of a process do their I/O.
//!
//! All code that runs on it is single-threaded: there are no locks, and the order of events is easy to follow.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::model::once::OwnIds;

type Task = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A running I/O thread.
pub struct IoThread {
    tasks: mpsc::UnboundedSender<Task>,
    ended: std_mpsc::Receiver<()>,
    is_simulated: bool,
}

impl IoThread {
    pub fn start() -> io::Result<Self> {
        let (tasks, incoming) = mpsc::unbounded_channel();
        let (end, ended) = std_mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("glide_scripts".into()).spawn(move || {
            let local = LocalSet::new();
            local.block_on(&runtime, run(incoming));
            drop(local);
            // Do not wait for a name lookup that hangs in its own thread.
            runtime.shutdown_background();
            // Nobody may be waiting for the end.
            let _ = end.send(());
        })?;
        Ok(Self { tasks, ended, is_simulated: false })
    }

    /// Runs the tasks on the calling thread, within its `LocalSet`, for a simulation that drives that itself.
    #[doc(hidden)]
    pub fn simulated() -> Self {
        let (tasks, incoming) = mpsc::unbounded_channel();
        let (end, ended) = std_mpsc::channel();
        tokio::task::spawn_local(async move {
            run(incoming).await;
            // Nobody may be waiting for the end.
            let _ = end.send(());
        });
        Self { tasks, ended, is_simulated: true }
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.is_simulated
    }

    /// Random bytes that no other client has, in any process; in a simulation they are the seed's.
    pub(crate) fn nonce(&self) -> [u8; OwnIds::NONCE] {
        let mut nonce = [0; OwnIds::NONCE];
        if self.is_simulated {
            fastrand::fill(&mut nonce);
        } else {
            getrandom::fill(&mut nonce).expect("an operating system has random numbers");
        }
        nonce
    }

    /// Runs a future on the thread. After the thread has ended it is dropped.
    pub(crate) fn spawn<F>(&self, task: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        // This fails only if the thread has ended.
        let _ = self.tasks.send(Box::new(move || Box::pin(task())));
    }

    /// Ends the thread and all its connections. Returns whether it ended within that time.
    pub fn stop(self, within: Duration) -> bool {
        drop(self.tasks);
        self.ended.recv_timeout(within).is_ok()
    }
}

async fn run(mut incoming: mpsc::UnboundedReceiver<Task>) {
    while let Some(task) = incoming.recv().await {
        tokio::task::spawn_local(task());
    }
}

impl fmt::Debug for IoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoThread").finish_non_exhaustive()
    }
}
