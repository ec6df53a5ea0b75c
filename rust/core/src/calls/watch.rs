//! Watched keys: a connection of its own for whoever watches, until the transaction that ends the watch.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use crate::calls::single::{Attempt, LOOK_AGAIN, connected_lane};
use crate::connection::lane::Lane;
use crate::connection::queues::{Receipt, Terms};
use crate::model::completion::{Outcome, ReplyTo};
use crate::model::error::{Error, Kind};
use crate::model::request::{Packer, Request, asking};
use crate::model::route::{Route, Slot};
use crate::servers::directory::{Ended, Servers};
use crate::servers::node::Lease;
use crate::tasks::guard;
use crate::wire::resp::{Item, Reply};

/// A connection that one user of a client has to itself.
#[derive(Default)]
pub(crate) struct Watch {
    /// `None`: not before the first keys are watched.
    lease: Option<Lease>,
    /// The connection on which keys are watched, and their slot; `None`: none are.
    watching: Option<(u64, Option<Slot>)>,
    /// One WATCH after another: each must know what those before it watch.
    turn: Rc<Mutex<()>>,
}

/// A watch that a transaction ends.
pub(crate) struct Watched {
    lease: Lease,
    connection: u64,
    slot: Option<Slot>,
}

impl Watched {
    pub(crate) fn lane(&self) -> &Rc<Lane> {
        self.lease.lane()
    }

    pub(crate) fn connection(&self) -> u64 {
        self.connection
    }

    /// A transaction elsewhere would not heed the watch.
    pub(crate) fn fits(&self, slot: Option<Slot>) -> Result<(), Box<Error>> {
        match (self.slot, slot) {
            (Some(watched), Some(slot)) if watched != slot => Err(Box::new(other_slot(watched, slot))),
            _ => Ok(()),
        }
    }
}

fn other_slot(watched: Slot, slot: Slot) -> Error {
    let message = format!(
        "CROSSSLOT (CrossSlot): the watched keys are in slot {watched}, and these are in slot {slot}, which a watch \
         does not reach; give the keys a common hash tag in braces"
    );
    let mut error = Error::new(Kind::CrossSlot, message);
    error.code = Some("CROSSSLOT".into());
    error
}

/// WATCH or UNWATCH on its way.
#[derive(Debug)]
pub(crate) struct Watching {
    /// Names the connection.
    pub(crate) watch: u64,
    /// WATCH of its keys, and where they are; `None`: UNWATCH.
    pub(crate) keys: Option<(Request, Route)>,
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
    pub(crate) reply_to: ReplyTo,
}

/// Begins or ends a watch.
pub(crate) fn dispatch(servers: &Rc<Servers>, watching: Watching) {
    let Watching { watch, keys, timeout, deadline, reply_to } = watching;
    let supervision = servers.supervise(&reply_to);
    let servers = servers.clone();
    guard::spawn("a watch", async move {
        let waiting_for = RefCell::default();
        let work = async {
            match keys {
                Some((request, route)) => servers.watch(watch, &request, &route, &waiting_for).await,
                None => {
                    servers.unwatch(watch).await;
                    Ok(Reply::One(Item::Okay))
                }
            }
        };
        match supervision.over(timeout_at(deadline, work)).await {
            Ended::Done(Ok(outcome)) => servers.stats.finish(reply_to, outcome),
            Ended::Done(Err(_)) => {
                servers.end_watch(watch);
                let error = Error::timeout(timeout, &format!("no reply; {}", waiting_for.take()), false);
                servers.stats.finish(reply_to, Err(Box::new(error)));
            }
            Ended::Cancelled => {
                servers.end_watch(watch);
                reply_to.forget();
            }
            Ended::Closed => servers.stats.finish(reply_to, Err(Box::new(Error::closed_under_way(false)))),
        }
    });
}

/// None that a lane ever has.
const NO_CONNECTION: u64 = u64::MAX;

impl Servers {
    async fn watch(
        self: &Rc<Self>,
        watch: u64,
        request: &Request,
        route: &Route,
        waiting_for: &RefCell<String>,
    ) -> Outcome {
        let turn = self.watches.borrow_mut().entry(watch).or_default().turn.clone();
        let _in_turn = turn.lock().await;
        let slot = if let Route::Slot(slot) = route { Some(*slot) } else { None };
        if let Some(Watch { watching: Some((_, Some(before))), .. }) = self.watches.borrow().get(&watch)
            && slot.is_some_and(|slot| slot != *before)
        {
            return Err(Box::new(other_slot(*before, slot.unwrap_or(*before))));
        }
        let mut attempt = Attempt::default();
        loop {
            attempt.pause().await;
            attempt.drop_unreachable().await;
            let target = match attempt.lane.take() {
                Some(lane) => lane,
                None => {
                    attempt.asking = false;
                    connected_lane(self, request, route, true, waiting_for).await?.lane().clone()
                }
            };
            let (lane, watching) = self.watching_lane(watch, &target);
            if !matches!(timeout(LOOK_AGAIN, lane.connected()).await, Ok(Ok(()))) {
                waiting_for.replace(format!("no connection to {} yet", lane.address()));
                attempt.back_off();
                continue;
            }
            let connection = watching.unwrap_or_else(|| lane.connection());
            let receipt: Rc<Receipt> = Rc::default();
            let mut commands = Vec::new();
            if watching.is_none() {
                // It ends what a transaction that was given up may have left, and tells whether there may be any.
                commands.extend(["MULTI", "EXEC"].map(|name| Packer::single(name).wire().clone()));
            }
            if attempt.asking {
                commands.push(asking());
            }
            commands.push(request.wire().clone());
            let terms = Terms { only_on: Some(connection), ..Terms::default() };
            if lane.request(commands, terms, &receipt).await.is_err() {
                if watching.is_some() {
                    // What was watched before is not any more: the transaction will find that out.
                    return Ok(Reply::One(Item::Okay));
                }
                attempt.back_off();
                continue;
            }
            let mut replies = receipt.take_replies();
            let refused = replies.first().and_then(Reply::error).cloned();
            let last = replies.pop().and_then(|reply| reply.error().cloned());
            let Some(error) = refused.or(last) else {
                if let Some(watch) = self.watches.borrow_mut().get_mut(&watch) {
                    watch.watching = Some((connection, slot));
                }
                return Ok(Reply::One(Item::Okay));
            };
            attempt.lane = Some(target);
            let verdict = attempt.judge(self, request, route, &error);
            if !attempt.follow(self, request, route, &error, &verdict, waiting_for) {
                return Err(Box::new(Error::answered(&error, &verdict, request)));
            }
            if watching.is_some() && verdict.is_redirect() {
                // What is watched already is elsewhere now: the transaction will find that out.
                if let Some(watch) = self.watches.borrow_mut().get_mut(&watch) {
                    watch.watching = Some((NO_CONNECTION, slot));
                }
                return Ok(Reply::One(Item::Okay));
            }
        }
    }

    /// The connection of that name, to the server of `target`; and the one on which it watches keys already.
    fn watching_lane(&self, watch: u64, target: &Rc<Lane>) -> (Rc<Lane>, Option<u64>) {
        let mut watches = self.watches.borrow_mut();
        let watch = watches.entry(watch).or_default();
        if let Some(lease) = &watch.lease
            && !lease.lane().is_closed()
            && (watch.watching.is_some() || self.is_alike(lease, target))
        {
            return (lease.lane().clone(), watch.watching.map(|(connection, _)| connection));
        }
        let lane = watch.lease.insert(self.lend(target)).lane().clone();
        watch.watching = None;
        (lane, None)
    }

    /// Ends a watch: whoever gets it is the last to know of it, and gives the connection back.
    pub(crate) fn end_watch(&self, watch: u64) -> Option<Watched> {
        let mut watches = self.watches.borrow_mut();
        let watch = watches.get_mut(&watch)?;
        let (connection, slot) = watch.watching.take()?;
        let lease = watch.lease.take()?;
        Some(Watched { lease, connection, slot })
    }

    async fn unwatch(&self, watch: u64) {
        let turn = self.watches.borrow().get(&watch).map(|watch| watch.turn.clone());
        let Some(turn) = turn else { return };
        let _in_turn = turn.lock().await;
        if let Some(watched) = self.end_watch(watch) {
            let terms = Terms { only_on: Some(watched.connection), ..Terms::default() };
            let commands = vec![Packer::single("UNWATCH").wire().clone()];
            // Where the connection is lost, so is the watch.
            let _ = watched.lane().request(commands, terms, &Rc::default()).await;
        }
    }

    /// Its user is gone.
    pub(crate) fn release(&self, watch: u64) {
        let gone = self.watches.borrow_mut().remove(&watch);
        // The next one to use the connection for a watch begins with an empty transaction, which ends this one.
        drop(gone);
    }
}
