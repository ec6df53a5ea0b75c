//! The clients' callers: they make calls of all kinds, at any time, and cancel some of them.

mod command;
mod flood;
mod slow;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use glide_scripts_core::resp::{Item, Reply};
use glide_scripts_core::script::Script;
use glide_scripts_core::{
    Batch, BatchOptions, CallId, Client, Completion, Completions, Entry, Error, Gather, Kind, Library, Outcome, Packer,
    ReplyTo, Request, Route, split_by_slot,
};
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_local;
use tokio::time::sleep;

use self::command::{Command, text_key};
pub(crate) use self::flood::LIMIT;
use crate::ids::word_of;
use crate::oracle::{Effect, Oracle, Record};
use crate::outcome::{End, Expected, failed};
use crate::servers::scripts;
use crate::world::World;

/// Those that the servers know.
pub(crate) const PASSWORDS: [&str; 2] = ["first", "second"];

/// The callers of one client.
pub(crate) struct Callers {
    pub(crate) client: RefCell<Client>,
    pub(crate) number: usize,
    world: Rc<World>,
    oracle: Rc<RefCell<Oracle>>,
    ids: Rc<Cell<u64>>,
    completions: Arc<Completions>,
    arrived: Arc<Notify>,
    waiting: RefCell<BTreeMap<u64, oneshot::Sender<Completion>>>,
    scripts: RefCell<BTreeMap<ScriptCopy, Arc<Script>>>,
    library: Arc<Library>,
    pub(crate) under_way: Cell<usize>,
    /// How many calls have ended, of a batch each command.
    pub(crate) ended: Cell<u64>,
    /// The password that the client was last given.
    pub(crate) password: Cell<&'static str>,
    /// How many different scripts of a kind there are.
    variants: u32,
    has_functions: bool,
    /// Its deadlines hold until a call is sent.
    waits_for_replies: bool,
    /// It makes one call after another, most of them pipelines.
    is_sequential: bool,
}

/// A script's template, which of its copies it is, and whether it is declared idempotent.
type ScriptCopy = (&'static str, u32, bool);

/// Batches are numbered from here.
const BATCHES: u64 = 1 << 32;

impl Callers {
    pub(crate) fn new(
        client: Client,
        number: usize,
        world: Rc<World>,
        oracle: Rc<RefCell<Oracle>>,
        ids: Rc<Cell<u64>>,
        has_functions: bool,
        waits_for_replies: bool,
    ) -> Rc<Self> {
        let arrived = Arc::new(Notify::new());
        let waking = arrived.clone();
        let is_sequential = world.once_in(3);
        let variants = world.pick(if world.is_quiet.get() { &[1, 3, 40] } else { &[1, 3, 40, 700] });
        let callers = Rc::new(Self {
            client: RefCell::new(client),
            number,
            world,
            oracle,
            ids,
            completions: Completions::new(move || waking.notify_one()),
            arrived,
            waiting: RefCell::default(),
            scripts: RefCell::default(),
            library: Arc::new(Library::new(scripts::library("sim", &["count"], ""))),
            under_way: Cell::new(0),
            ended: Cell::new(0),
            password: Cell::new(PASSWORDS[0]),
            variants,
            has_functions,
            waits_for_replies,
            is_sequential,
        });
        spawn_local(callers.clone().hand_out());
        callers
    }

    /// Gives each outcome to its caller.
    async fn hand_out(self: Rc<Self>) {
        loop {
            for (ticket, completion) in self.completions.take() {
                self.note_ended(match &completion {
                    Completion::Trace(_) | Completion::Question(_) => continue,
                    Completion::Call(_) => 1,
                    Completion::Batch(outcomes) => outcomes.len() as u64,
                });
                if let Some(waiting) = self.waiting.borrow_mut().remove(&ticket) {
                    // A caller that has cancelled does not wait.
                    let _ = waiting.send(completion);
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Issues calls for as long as that, as fast as the pauses between them allow.
    pub(crate) async fn work(self: Rc<Self>, for_long: Duration) {
        let until = self.world.now() + for_long;
        if self.world.has_slow_scripts.get() {
            spawn_local(self.clone().run_slow_scripts(until));
        }
        while self.world.now() < until {
            if self.world.once_in(3) {
                sleep(Duration::from_micros(self.world.below(40_000))).await;
            }
            let call = self.clone().call();
            if self.is_sequential {
                call.await;
            } else {
                spawn_local(call);
            }
            if self.world.once_in(400) && self.world.is_rough() {
                self.change_password();
            }
        }
    }

    fn change_password(self: &Rc<Self>) {
        let (reply_to, outcome) = ReplyTo::task();
        let password = self.world.pick(&PASSWORDS);
        self.password.set(password);
        self.client.borrow().update_password(Some(password.into()), true, reply_to);
        let callers = self.clone();
        spawn_local(async move {
            if outcome.await.is_ok() {
                callers.note_ended(1);
            }
        });
    }

    fn note_ended(&self, calls: u64) {
        self.ended.update(|ended| ended + calls);
    }

    /// Makes one call and notes its end.
    async fn call(self: Rc<Self>) {
        self.under_way.update(|count| count + 1);
        match self.world.below(100) {
            _ if self.is_sequential && !self.world.once_in(4) => self.exec(false).await,
            0..62 => self.call_one(self.command(false, None), self.timeout(), self.patience()).await,
            62..78 => self.exec(false).await,
            78..91 => self.exec(true).await,
            91..97 => self.set_many().await,
            _ => self.fan_out().await,
        }
        self.under_way.update(|count| count - 1);
    }

    /// Makes a call of one command. Its caller cancels it after `patience`.
    async fn call_one(&self, command: Command, timeout: Duration, patience: Option<Duration>) {
        let ids = [self.note(&command, command.id, false, timeout)];
        let (reply_to, ticket, outcome) = self.ticket();
        let expected = command.expected.clone();
        self.client.borrow().call(command.request, command.route, Some(timeout), reply_to);
        self.finish(&ids, ticket, outcome, patience, |completion| match completion {
            Completion::Call(outcome) => vec![expected.judge(outcome)],
            _ => vec![End::WrongReply("a batch's".into())],
        })
        .await;
    }

    async fn exec(&self, is_atomic: bool) {
        let slot = format!("{{k{}}}", self.world.below(4));
        let count = 1 + self.world.below(6);
        let mut batch = Batch::new(is_atomic);
        let timeout = self.timeout();
        let (mut ids, mut expected) = (Vec::new(), Vec::new());
        let watch = (is_atomic && self.world.once_in(3)).then(|| 1_000_000 + self.next_id());
        let mut watched_at = None;
        if let Some(watch) = watch {
            if !self.watch(watch, &slot, timeout).await {
                self.client.borrow().release(watch);
                return;
            }
            watched_at = Some(self.world.now());
            if self.world.once_in(2) {
                sleep(Duration::from_micros(self.world.below(5_000))).await;
            }
            if self.world.once_in(3) {
                // If that takes too long, nothing is watched any more, and the transaction must not be executed.
                let timeout = Duration::from_millis(self.world.pick(&[3, 200]));
                self.watch(watch, &text_key(&slot), timeout).await;
            }
        }
        // No command has that number.
        let call = BATCHES + self.ids.get();
        for _ in 0..count {
            let command = self.command(true, is_atomic.then_some(slot.as_str()));
            let id = self.note(&command, call, is_atomic, timeout);
            if let Some(record) = self.oracle.borrow_mut().records.get_mut(&id) {
                record.is_apart |= watch.is_some();
                record.watched_at = watched_at;
            }
            ids.push(id);
            expected.push(command.expected);
            batch.push(Entry::Whole { request: command.request, route: command.route, key: Some(command.key.into()) });
        }
        let (reply_to, ticket, outcome) = self.ticket();
        let options = BatchOptions { timeout: Some(timeout), watch, ..BatchOptions::default() };
        self.client.borrow().exec(batch, options, reply_to);
        let all = ids.len();
        self.finish(&ids, ticket, outcome, self.patience(), |completion| match completion {
            Completion::Batch(outcomes) => {
                outcomes.into_iter().zip(expected).map(|(outcome, expected)| expected.judge(outcome)).collect()
            }
            Completion::Call(Ok(Reply::One(Item::Nil))) => vec![End::NotExecuted; all],
            Completion::Call(Err(error)) => vec![failed(&error); all],
            other => vec![End::WrongReply(format!("{other:?}")); all],
        })
        .await;
        if let Some(watch) = watch {
            self.client.borrow().release(watch);
        }
    }

    /// Whether the client now watches the key.
    async fn watch(&self, watch: u64, key: &str, timeout: Duration) -> bool {
        let mut packer = Packer::command(2);
        packer.word(b"WATCH");
        packer.key(key.as_bytes()).expect("one key");
        let route = packer.route();
        let (reply_to, watched) = ReplyTo::task();
        self.client.borrow().watch(watch, Some((packer.finish(false), route)), Some(timeout), reply_to);
        let outcome = watched.await.ok().and_then(Completion::into_call);
        self.note_ended(u64::from(outcome.is_some()));
        matches!(outcome, Some(Ok(_)))
    }

    /// MSET of keys in several slots.
    async fn set_many(&self) {
        let timeout = self.timeout();
        let mut words = vec![b"MSET".to_vec()];
        let mut ids = Vec::new();
        for key in 0..=self.world.below(4) {
            let id = self.next_id();
            let key = format!("m{key}");
            words.extend([key.clone().into_bytes(), word_of(id).into_bytes()]);
            ids.push(id);
            let record = self.record("a part of MSET", key, id, timeout);
            self.oracle.borrow_mut().records.insert(id, record);
        }
        let (reply_to, ticket, outcome) = self.ticket();
        if self.world.deployment.borrow().is_cluster() {
            let parts = split_by_slot(&words, 1, 2);
            self.client.borrow().call_in_parts(parts, Gather::AllSucceeded, Some(timeout), reply_to);
        } else {
            let mut packer = Packer::command(words.len());
            words.iter().for_each(|word| packer.word(word));
            self.client.borrow().call(packer.finish(false), Route::Any, Some(timeout), reply_to);
        }
        let all = ids.len();
        self.finish(&ids, ticket, outcome, self.patience(), |completion| match completion {
            Completion::Call(outcome) => vec![Expected::Okay.judge(outcome); all],
            other => vec![End::WrongReply(format!("{other:?}")); all],
        })
        .await;
    }

    /// A command for all primaries, or all nodes.
    async fn fan_out(&self) {
        let timeout = self.timeout();
        let flushes = !self.world.is_quiet.get() && self.world.once_in(2);
        let words: &[&str] = if flushes { &["SCRIPT", "FLUSH"] } else { &["PING"] };
        let mut packer = Packer::command(words.len());
        words.iter().for_each(|word| packer.word(word.as_bytes()));
        let request = packer.finish(false).gathered(Gather::AllSucceeded);
        let route = self.world.pick(&[Route::AllPrimaries, Route::AllNodes]);
        let id = self.next_id();
        let record =
            Record { is_counted: false, ..self.record("a command for several nodes", String::new(), id, timeout) };
        self.oracle.borrow_mut().records.insert(id, record);
        let (reply_to, ticket, outcome) = self.ticket();
        self.client.borrow().call(request, route, Some(timeout), reply_to);
        self.finish(&[id], ticket, outcome, self.patience(), |completion| match completion {
            Completion::Call(outcome) => vec![Expected::Anything.judge(outcome)],
            other => vec![End::WrongReply(format!("{other:?}"))],
        })
        .await;
    }

    /// After how long a caller cancels its call, if it does.
    fn patience(&self) -> Option<Duration> {
        let cancels = self.world.once_in(8);
        cancels.then(|| Duration::from_micros(self.world.below(if self.world.once_in(2) { 300 } else { 30_000 })))
    }

    /// Waits for the outcome, or cancels the call after `patience`.
    async fn finish(
        &self,
        ids: &[u64],
        ticket: u64,
        mut outcome: oneshot::Receiver<Completion>,
        patience: Option<Duration>,
        judge: impl FnOnce(Completion) -> Vec<End>,
    ) {
        if let Some(patience) = patience {
            if tokio::time::timeout(patience, &mut outcome).await.is_err() {
                self.waiting.borrow_mut().remove(&ticket);
                self.client.borrow().cancel(CallId::new(&self.completions, ticket));
                let now = self.world.now();
                self.world.log(format_args!("cancelled {ids:?}"));
                let mut oracle = self.oracle.borrow_mut();
                for id in ids {
                    if let Some(record) = oracle.records.get_mut(id) {
                        record.cancelled_at = Some(now);
                    }
                }
                return;
            }
            // The outcome of a cancelled call is received and ignored.
            let now = self.world.now();
            let mut oracle = self.oracle.borrow_mut();
            for id in ids {
                if let Some(record) = oracle.records.get_mut(id) {
                    record.cancelled_at = Some(now);
                }
            }
            return;
        }
        let ends = match outcome.await {
            Ok(completion) => judge(completion),
            Err(_) => return,
        };
        let now = self.world.now();
        self.world.log(format_args!("ended {ids:?} {ends:?}"));
        let mut oracle = self.oracle.borrow_mut();
        for (id, end) in ids.iter().zip(ends) {
            if let Some(record) = oracle.records.get_mut(id) {
                record.ended = Some((now, end));
            }
        }
    }

    fn ticket(&self) -> (ReplyTo, u64, oneshot::Receiver<Completion>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.next_id();
        self.waiting.borrow_mut().insert(ticket, sender);
        (ReplyTo::event_loop(self.completions.clone(), ticket), ticket, receiver)
    }

    fn next_id(&self) -> u64 {
        self.ids.set(self.ids.get() + 1);
        self.ids.get()
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.world.pick(&[20, 200, 500, 1_000, 2_000]))
    }

    fn record(&self, what: &'static str, key: String, call: u64, timeout: Duration) -> Record {
        let now = self.world.now();
        Record {
            client: self.number,
            call,
            what,
            key,
            counts: None,
            effect: Effect::AtMostOnce,
            is_atomic: false,
            is_killable: false,
            is_apart: false,
            watched_at: None,
            is_counted: true,
            issued_at: now,
            deadline: now + timeout,
            waits_for_reply: self.waits_for_replies,
            cancelled_at: None,
            ended: None,
        }
    }

    fn note(&self, command: &Command, call: u64, is_atomic: bool, timeout: Duration) -> u64 {
        let record = Record {
            counts: (command.counts != command.id).then_some(command.counts),
            effect: command.effect,
            is_atomic,
            is_killable: command.is_killable,
            is_apart: command.is_killable || matches!(command.effect, Effect::OnceFor(_)),
            is_counted: command.is_counted,
            ..self.record(command.what, command.key.clone(), call, timeout)
        };
        self.world.log(format_args!("issue {} {} by {} for {}", command.id, command.what, self.number, command.key));
        self.oracle.borrow_mut().records.insert(command.id, record);
        command.id
    }

    /// Closes the client: calls in flight end.
    pub(crate) async fn close(&self) {
        let (closed, done) = ReplyTo::task();
        self.client.borrow().close(None, closed);
        let _ = done.await;
    }

    /// Whether reads succeed, within a second.
    pub(crate) async fn probe(&self) -> Result<(), Box<Error>> {
        self.succeeds(|slot| vec!["GET".to_owned(), text_key(&slot)]).await
    }

    /// Whether writes of a new key succeed, within a second: the first one, and one of the key that is there now.
    pub(crate) async fn probe_writes(&self) -> Result<(), Box<Error>> {
        let new = self.next_id();
        for _ in 0..2 {
            self.succeeds(|slot| vec!["SET".to_owned(), format!("{slot}new{new}"), "text".to_owned()]).await?;
        }
        Ok(())
    }

    /// Whether this command succeeds in each of the slots, within a second: alone, in a pipeline and in a transaction.
    async fn succeeds(&self, command: impl Fn(String) -> Vec<String>) -> Result<(), Box<Error>> {
        const WITHIN: Duration = Duration::from_secs(1);
        let until = self.world.now() + WITHIN;
        for (slot, batch) in (0..4).flat_map(|slot| [None, Some(false), Some(true)].map(|batch| (slot, batch))) {
            let words = command(format!("{{k{slot}}}"));
            let mut packer = Packer::command(words.len());
            packer.word(words[0].as_bytes());
            packer.key(words[1].as_bytes()).expect("one key");
            words[2..].iter().for_each(|word| packer.word(word.as_bytes()));
            let (route, request) = (packer.route(), packer.finish(false));
            loop {
                match self.ask(request.clone(), route.clone(), batch, WITHIN).await {
                    // The end of a connection that was made before was still on its way.
                    Some(Err(error)) if error.kind == Kind::Connection && self.world.now() < until => {}
                    Some(Err(error)) => return Err(error),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Makes one call, alone or in a batch that is atomic or not.
    async fn ask(&self, request: Request, route: Route, batch: Option<bool>, timeout: Duration) -> Option<Outcome> {
        let (reply_to, outcome) = ReplyTo::task();
        if let Some(is_atomic) = batch {
            let mut batch = Batch::new(is_atomic);
            batch.push(Entry::Whole { request, route, key: None });
            let options = BatchOptions { timeout: Some(timeout), ..BatchOptions::default() };
            self.client.borrow().exec(batch, options, reply_to);
        } else {
            self.client.borrow().call(request, route, Some(timeout), reply_to);
        }
        let outcome = match outcome.await.ok()? {
            Completion::Batch(mut outcomes) => outcomes.pop(),
            completion => completion.into_call(),
        };
        self.note_ended(u64::from(outcome.is_some()));
        outcome
    }
}
