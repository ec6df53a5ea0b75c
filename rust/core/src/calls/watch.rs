//! Watched keys: each watcher has a connection of its own, until the transaction that ends the watch.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::calls::attempt::Attempt;
use crate::calls::transaction::left_open;
use crate::calls::waiting::connected_lane;
use crate::connection::lane::Lane;
use crate::connection::step::{StepOptions, StepProgress};
use crate::model::cause::{AtDeadline, Obstacle};
use crate::model::completion::{Outcome, ReplyTo};
use crate::model::error::Error;
use crate::model::request::{Packer, Request, asking};
use crate::model::route::Route;
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::servers::watches::{self, WatchedOn};
use crate::tasks::guard;
use crate::wire::resp::Reply;

/// WATCH or UNWATCH on its way.
#[derive(Debug)]
pub(crate) struct Watching {
    /// The name of the connection.
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
    let supervision = servers.supervisor.supervise(&reply_to);
    let servers = servers.clone();
    guard::spawn("a watch", async move {
        let waiting_for = RefCell::default();
        let work = async {
            match keys {
                Some((request, route)) => servers.watch(watch, &request, &route, deadline, &waiting_for).await,
                None => {
                    servers.unwatch(watch).await;
                    Ok(Reply::OKAY)
                }
            }
        };
        let closed = || Ok(Err(Box::new(Error::closed_in_flight(false))));
        let outcome = match supervision.over(timeout_at(deadline, work)).await.or_closed(closed) {
            Some(Ok(outcome)) => Some(outcome),
            Some(Err(_)) => {
                servers.watches.end(watch);
                servers.unanswered();
                let error = Error::timeout(timeout, AtDeadline::NotExecuted(waiting_for.take()));
                Some(Err(Box::new(error)))
            }
            None => {
                servers.watches.end(watch);
                None
            }
        };
        servers.stats.finish_unless_gone(reply_to, outcome);
    });
}

/// No lane ever has this number.
const NO_CONNECTION: u64 = u64::MAX;

impl Servers {
    async fn watch(
        self: &Rc<Self>,
        watch: u64,
        request: &Request,
        route: &Route,
        deadline: Instant,
        waiting_for: &RefCell<Obstacle>,
    ) -> Outcome {
        let turn = self.watches.entry(watch).turn.clone();
        let _in_turn = turn.lock().await;
        let slot = if let Route::Slot(slot) = route { Some(*slot) } else { None };
        watches::reaches(self.watches.slot(watch), slot)?;
        let mut attempt = Attempt::default();
        loop {
            attempt.pauses.wait(deadline).await;
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
                waiting_for.replace(lane.obstacle());
                attempt.pauses.back_off();
                continue;
            }
            let connection = watching.map_or_else(|| lane.connection(), |on| on.connection);
            attempt.asking |= watching.is_some_and(|on| on.asking);
            let progress: Rc<StepProgress> = Rc::default();
            let mut commands = Vec::new();
            if watching.is_none() {
                // They end what an abandoned transaction may have left open, and show whether the user may begin
                // transactions.
                commands.extend(["MULTI", "EXEC"].map(|name| Packer::single(name).wire().clone()));
            }
            if attempt.asking {
                commands.push(asking());
            }
            commands.push(request.wire().clone());
            let options = StepOptions { only_on: Some(connection), ..StepOptions::default() };
            if lane.begin(commands, options, &progress).await.is_err() {
                if watching.is_some() {
                    // The keys watched before are no longer watched. The transaction will notice that.
                    return Ok(Reply::OKAY);
                }
                attempt.pauses.back_off();
                continue;
            }
            let mut replies = progress.take_replies();
            let open = watching.is_none().then(|| left_open(&lane, &replies)).flatten();
            let refused = open.or_else(|| replies.first().and_then(Reply::error).cloned());
            let last = replies.pop().and_then(|reply| reply.error().cloned());
            let Some(error) = refused.or(last) else {
                self.watches.set_watching(watch, WatchedOn { connection, slot, asking: attempt.asking });
                return Ok(Reply::OKAY);
            };
            attempt.lane = Some(target);
            let verdict = attempt.judge(self, request, route, &error);
            if !attempt.follow(self, request, route, &error, &verdict, waiting_for) {
                return Err(Box::new(Error::answered(&error, &verdict, request)));
            }
            if watching.is_some() && verdict.is_redirect() {
                // The keys watched so far are on another server now. The transaction will notice that.
                self.watches.set_watching(watch, WatchedOn { connection: NO_CONNECTION, slot, asking: false });
                return Ok(Reply::OKAY);
            }
        }
    }

    /// The connection of that name, to the server of `target`; and where it watches keys already.
    fn watching_lane(&self, watch: u64, target: &Rc<Lane>) -> (Rc<Lane>, Option<WatchedOn>) {
        let mut watch = self.watches.entry(watch);
        if let Some(lease) = &watch.lease
            && !lease.lane().is_closed()
            && (watch.watching.is_some() || self.is_alike(lease, target))
        {
            return (lease.lane().clone(), watch.watching);
        }
        let lane = watch.lease.insert(self.lend(target)).lane().clone();
        watch.watching = None;
        (lane, None)
    }

    async fn unwatch(&self, watch: u64) {
        let turn = self.watches.turn(watch);
        let Some(turn) = turn else { return };
        let _in_turn = turn.lock().await;
        if let Some(watched) = self.watches.end(watch) {
            let options = StepOptions { only_on: Some(watched.connection()), ..StepOptions::default() };
            let commands = vec![Packer::single("UNWATCH").wire().clone()];
            // Where the connection is lost, so is the watch.
            let _ = watched.lane().begin(commands, options, &Rc::default()).await;
        }
    }
}
