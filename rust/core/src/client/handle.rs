//! The handle of a client, for any thread.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::calls::watch::Watching;
use crate::client::io_thread::IoThread;
use crate::client::message::{Message, Secret};
use crate::client::outbox::{Bell, Sender, outbox};
use crate::client::service::serve;
use crate::model::batch::{Batch, BatchOptions, Sending};
use crate::model::call::Call;
use crate::model::cause::Cause;
use crate::model::completion::{CallId, Permit, ReplyTo};
use crate::model::config::{Config, Credentials};
use crate::model::error::{Error, Kind};
use crate::model::gather::Gather;
use crate::model::once::OwnIds;
use crate::model::request::Request;
use crate::model::route::Route;
use crate::model::split::{Part, Split};
use crate::model::stats::Stats;
use crate::wire::resp::Reply;

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

    /// Learns in the background which node has which slots: a reply without a redirect has shown that they moved.
    pub fn refresh(&self) {
        self.send(Message::Refresh);
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
    /// with it now, too. However many calls are in flight, a client takes up a new password.
    pub fn update_password(&self, password: Option<String>, authenticate: bool, reply_to: ReplyTo) {
        let Some(reply_to) = self.unless_closed(reply_to) else { return };
        self.credentials.set_password(password.clone());
        match password.filter(|_| authenticate) {
            Some(password) => self.send(Message::Authenticate(Box::new(Secret(password)), reply_to)),
            None => reply_to.finish(Ok(Reply::OKAY)),
        }
    }

    /// How long a call may take, and until when, from `now`.
    fn due(&self, timeout: Option<Duration>, now: Instant) -> (Duration, Instant) {
        let timeout = timeout.unwrap_or(self.request_timeout);
        (timeout, now + timeout)
    }

    fn unless_closed(&self, reply_to: ReplyTo) -> Option<ReplyTo> {
        if self.closed.load(Ordering::Acquire) {
            self.stats.finish(reply_to, Err(Box::new(Error::closed())));
            return None;
        }
        Some(reply_to)
    }

    /// Admits a call, unless the client is closed or has as many calls in flight as allowed.
    fn admit(&self, reply_to: ReplyTo) -> Option<ReplyTo> {
        let mut reply_to = self.unless_closed(reply_to)?;
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
