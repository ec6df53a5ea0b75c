//! The handle of a client, for any thread; and the task that serves it on the I/O thread.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::calls::batch;
use crate::calls::dispatch;
use crate::calls::fanout;
use crate::calls::watch::{self, Watching};
use crate::client::io_thread::IoThread;
use crate::client::linger::Linger;
use crate::client::outbox::{Bell, Receiver, Sender, outbox};
use crate::model::batch::{Batch, BatchOptions, Sending};
use crate::model::call::Call;
use crate::model::cause::{AtDeadline, Cause};
use crate::model::completion::{CallId, Permit, ReplyTo};
use crate::model::config::{Config, Credentials, Mode};
use crate::model::error::{Error, Kind};
use crate::model::once::OwnIds;
use crate::model::request::{Gather, Request};
use crate::model::route::Route;
use crate::model::split::{Part, Split};
use crate::model::stats::Stats;
use crate::servers::directory::Servers;
use crate::servers::sentinel::Sentinel;
use crate::servers::sentinels::Sentinels;
use crate::tasks::guard;
use crate::upkeep::heartbeat;
use crate::upkeep::sentinel_news;
use crate::wire::resp::{Item, Reply};

/// A client of one server or one cluster. Dropping it closes it.
#[derive(Debug)]
pub struct Client {
    messages: Sender<Message>,
    request_timeout: Duration,
    inflight_limit: Option<usize>,
    in_flight: Arc<AtomicUsize>,
    pending_bytes_limit: usize,
    credentials: Arc<Credentials>,
    stats: Arc<Stats>,
    own_ids: OwnIds,
    closed: AtomicBool,
    /// The error text of calls in flight, if the caller of `close` gave one.
    closing_text: OnceLock<Box<str>>,
}

const OKAY: Reply = Reply::One(Item::Okay);

#[derive(Debug)]
enum Message {
    Call(Call),
    Split(Split),
    Batch(Box<Sending>, ReplyTo),
    Watch(Box<Watching>),
    /// Nobody will use the connection of that name again.
    Release(u64),
    Authenticate(Box<Secret>, ReplyTo),
    Cancel(CallId),
    Close(ReplyTo),
}

/// A password.
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Message {
    /// Its state after the client has ended.
    fn refuse(self) {
        let reply_to = match self {
            Self::Call(Call { reply_to, .. })
            | Self::Split(Split { reply_to, .. })
            | Self::Batch(_, reply_to)
            | Self::Authenticate(_, reply_to) => reply_to,
            Self::Watch(watching) => watching.reply_to,
            Self::Cancel(_) | Self::Release(_) => return,
            Self::Close(closed) => return closed.finish(Ok(OKAY)),
        };
        reply_to.finish(Err(Box::new(Error::closed())));
    }
}

impl Client {
    /// Makes a client on the I/O thread. `opened` gets an `OK` once it can serve, or the reason why it never will;
    /// a lazy client connects at its first call.
    pub fn open(config: Config, io: &IoThread, opened: ReplyTo) -> Self {
        let (messages, incoming) = outbox();
        let stats = Arc::new(Stats::default());
        let client = Self {
            messages,
            request_timeout: config.request_timeout,
            inflight_limit: config.inflight_limit,
            in_flight: Arc::default(),
            pending_bytes_limit: config.pending_bytes_limit,
            credentials: config.connection.credentials.clone(),
            stats: stats.clone(),
            own_ids: OwnIds::new(io.nonce()),
            closed: AtomicBool::new(false),
            closing_text: OnceLock::new(),
        };
        let is_simulated = io.is_simulated();
        io.spawn(move || serve(config, stats, incoming, opened, is_simulated));
        client
    }

    /// Sends a request. `reply_to` gets its outcome within `timeout`, or within the configured timeout.
    pub fn call(&self, request: Request, route: Route, timeout: Option<Duration>, reply_to: ReplyTo) {
        self.enqueue(request, route, timeout, Instant::now().into_std(), reply_to);
        self.bell().ring();
    }

    /// The same, but the request may wait until the bell is rung: one ring for many calls costs less than one for each.
    /// The timeout counts from `now`. Without `timeout`, a command that waits for other clients gets its own time in
    /// addition.
    pub fn enqueue(
        &self,
        request: Request,
        route: Route,
        timeout: Option<Duration>,
        now: std::time::Instant,
        reply_to: ReplyTo,
    ) {
        let Some(reply_to) = self.admit(reply_to) else { return };
        let mut request = request;
        if timeout.is_some() {
            request.hold_to_deadline();
        }
        let (timeout, deadline) = self.due(timeout, Instant::from_std(now));
        request.set_timeout(timeout);
        self.put(Message::Call(Call { request, route, timeout, deadline, reply_to }));
    }

    /// Sends what was enqueued on its way.
    pub fn bell(&self) -> &Bell {
        self.messages.bell()
    }

    /// The same for a command whose keys are in several slots; `gather` makes one reply of its parts'.
    pub fn call_in_parts(&self, parts: Vec<Part>, gather: Gather, timeout: Option<Duration>, reply_to: ReplyTo) {
        let Some(reply_to) = self.admit(reply_to) else { return };
        let (timeout, deadline) = self.due(timeout, Instant::now());
        self.send(Message::Split(Split { parts, gather, timeout, deadline, reply_to }));
    }

    /// Sends a batch on its way; it counts as one request.
    pub fn exec(&self, batch: Batch, options: BatchOptions, reply_to: ReplyTo) {
        let Some(reply_to) = self.admit(reply_to) else { return };
        let (timeout, deadline) = self.due(options.timeout, Instant::now());
        let batch = batch.prepared(&self.own_ids, timeout);
        self.send(Message::Batch(Box::new(Sending { batch, options, timeout, deadline }), reply_to));
    }

    /// Watches keys, as `request` says, on the connection with the name `watch`, which no other call uses: until the
    /// next transaction with that name, or until there are no `keys` to watch.
    pub fn watch(&self, watch: u64, keys: Option<(Request, Route)>, timeout: Option<Duration>, reply_to: ReplyTo) {
        let Some(reply_to) = self.admit(reply_to) else { return };
        let (timeout, deadline) = self.due(timeout, Instant::now());
        self.send(Message::Watch(Box::new(Watching { watch, keys, timeout, deadline, reply_to })));
    }

    /// Nobody will use the connection of that name again.
    pub fn release(&self, watch: u64) {
        self.send(Message::Release(watch));
    }

    /// Makes ids of its own for calls with `once`.
    pub fn own_ids(&self) -> &OwnIds {
        &self.own_ids
    }

    /// What the client has counted.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// Sets the password of new connections; `None`: they do not log in. `authenticate`: existing connections log in
    /// with it now, too.
    pub fn update_password(&self, password: Option<String>, authenticate: bool, reply_to: ReplyTo) {
        let Some(reply_to) = self.admit(reply_to) else { return };
        self.credentials.set_password(password.clone());
        match password.filter(|_| authenticate) {
            Some(password) => self.send(Message::Authenticate(Box::new(Secret(password)), reply_to)),
            None => reply_to.finish(Ok(OKAY)),
        }
    }

    /// How long a call may take, and until when, from `now`.
    fn due(&self, timeout: Option<Duration>, now: Instant) -> (Duration, Instant) {
        let timeout = timeout.unwrap_or(self.request_timeout);
        (timeout, now + timeout)
    }

    /// Admits a call, unless the client is closed or has as many calls in flight as allowed.
    fn admit(&self, mut reply_to: ReplyTo) -> Option<ReplyTo> {
        if self.closed.load(Ordering::Acquire) {
            self.stats.finish(reply_to, Err(Box::new(Error::closed())));
            return None;
        }
        let pending = self.stats.pending_bytes();
        if pending > self.pending_bytes_limit {
            let cause = Cause::TooManyBytes { pending, limit: self.pending_bytes_limit };
            self.stats.finish(reply_to, Err(Box::new(Error::because(Kind::Request, cause))));
            return None;
        }
        if let Some(limit) = self.inflight_limit {
            let Some(permit) = Permit::take(&self.in_flight, limit) else {
                let cause = Cause::TooManyInFlight { limit };
                self.stats.finish(reply_to, Err(Box::new(Error::because(Kind::Request, cause))));
                return None;
            };
            reply_to.hold(permit);
        }
        Some(reply_to)
    }

    /// The caller of that call is gone. What is not sent yet is never sent.
    pub fn cancel(&self, id: CallId) {
        self.send(Message::Cancel(id));
    }

    /// Ends the client; calls in flight end in an error, with `text` if there is one. `closed` gets an `OK` once its
    /// connections are gone. Closing twice is harmless.
    pub fn close(&self, text: Option<&str>, closed: ReplyTo) {
        if let Some(text) = text {
            // The first one stays: it is the one that ends the calls.
            let _ = self.closing_text.set(text.into());
        }
        self.closed.store(true, Ordering::Release);
        self.send(Message::Close(closed));
    }

    fn send(&self, message: Message) {
        self.put(message);
        self.bell().ring();
    }

    fn put(&self, message: Message) {
        if let Err(message) = self.messages.put(message) {
            message.refuse();
        }
    }

    /// The error text of calls in flight when the client closes.
    pub fn closing_text(&self) -> Option<&str> {
        self.closing_text.get().map(|text| &**text)
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// The life of a client on the I/O thread.
async fn serve(
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
    let mut unheard = VecDeque::new();
    if open(&servers, &mut incoming, &mut unheard, opened).await {
        let (checked, kept) = (servers.clone(), servers.clone());
        let checks = guard::keep("the periodic checks", move || check_periodically(checked.clone()));
        let heartbeats = guard::keep("the heartbeats", move || heartbeat::keep(kept.clone()));
        let news = listen_to_sentinels(&servers);
        while guard::run("a client", listen(&servers, &mut incoming, &mut unheard, &linger)).await.is_err() {}
        checks.abort();
        heartbeats.abort();
        news.iter().for_each(JoinHandle::abort);
    }
    servers.close();
    // The tasks that held the connections end in this turn of the scheduler.
    tokio::task::yield_now().await;
    unheard.extend(incoming.close());
    unheard.into_iter().for_each(Message::refuse);
}

/// Returns whether the client can serve. Messages that arrive before that are kept in `unheard`; closing the client
/// ends the attempt.
async fn open(
    servers: &Servers,
    incoming: &mut Receiver<Message>,
    unheard: &mut VecDeque<Message>,
    opened: ReplyTo,
) -> bool {
    let opening = async { if servers.config.lazy { Ok(()) } else { servers.open().await } };
    let closing = async {
        let mut burst = VecDeque::new();
        while incoming.take(&mut burst).await {
            let is_close = burst.iter().any(|message| matches!(message, Message::Close(_)));
            unheard.extend(burst.drain(..));
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
    opened.finish(result.map(|()| OKAY).map_err(Box::new));
    can_serve
}

/// Handles what is sent to the client, until it is closed.
async fn listen(
    servers: &Rc<Servers>,
    incoming: &mut Receiver<Message>,
    unheard: &mut VecDeque<Message>,
    linger: &Linger,
) {
    // Whether calls were cancelled that may have waited on connections of their own.
    let mut closes = false;
    loop {
        let mut gone = BTreeSet::new();
        while let Some(message) = unheard.pop_front() {
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
                Message::Authenticate(password, reply_to) => authenticate(servers, password.0, reply_to),
                Message::Cancel(id) if servers.supervisor.cancel(id) => closes |= servers.lends(),
                Message::Cancel(id) => drop(gone.insert(id)),
                Message::Close(_) => return unheard.push_front(message),
            }
        }
        if !gone.is_empty() {
            servers.cancel(gone);
        }
        if !next(servers, incoming, unheard, linger).await {
            return;
        }
    }
}

/// Waits for what is sent to the client; false: nothing will come any more.
async fn next(
    servers: &Servers,
    incoming: &mut Receiver<Message>,
    unheard: &mut VecDeque<Message>,
    linger: &Linger,
) -> bool {
    loop {
        if let Some(is_open) = incoming.look(unheard) {
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
            in_time.unwrap_or_else(|_| Err(error())).map(|()| OKAY).map_err(Box::new)
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
