//! What all parts of one simulation share: the model, the random numbers, the trace, and the bytes seen on the network.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::servers::{ConnectionId, Deployment, Event};

pub(crate) struct World {
    pub(crate) deployment: RefCell<Deployment>,
    chance: RefCell<fastrand::Rng>,
    pub(crate) trace: RefCell<Trace>,
    began: Instant,
    pub(crate) wires: RefCell<BTreeMap<ConnectionId, Rc<dyn Wire>>>,
    /// How rough the network is.
    pub(crate) roughness: Cell<Roughness>,
    /// Nothing is lost and nobody forgets scripts: what is issued in order runs in order.
    pub(crate) is_quiet: Cell<bool>,
    /// Connections and attempts to connect that went silent in the rough phase stay silent.
    pub(crate) stays_silent: Cell<bool>,
    /// The user may send code by EVAL; if not, code is sent by SCRIPT LOAD.
    pub(crate) may_eval: Cell<bool>,
    /// Clients can see which of the bytes that a socket took have arrived.
    pub(crate) shows_arrival: Cell<bool>,
    /// Scripts keep the servers busy for long.
    pub(crate) has_slow_scripts: Cell<bool>,
    /// What happened on the servers, in order.
    pub(crate) events: RefCell<Vec<Event>>,
    /// When a socket took the first byte of a command, for each sending of each call.
    pub(crate) taken: RefCell<BTreeMap<u64, Vec<Duration>>>,
    /// The model has something to do at another time than before.
    changed: Notify,
}

/// One connection of the network.
pub(crate) trait Wire {
    /// The server's replies, and whether it keeps the connection.
    fn answer(&self, output: &[u8], is_open: bool);
    /// Ends the connection for both sides. Of what is on its way up, a part may still arrive.
    fn reset(&self, world: &World);
    /// The network heals: planned faults do not happen, and connections that swallowed bytes are reset.
    fn heal(&self, world: &World);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roughness {
    /// Bytes are late, split and joined, and none is lost.
    Calm,
    Rough,
    /// The same as calm, and no connection is narrow.
    Healed,
}

/// What happened, a line each, or only the count and a hash of it.
pub(crate) struct Trace {
    pub(crate) lines: Option<Vec<String>>,
    hash: u64,
}

impl Trace {
    pub(crate) fn new(keeps_lines: bool) -> Self {
        Self { lines: keeps_lines.then(Vec::new), hash: 0xcbf2_9ce4_8422_2325 }
    }

    fn add(&mut self, line: String) {
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

impl World {
    pub(crate) fn new(seed: u64, deployment: Deployment, trace: Trace) -> Rc<Self> {
        let world = Rc::new(Self {
            deployment: RefCell::new(deployment),
            chance: RefCell::new(fastrand::Rng::with_seed(seed)),
            trace: RefCell::new(trace),
            began: Instant::now(),
            wires: RefCell::default(),
            roughness: Cell::new(Roughness::Calm),
            is_quiet: Cell::new(false),
            stays_silent: Cell::new(false),
            may_eval: Cell::new(true),
            shows_arrival: Cell::new(true),
            has_slow_scripts: Cell::new(false),
            events: RefCell::default(),
            taken: RefCell::default(),
            changed: Notify::new(),
        });
        WORLD.set(Some(world.clone()));
        world
    }

    /// The one of this thread.
    pub(crate) fn current() -> Rc<Self> {
        WORLD.with_borrow(Clone::clone).expect("a simulation runs on this thread")
    }

    pub(crate) fn forget() {
        WORLD.set(None);
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn log(&self, what: std::fmt::Arguments<'_>) {
        let line = format!("{:>10} {what}", self.now().as_micros());
        self.trace.borrow_mut().add(line);
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.chance.borrow_mut().u64(..end)
    }

    pub(crate) fn pick<T: Clone>(&self, from: &[T]) -> T {
        from[self.chance.borrow_mut().usize(..from.len())].clone()
    }

    /// Whether something happens that does once in that many times.
    pub(crate) fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn is_rough(&self) -> bool {
        self.roughness.get() == Roughness::Rough
    }

    /// Changes the model, and delivers what results from that.
    pub(crate) fn with_model<T>(&self, work: impl FnOnce(&mut Deployment) -> T) -> T {
        let result = {
            let mut deployment = self.deployment.borrow_mut();
            deployment.advance(self.now());
            let result = work(&mut deployment);
            for event in deployment.events() {
                self.log(format_args!("{event:?}"));
                self.events.borrow_mut().push(event);
            }
            result
        };
        let wires: Vec<_> = self.wires.borrow().iter().map(|(id, wire)| (*id, wire.clone())).collect();
        for (id, wire) in wires {
            let (output, is_open) = {
                let mut deployment = self.deployment.borrow_mut();
                (deployment.take_output(id), deployment.is_open(id))
            };
            wire.answer(&output, is_open);
        }
        self.changed.notify_one();
        result
    }

    /// Runs what the model does by itself, for ever.
    pub(crate) async fn tick(self: Rc<Self>) {
        loop {
            let next = self.deployment.borrow().next_event();
            match next {
                None => self.changed.notified().await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep_until(self.began + at) => self.with_model(|_| ()),
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }
}
