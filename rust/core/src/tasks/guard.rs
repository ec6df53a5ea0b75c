//! Panics on the I/O thread. A panic is a bug. The call that it hits ends in an error; other calls keep their deadlines
//! and their servers.
//!
//! The panic's own message goes to the process's standard error, and nowhere else: it may quote what was being handled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::task::{JoinHandle, spawn_local, unconstrained};

/// There was a panic. It has been logged, and the work in progress was dropped.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Takes one step of some work.
pub(crate) fn caught<T>(what: &str, step: impl FnOnce() -> T) -> Result<T, Panicked> {
    // A panic may leave only queues half changed: their lengths are counted again, and dropping a call ends it.
    catch_unwind(AssertUnwindSafe(step)).map_err(|_| {
        log::error!("{what} met a bug in glide_scripts and was restarted; standard error has the panic's message");
        Panicked
    })
}

/// Runs a future to its end, or to its panic.
pub(crate) async fn run<T>(what: &str, work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match caught(what, || work.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Runs a task whose calls, should it panic, end in an error as they are dropped. It begins at once.
pub(crate) fn spawn(what: &'static str, work: impl Future<Output = ()> + 'static) {
    spawn_local(begun(async move {
        // It has been logged, and nobody waits for the task itself.
        let _ = run(what, work).await;
    }));
}

/// Begins some work at once, and gives the rest of it: what it sends first is in line before what is issued later.
pub(crate) fn begun<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let mut work = Box::pin(work);
    // Whatever it waits for wakes the task that the rest becomes, which looks again when it begins. The task that runs
    // now may have used up its turn, which would make what is ready seem not to be.
    let mut step = pin!(unconstrained(work.as_mut()));
    let begun = step.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    async move {
        match begun {
            Poll::Ready(output) => output,
            Poll::Pending => work.await,
        }
    }
}

/// Runs work that goes on without an end, and starts it again after a panic. It must begin with a pause.
pub(crate) fn keep<F: Future<Output = ()> + 'static>(
    what: &'static str,
    work: impl Fn() -> F + 'static,
) -> JoinHandle<()> {
    spawn_local(async move { while run(what, work()).await.is_err() {} })
}
