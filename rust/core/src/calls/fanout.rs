//! One call to several nodes, or in several parts. The parts are sent at the same time, and each is retried by
//! itself. `model::gather` makes one reply of theirs.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::calls::single;
use crate::model::call::Call;
use crate::model::cause::{AtDeadline, Obstacle};
use crate::model::completion::{CallId, Completion, Outcome, ReplyTo};
use crate::model::config::Address;
use crate::model::error::Error;
use crate::model::gather::{Gather, may_have_executed};
use crate::model::request::Request;
use crate::model::route::Route;
use crate::model::split::{Part, Split};
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::servers::node::Node;
use crate::servers::supervision::Supervision;
use crate::tasks::guard;

/// Sends a call to every node of its route.
pub(crate) fn to_nodes(servers: &Rc<Servers>, call: Call) {
    let supervision = servers.supervisor.supervise(&call.reply_to);
    guard::spawn("a call", run_on_nodes(servers.clone(), supervision, call));
}

/// Sends each part to the shard of its slot.
pub(crate) fn in_parts(servers: &Rc<Servers>, split: Split) {
    let supervision = servers.supervisor.supervise(&split.reply_to);
    guard::spawn("a call", run_in_parts(servers.clone(), supervision, split));
}

async fn run_on_nodes(servers: Rc<Servers>, supervision: Supervision, call: Call) {
    let Call { request, route, timeout, deadline, reply_to } = call;
    let work = async {
        let closed = servers.supervisor.closed();
        match timeout_at(deadline, closed.run_until_cancelled(servers.learn_first())).await {
            Ok(Some(())) => ask_nodes(&servers, request, &route, timeout, deadline).await,
            Ok(None) => Err(Box::new(Error::closed_in_flight(false))),
            Err(_) => Err(Box::new(Error::timeout(timeout, AtDeadline::NotSent(Obstacle::NoNode)))),
        }
    };
    finish(&servers, supervision, reply_to, work).await;
}

async fn finish(servers: &Servers, supervision: Supervision, reply_to: ReplyTo, work: impl Future<Output = Outcome>) {
    let outcome = supervision.over_parts(work).await;
    servers.stats.finish_unless_gone(reply_to, outcome);
}

async fn ask_nodes(
    servers: &Rc<Servers>,
    request: Request,
    route: &Route,
    timeout: Duration,
    deadline: Instant,
) -> Outcome {
    // Nodes with a connection are asked at once. They do not wait for the connections of other nodes.
    let Nodes { nodes, unconnected } = Nodes::of(servers, route, request.gather());
    let mut nodes = routes_to(&nodes, route);
    let mut asking = JoinSet::new();
    for (index, (_, route)) in nodes.iter().cloned().enumerate() {
        let outcome = send(servers, request.clone(), route, timeout, deadline);
        asking.spawn_local(async move { (index, Some(outcome.await)) });
    }
    for (index, node) in (nodes.len()..).zip(&unconnected) {
        let (servers, node, request) = (servers.clone(), node.clone(), request.clone());
        asking.spawn_local(async move {
            let outcome = match timeout_at(deadline, node.reads().connected()).await {
                Ok(Ok(())) => {
                    Some(send(&servers, request, Route::Address(node.address.clone()), timeout, deadline).await)
                }
                Ok(Err(_)) if servers.supervisor.is_closed() => Some(Err(Box::new(Error::closed_in_flight(false)))),
                Ok(Err(_)) => None,
                Err(_) => Some(Err(Box::new(Error::timeout(timeout, AtDeadline::NotSent(Obstacle::Connecting))))),
            };
            (index, outcome)
        });
    }
    nodes.extend(unconnected.iter().map(|node| (node.address.clone(), Route::Address(node.address.clone()))));
    let mut outcomes: Vec<Option<Outcome>> = nodes.iter().map(|_| None).collect();
    while let Some(Ok((index, outcome))) = asking.join_next().await {
        let suffices = request.gather() == Gather::OneSucceeded && matches!(outcome, Some(Ok(_)));
        outcomes[index] = outcome;
        if suffices {
            break;
        }
    }
    let answers = nodes.into_iter().zip(outcomes).filter_map(|(node, outcome)| Some((node, outcome?)));
    request.gather().of_nodes(without_left(servers, answers))
}

/// The nodes with their outcomes, without those that left the cluster before anything was sent to them.
pub(crate) fn without_left(
    servers: &Servers,
    answers: impl Iterator<Item = ((Address, Route), Outcome)>,
) -> Vec<(Address, Outcome)> {
    let has_left = |route: &Route, outcome: &Outcome| {
        let is_known = servers.topology().lane(route, false, &servers.config.read_from).is_some();
        !may_have_executed(outcome) && !is_known && !servers.supervisor.is_closed()
    };
    let left = answers.filter(|((_, route), outcome)| !has_left(route, outcome));
    left.map(|((node, _), outcome)| (node, outcome)).collect()
}

/// The nodes of a route, each with the route of its own part.
fn routes_to(nodes: &[Address], route: &Route) -> Vec<(Address, Route)> {
    let all: Arc<[Address]> = nodes.into();
    let part = |node: &Address| match route {
        Route::AllPrimaries => Route::PrimaryOf(node.clone(), all.clone()),
        _ => Route::Address(node.clone()),
    };
    nodes.iter().map(|node| (node.clone(), part(node))).collect()
}

/// The nodes of a route. A replica that is down has no cache to flush and runs no script, so only callers who need a
/// reply from each node wait for it.
struct Nodes {
    nodes: Vec<Address>,
    /// These get their parts only if they can be connected.
    unconnected: Vec<Rc<Node>>,
}

impl Nodes {
    fn of(servers: &Servers, route: &Route, gather: Gather) -> Self {
        let topology = servers.topology();
        let mut nodes: Vec<_> = topology.primaries().map(|node| node.address.clone()).collect();
        if *route == Route::AllPrimaries {
            return Self { nodes, unconnected: Vec::new() };
        }
        let is_certain = |node: &&Rc<Node>| gather == Gather::ByNode || node.reads().is_up();
        let (certain, unconnected): (Vec<_>, Vec<_>) = topology.replicas().partition(is_certain);
        nodes.extend(certain.into_iter().map(|node| node.address.clone()));
        Self { nodes, unconnected: unconnected.into_iter().cloned().collect() }
    }
}

/// The nodes of a route, each with the route of its own part, without the replicas that cannot be connected. If a node
/// is still connecting after a moment, only its own part waits for it.
pub(crate) async fn nodes_of(servers: &Servers, route: &Route, gather: Gather) -> Vec<(Address, Route)> {
    let Nodes { mut nodes, unconnected } = Nodes::of(servers, route, gather);
    let mut connecting = JoinSet::new();
    for node in unconnected {
        connecting.spawn_local(async move {
            let is_down = matches!(timeout(LOOK_AGAIN, node.reads().connected()).await, Ok(Err(_)));
            (!is_down).then(|| node.address.clone())
        });
    }
    nodes.extend(connecting.join_all().await.into_iter().flatten());
    routes_to(&nodes, route)
}

async fn run_in_parts(servers: Rc<Servers>, supervision: Supervision, split: Split) {
    let Split { parts, gather, timeout, deadline, reply_to } = split;
    let work = async {
        let mut asking = JoinSet::new();
        for Part { request, slot, positions } in parts {
            let outcome = send(&servers, request, Route::Slot(slot), timeout, deadline);
            asking.spawn_local(async move { (positions, outcome.await) });
        }
        gather.of_parts(asking.join_all().await)
    };
    finish(&servers, supervision, reply_to, work).await;
}

/// One part of the whole, as a call of its own.
fn send(
    servers: &Rc<Servers>,
    request: Request,
    route: Route,
    timeout: Duration,
    deadline: Instant,
) -> impl Future<Output = Outcome> + use<> {
    let (reply_to, outcome) = ReplyTo::part();
    let asked = Asked { servers: servers.clone(), id: reply_to.id() };
    single::send(servers, Call { request, route, timeout, deadline, reply_to });
    async move {
        let outcome = outcome.await.ok().and_then(Completion::into_call);
        asked.end();
        outcome.unwrap_or_else(|| Err(Box::new(Error::closed_in_flight(true))))
    }
}

/// A part is cancelled when nobody waits for it.
struct Asked {
    servers: Rc<Servers>,
    /// `None`: it has ended.
    id: Option<CallId>,
}

impl Asked {
    fn end(mut self) {
        self.id = None;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(id) = self.id
            && !self.servers.supervisor.cancel(id)
        {
            self.servers.cancel(BTreeSet::from([id]));
        }
    }
}
