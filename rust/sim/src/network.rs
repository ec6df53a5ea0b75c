//! The network between clients and the model. It knows where every byte is, and causes faults: it accepts parts of
//! writes; delays, holds, splits, joins and swallows bytes; refuses and ends connections; and resets them after any
//! byte.
//!
//! Bytes that a socket took may or may not arrive. Those that it did not take never do.

mod client_socket;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use glide_scripts_core::{Address, ConnectionConfig, Opening, Stream, Transport, Unreachable};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::sleep;

use self::client_socket::ClientSocket;
use crate::ids::id_of;
use crate::servers::{ConnectionId, take_command};
use crate::world::{Roughness, Wire, World};

/// Makes connections to the model of the current thread.
#[derive(Debug)]
pub(crate) struct Simulated;

impl Transport for Simulated {
    fn open<'a>(&'a self, address: &'a Address, _config: &'a ConnectionConfig) -> Opening<'a> {
        Box::pin(async move {
            let world = World::current();
            sleep(latency(&world)).await;
            if world.is_rough() && world.once_in(12) {
                if world.once_in(2) {
                    return Err(Unreachable::NoStream("Connection refused (simulated)".into()));
                }
                // No server answers. The client gives up, or the network heals.
                while world.is_rough() || world.stays_silent.get() {
                    sleep(Duration::from_millis(10)).await;
                }
            }
            let Address::Tcp { host, port } = address else {
                return Err(Unreachable::NoStream("no Unix sockets here".into()));
            };
            let connection = world.with_model(|model| model.node_at(host, *port).and_then(|node| model.connect(node)));
            let Some(id) = connection else { return Err(Unreachable::NoStream("Connection refused (model)".into())) };
            let wire = Rc::new(Line::new(id, &world));
            world.log(format_args!("connected {id} to {address} {:?}", wire.fate.get()));
            world.wires.borrow_mut().insert(id, wire.clone());
            spawn_local(wire.clone().carry_up(world.clone()));
            spawn_local(wire.clone().carry_down(world.clone()));
            let is_plain = !world.once_in(4);
            let stream: Box<dyn Stream> = Box::new(ClientSocket { wire, world, is_plain });
            Ok(stream)
        })
    }
}

/// The fault that is planned for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    None,
    /// Reset once the socket has taken that many bytes.
    ResetAfterWriting(u64),
    /// Reset once that many bytes of replies have arrived.
    ResetAfterReading(u64),
    /// Ended by the server's side, after that many bytes of replies.
    EndAfterReading(u64),
    /// After that many bytes, nothing arrives any more in either direction.
    SwallowAfter(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Reset,
    /// No further bytes will arrive.
    Ended,
}

/// One connection: its bytes on their way, in both directions.
pub(crate) struct Line {
    pub(crate) id: ConnectionId,
    fate: Cell<Fate>,
    state: Cell<State>,
    /// The client has let go of it.
    is_dropped: Cell<bool>,
    /// The bytes that the client's socket accepted and the server has not read.
    up: RefCell<VecDeque<u8>>,
    /// The bytes that the server has sent and that have not arrived.
    down: RefCell<VecDeque<u8>>,
    arrived: RefCell<VecDeque<u8>>,
    server_ended: Cell<bool>,
    /// How many bytes the socket takes before the server reads.
    room: Cell<u64>,
    written: Cell<u64>,
    read: Cell<u64>,
    /// The commands as the socket took them, to know when it took the first byte of each.
    taken: RefCell<Taken>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    up_changed: Notify,
    down_changed: Notify,
}

#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    since: Option<Duration>,
}

/// How many bytes a socket accepts while the server does not read.
const WIDE: u64 = 64 << 10;

/// In microseconds. It must be shorter than the time until a server says BUSY: a longer delay looks like a running
/// script.
const LONGEST: u64 = 80_000;

impl Wire for Line {
    fn answer(&self, output: &[u8], is_open: bool) {
        if output.is_empty() && is_open {
            return;
        }
        self.down.borrow_mut().extend(output);
        if !is_open {
            self.server_ended.set(true);
        }
        self.down_changed.notify_one();
    }

    fn reset(&self, world: &World) {
        if self.state.replace(State::Reset) == State::Reset {
            return;
        }
        let count = if self.is_swallowing() { 0 } else { world.below(self.up.borrow().len() as u64 + 1) };
        let last: Vec<u8> = self.up.borrow_mut().drain(..).take(usize::try_from(count).unwrap_or(0)).collect();
        world.log(format_args!("reset {} with {} more bytes up", self.id, last.len()));
        world.with_model(|model| {
            model.receive(self.id, &last);
            model.disconnect(self.id);
        });
        if world.once_in(2) {
            self.arrived.borrow_mut().clear();
        }
        self.wake();
    }

    fn heal(&self, world: &World) {
        let is_swallowing = self.is_swallowing();
        if is_swallowing && world.stays_silent.get() {
            return;
        }
        self.fate.set(Fate::None);
        self.room.set(WIDE);
        if is_swallowing {
            self.fate.set(Fate::SwallowAfter(0));
            self.reset(world);
        }
    }
}

fn latency(world: &World) -> Duration {
    let microseconds = match world.below(100) {
        0..60 => world.below(200),
        60..95 => world.below(3_000),
        _ => world.below(if world.is_rough() { LONGEST } else { 20_000 }),
    };
    Duration::from_micros(microseconds)
}

impl Line {
    fn new(id: ConnectionId, world: &World) -> Self {
        // The greeting is some 150 bytes long, a call a little longer.
        let after = world.below(if world.once_in(3) { 300 } else { 6_000 });
        let fate = match world.below(10) {
            _ if !world.is_rough() => Fate::None,
            0..3 => Fate::ResetAfterWriting(after),
            3..5 => Fate::ResetAfterReading(after / 3),
            5 => Fate::EndAfterReading(after / 3),
            6 => Fate::SwallowAfter(after),
            _ => Fate::None,
        };
        // A client that cannot see what has arrived relies on how soon bytes arrive on most networks.
        let may_be_narrow = world.roughness.get() != Roughness::Healed && world.shows_arrival.get();
        let is_narrow = may_be_narrow && world.once_in(3);
        Self {
            id,
            fate: Cell::new(fate),
            state: Cell::new(State::Open),
            is_dropped: Cell::new(false),
            up: RefCell::default(),
            down: RefCell::default(),
            arrived: RefCell::default(),
            server_ended: Cell::new(false),
            room: Cell::new(if is_narrow { 1 + world.below(500) } else { WIDE }),
            written: Cell::new(0),
            read: Cell::new(0),
            taken: RefCell::default(),
            reader: RefCell::default(),
            writer: RefCell::default(),
            up_changed: Notify::new(),
            down_changed: Notify::new(),
        }
    }

    fn is_swallowing(&self) -> bool {
        matches!(self.fate.get(), Fate::SwallowAfter(after) if self.written.get() + self.read.get() >= after)
    }

    fn wake(&self) {
        let wakers = [self.reader.take(), self.writer.take()];
        wakers.into_iter().flatten().for_each(Waker::wake);
        self.up_changed.notify_one();
        self.down_changed.notify_one();
    }

    async fn carry_up(self: Rc<Self>, world: Rc<World>) {
        loop {
            if self.up.borrow().is_empty() && !self.is_dropped.get() && self.state.get() == State::Open {
                self.up_changed.notified().await;
                continue;
            }
            sleep(latency(&world)).await;
            if self.state.get() == State::Reset {
                break;
            }
            if self.is_swallowing() {
                if self.is_dropped.get() {
                    break;
                }
                self.up_changed.notified().await;
                continue;
            }
            let length = self.up.borrow().len();
            let count =
                if world.once_in(3) { usize::try_from(world.below(length as u64 + 1)).unwrap_or(0) } else { length };
            let bytes: Vec<u8> = self.up.borrow_mut().drain(..count).collect();
            if !bytes.is_empty() {
                world.with_model(|model| model.receive(self.id, &bytes));
                if let Some(writer) = self.writer.take() {
                    writer.wake();
                }
            }
            let is_over = self.is_dropped.get() || self.state.get() == State::Ended;
            if is_over && self.up.borrow().is_empty() {
                break;
            }
        }
        world.with_model(|model| model.disconnect(self.id));
        world.wires.borrow_mut().remove(&self.id);
    }

    async fn carry_down(self: Rc<Self>, world: Rc<World>) {
        loop {
            if self.state.get() != State::Open || self.is_dropped.get() {
                return;
            }
            if self.down.borrow().is_empty() && !self.server_ended.get() {
                self.down_changed.notified().await;
                continue;
            }
            sleep(latency(&world)).await;
            if self.is_swallowing() {
                self.down_changed.notified().await;
                continue;
            }
            let length = self.down.borrow().len();
            let mut count =
                if world.once_in(3) { usize::try_from(world.below(length as u64 + 1)).unwrap_or(0) } else { length };
            let left = |after: u64| usize::try_from(after.saturating_sub(self.read.get())).unwrap_or(0);
            match self.fate.get() {
                Fate::ResetAfterReading(after) | Fate::EndAfterReading(after) => count = count.min(left(after)),
                _ => {}
            }
            self.read.update(|read| read + count as u64);
            let bytes: Vec<u8> = self.down.borrow_mut().drain(..count).collect();
            self.arrived.borrow_mut().extend(bytes);
            match self.fate.get() {
                Fate::ResetAfterReading(after) if self.read.get() >= after => return self.reset(&world),
                Fate::EndAfterReading(after) if self.read.get() >= after => {
                    world.log(format_args!("end {}", self.id));
                    self.state.set(State::Ended);
                    self.wake();
                    return;
                }
                _ => {}
            }
            if self.server_ended.get() && self.down.borrow().is_empty() {
                self.state.set(State::Ended);
                self.wake();
                return;
            }
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
    }

    /// Takes bytes into the socket.
    fn take(&self, world: &World, bytes: &[u8]) {
        self.written.update(|written| written + bytes.len() as u64);
        self.up.borrow_mut().extend(bytes);
        self.up_changed.notify_one();
        let mut taken = self.taken.borrow_mut();
        taken.since.get_or_insert(world.now());
        taken.bytes.extend_from_slice(bytes);
        while let Ok(Some(words)) = take_command(&mut taken.bytes) {
            let since = taken.since.take().unwrap_or_default();
            for id in words.iter().filter_map(|word| id_of(word)) {
                world.taken.borrow_mut().entry(id).or_default().push(since);
            }
            if !taken.bytes.is_empty() {
                taken.since = Some(world.now());
            }
        }
    }
}
