//! The task that serves a client on the I/O thread.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::calls::{batch, dispatch, fanout, watch};
use crate::client::linger::Linger;
use crate::client::message::Message;
use crate::client::outbox::Receiver;
use crate::model::cause::{AtDeadline, Cause};
use crate::model::completion::ReplyTo;
use crate::model::config::{Config, Mode};
use crate::model::error::{Error, Kind};
use crate::model::stats::Stats;
use crate::servers::directory::Servers;
use crate::servers::sentinel::Sentinel;
use crate::servers::sentinels::Sentinels;
use crate::tasks::guard;
use crate::upkeep::{heartbeat, sentinel_news};
use crate::wire::resp::Reply;

/// The life of a client on the I/O thread.
pub(super) async fn serve(
    config: Config,
    stats: Arc<Stats>,
    mut incoming: Receiver<Message>,
    opened: ReplyTo,
    is_simulated: bool,
) {
    let linger = Rc::new(Linger::new(is_simulated));
    let (bell, lingers) = (incoming.bell().clone(), linger.clone());
    let at_rest = move |commands| {
        if lingers.is_due(commands) {
            bell.ring();
        }
    };
    let servers = dispatch::servers(config, stats, at_rest);
    let mut unhandled = VecDeque::new();
    if open(&servers, &mut incoming, &mut unhandled, opened).await {
        let (checked, kept) = (servers.clone(), servers.clone());
        let checks = guard::keep("the periodic checks", move || check_periodically(checked.clone()));
        let heartbeats = guard::keep("the heartbeats", move || heartbeat::keep(kept.clone()));
        let news = listen_to_sentinels(&servers);
        while guard::run("a client", listen(&servers, &mut incoming, &mut unhandled, &linger)).await.is_err() {}
        checks.abort();
        heartbeats.abort();
        news.iter().for_each(JoinHandle::abort);
    }
    servers.close();
    // The tasks that held the connections end in this turn of the scheduler.
    tokio::task::yield_now().await;
    unhandled.extend(incoming.close());
    unhandled.into_iter().for_each(Message::refuse);
}

/// Returns whether the client can serve. Messages that arrive before that are kept in `unhandled`; closing the client
/// ends the attempt.
async fn open(
    servers: &Servers,
    incoming: &mut Receiver<Message>,
    unhandled: &mut VecDeque<Message>,
    opened: ReplyTo,
) -> bool {
    let opening = async { if servers.config.lazy { Ok(()) } else { servers.open().await } };
    let closing = async {
        let mut burst = VecDeque::new();
        while incoming.take(&mut burst).await {
            let is_close = burst.iter().any(|message| matches!(message, Message::Close(_)));
            unhandled.extend(burst.drain(..));
            if is_close {
                return;
            }
        }
    };
    let result = tokio::select! {
        biased;
        result = opening => result,
        () = closing => Err(Error::because(Kind::Closing, Cause::ClosedWhileConnecting)),
    };
    let can_serve = result.is_ok();
    opened.finish(result.map(|()| Reply::OKAY).map_err(Box::new));
    can_serve
}

/// Handles what is sent to the client, until it is closed.
async fn listen(
    servers: &Rc<Servers>,
    incoming: &mut Receiver<Message>,
    unhandled: &mut VecDeque<Message>,
    linger: &Linger,
) {
    // Whether calls were cancelled that may have waited on connections of their own.
    let mut closes = false;
    loop {
        let mut gone = BTreeSet::new();
        while let Some(message) = unhandled.pop_front() {
            if closes && !matches!(message, Message::Cancel(_)) {
                // A cancelled call that waits (BLPOP) must not get what a later call pushes, so the tasks of cancelled
                // calls end first.
                closes = false;
                tokio::task::yield_now().await;
            }
            match message {
                Message::Call(call) => dispatch::dispatch(servers, call),
                Message::Split(split) => fanout::in_parts(servers, split),
                Message::Batch(sending, reply_to) => batch::dispatch(servers, *sending, reply_to),
                Message::Watch(watching) => watch::dispatch(servers, *watching),
                Message::Release(watch) => servers.watches.release(watch),
                Message::Refresh => servers.refresh(),
                Message::Authenticate(password, reply_to) => authenticate(servers, password.0, reply_to),
                Message::Cancel(id) if servers.supervisor.cancel(id) => closes |= servers.has_lent(),
                Message::Cancel(id) => drop(gone.insert(id)),
                Message::Close(_) => return unhandled.push_front(message),
            }
        }
        if !gone.is_empty() {
            servers.cancel(gone);
        }
        if !next(servers, incoming, unhandled, linger).await {
            return;
        }
    }
}

/// Waits for what is sent to the client; false: nothing will come any more.
async fn next(
    servers: &Servers,
    incoming: &mut Receiver<Message>,
    unhandled: &mut VecDeque<Message>,
    linger: &Linger,
) -> bool {
    loop {
        if let Some(is_open) = incoming.look(unhandled) {
            return is_open;
        }
        incoming.rung().await;
        // The bell also rings when the client comes to rest.
        if !incoming.has_items() && servers.stats.is_at_rest() {
            linger.look(|| incoming.has_items(), || servers.stats.is_at_rest()).await;
        }
    }
}

/// Has all connections log in again.
fn authenticate(servers: &Rc<Servers>, password: String, reply_to: ReplyTo) {
    let supervision = servers.supervisor.supervise(&reply_to);
    let servers = servers.clone();
    guard::spawn("a login", async move {
        let work = timeout(servers.config.request_timeout, servers.authenticate(&password));
        let outcome = supervision.over(work).await.or_closed(|| Ok(Err(Error::closed_in_flight(true))));
        let outcome = outcome.map(|in_time| {
            let error = || Error::timeout(servers.config.request_timeout, AtDeadline::LoggingIn);
            in_time.unwrap_or_else(|_| Err(error())).map(|()| Reply::OKAY).map_err(Box::new)
        });
        servers.stats.finish_unless_gone(reply_to, outcome);
    });
}

fn listen_to_sentinels(servers: &Rc<Servers>) -> Vec<JoinHandle<()>> {
    let sentinels = servers.sentinels.iter().flat_map(Sentinels::all);
    let listen = |sentinel: &Rc<Sentinel>| {
        let (servers, sentinel) = (servers.clone(), sentinel.clone());
        guard::keep("the news of a Sentinel", move || sentinel_news::keep(servers.clone(), sentinel.clone()))
    };
    sentinels.map(listen).collect()
}

async fn check_periodically(servers: Rc<Servers>) {
    let Mode::Cluster { periodic_checks: Some(interval), .. } = servers.config.mode else { return };
    loop {
        tokio::time::sleep(interval).await;
        servers.refresh();
    }
}
