//! One call to several nodes, or in several parts. The parts are sent at the same time, each is retried by itself, and
//! their replies are gathered.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::calls::single;
use crate::model::call::Call;
use crate::model::cause::{AtDeadline, Cause, Obstacle};
use crate::model::completion::{CallId, Completion, Outcome, ReplyTo};
use crate::model::config::Address;
use crate::model::error::{Error, Kind};
use crate::model::request::{Gather, Request};
use crate::model::route::Route;
use crate::model::split::{Part, Split};
use crate::servers::directory::{LOOK_AGAIN, Servers};
use crate::servers::node::Node;
use crate::servers::supervision::Supervision;
use crate::tasks::guard;
use crate::wire::resp::{Item, Reply};

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
    let Nodes { mut nodes, unconnected } = Nodes::of(servers, route, request.gather());
    let mut asking = JoinSet::new();
    for (index, address) in nodes.iter().cloned().enumerate() {
        let outcome = send(servers, request.clone(), Route::Address(address), timeout, deadline);
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
    nodes.extend(unconnected.iter().map(|node| node.address.clone()));
    let mut outcomes: Vec<Option<Outcome>> = nodes.iter().map(|_| None).collect();
    while let Some(Ok((index, outcome))) = asking.join_next().await {
        let suffices = request.gather() == Gather::OneSucceeded && matches!(outcome, Some(Ok(_)));
        outcomes[index] = outcome;
        if suffices {
            break;
        }
    }
    let answers = nodes.into_iter().zip(outcomes).filter_map(|(node, outcome)| Some((node, outcome?)));
    let answers = answers.filter(|(node, outcome)| !has_left(servers, node, outcome));
    gather_nodes(request.gather(), answers.collect())
}

/// Whether a node left the cluster before anything was sent to it.
pub(crate) fn has_left(servers: &Servers, node: &Address, outcome: &Outcome) -> bool {
    let is_known = servers.topology().nodes().any(|known| known.address == *node);
    !may_have_executed(outcome) && !is_known && !servers.supervisor.is_closed()
}

pub(crate) fn may_have_executed(outcome: &Outcome) -> bool {
    outcome.as_ref().map_or_else(|error| error.may_have_executed, |_| true)
}

/// The nodes of a route. A replica that is down has no cache to flush and runs no script, so only callers who need a
/// reply from each node wait for it.
struct Nodes {
    nodes: Vec<Address>,
    /// Sent to only if they can be connected.
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

/// The nodes of a route, without the replicas that cannot be connected. If a node is still connecting after a moment,
/// only its own part waits for it.
pub(crate) async fn nodes_of(servers: &Servers, route: &Route, gather: Gather) -> Vec<Address> {
    let Nodes { mut nodes, unconnected } = Nodes::of(servers, route, gather);
    let mut connecting = JoinSet::new();
    for node in unconnected {
        connecting.spawn_local(async move {
            let is_down = matches!(timeout(LOOK_AGAIN, node.reads().connected()).await, Ok(Err(_)));
            (!is_down).then(|| node.address.clone())
        });
    }
    nodes.extend(connecting.join_all().await.into_iter().flatten());
    nodes
}

async fn run_in_parts(servers: Rc<Servers>, supervision: Supervision, split: Split) {
    let Split { parts, gather, timeout, deadline, reply_to } = split;
    let work = async {
        let keys = parts.iter().map(|part| part.positions.len()).sum();
        let mut asking = JoinSet::new();
        for Part { request, slot, positions } in parts {
            let outcome = send(&servers, request, Route::Slot(slot), timeout, deadline);
            asking.spawn_local(async move { (positions, outcome.await) });
        }
        gather_parts(gather, asking.join_all().await, keys)
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

/// A part without a waiting caller is cancelled.
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

pub(crate) fn gather_nodes(gather: Gather, answers: Vec<(Address, Outcome)>) -> Outcome {
    let ran = answers.iter().any(|(_, outcome)| may_have_executed(outcome));
    reply_of_nodes(gather, answers).map_err(|error| Box::new(error.may_have_executed(ran)))
}

fn reply_of_nodes(gather: Gather, answers: Vec<(Address, Outcome)>) -> Outcome {
    if gather == Gather::OneSucceeded {
        let mut errors = Vec::new();
        for (_, outcome) in answers {
            match outcome {
                Ok(reply) => return Ok(reply),
                Err(error) => errors.push(error),
            }
        }
        // If a node is busy, its error is shown: it says more than the errors of nodes that were not busy.
        let shown = errors.iter().position(|error| error.kind != Kind::NotBusy).unwrap_or(0);
        return if errors.is_empty() { Err(Box::new(no_nodes())) } else { Err(errors.swap_remove(shown)) };
    }
    let mut replies = Vec::with_capacity(answers.len());
    for (node, outcome) in answers {
        match outcome {
            Ok(reply) => replies.push((node, reply)),
            Err(mut error) => {
                error.node = Some(node);
                return Err(error);
            }
        }
    }
    if gather == Gather::ByNode {
        return Ok(by_node(replies));
    }
    combine(gather, replies.into_iter().map(|(_, reply)| reply))
}

fn by_node(replies: Vec<(Address, Reply)>) -> Reply {
    let mut items = vec![Item::Map(replies.len())];
    for (node, reply) in replies {
        items.push(Item::Bulk(Bytes::from(node.to_string()).into()));
        reply.append_to(&mut items);
    }
    if items.len() == 1 { Reply::One(Item::Map(0)) } else { Reply::Nested(items) }
}

pub(crate) fn gather_parts(gather: Gather, answers: Vec<(Vec<usize>, Outcome)>, keys: usize) -> Outcome {
    let ran = answers.iter().any(|(_, outcome)| may_have_executed(outcome));
    reply_of_parts(gather, answers, keys).map_err(|error| Box::new(error.may_have_executed(ran)))
}

fn reply_of_parts(gather: Gather, answers: Vec<(Vec<usize>, Outcome)>, keys: usize) -> Outcome {
    let replies = answers.into_iter().map(|(positions, outcome)| Ok((positions, outcome?)));
    let replies = replies.collect::<Result<Vec<_>, Box<Error>>>()?;
    if gather != Gather::InOrder {
        return combine(gather, replies.into_iter().map(|(_, reply)| reply));
    }
    let mut places: Vec<Option<Reply>> = (0..keys).map(|_| None).collect();
    for (positions, reply) in replies {
        let elements = reply.into_elements().filter(|elements| elements.len() == positions.len());
        let elements = elements.ok_or_else(|| Box::new(Error::unexpected("a list with one element a key")))?;
        for (position, element) in positions.into_iter().zip(elements) {
            places[position] = Some(element);
        }
    }
    let mut items = vec![Item::Array(keys)];
    for element in places {
        element.unwrap_or(Reply::One(Item::Nil)).append_to(&mut items);
    }
    Ok(Reply::Nested(items))
}

fn combine(gather: Gather, mut replies: impl Iterator<Item = Reply>) -> Outcome {
    match gather {
        Gather::Sum => {
            let sum = replies.try_fold(0, |sum, reply| Some(sum + reply.as_int()?));
            sum.map(|sum| Reply::One(Item::Int(sum))).ok_or_else(|| Box::new(Error::unexpected("an integer")))
        }
        Gather::Least => {
            let first = replies.next().ok_or_else(|| Box::new(no_nodes()))?;
            replies.try_fold(first, least).ok_or_else(|| Box::new(Error::unexpected("integers")))
        }
        Gather::Joined => {
            let lists: Option<Vec<Vec<Reply>>> = replies.map(Reply::into_elements).collect();
            let elements: Vec<_> =
                lists.ok_or_else(|| Box::new(Error::unexpected("a list")))?.into_iter().flatten().collect();
            let mut items = vec![Item::Array(elements.len())];
            elements.into_iter().for_each(|element| element.append_to(&mut items));
            Ok(if items.len() == 1 { Reply::One(Item::Array(0)) } else { Reply::Nested(items) })
        }
        Gather::And => {
            let lists: Option<Vec<Vec<Reply>>> = replies.map(Reply::into_elements).collect();
            let lists = lists.ok_or_else(|| Box::new(Error::unexpected("a list of integers")))?;
            let length = lists.iter().map(Vec::len).min().unwrap_or(0);
            let mut items = vec![Item::Array(length)];
            items.extend((0..length).map(|position| {
                let all = lists.iter().all(|list| list[position].as_int() == Some(1));
                Item::Int(i64::from(all))
            }));
            Ok(Reply::Nested(items))
        }
        _ => replies.next().ok_or_else(|| Box::new(no_nodes())),
    }
}

/// The lesser of two integers, or of each pair of two lists of integers.
fn least(one: Reply, other: Reply) -> Option<Reply> {
    let lesser = |one: &Reply, other: &Reply| Some(Item::Int(one.as_int()?.min(other.as_int()?)));
    if let Some(lesser) = lesser(&one, &other) {
        return Some(Reply::One(lesser));
    }
    let pairs: Vec<_> = one.into_elements()?.into_iter().zip(other.into_elements()?).collect();
    let numbers = pairs.iter().map(|(one, other)| lesser(one, other));
    let items: Option<Vec<_>> = std::iter::once(Some(Item::Array(pairs.len()))).chain(numbers).collect();
    items.map(Reply::Nested)
}

fn no_nodes() -> Error {
    Error::because(Kind::Connection, Cause::NoNode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(value: i64) -> Reply {
        Reply::One(Item::Int(value))
    }

    fn list(values: &[i64]) -> Reply {
        let items = values.iter().map(|value| Item::Int(*value));
        Reply::Nested(std::iter::once(Item::Array(values.len())).chain(items).collect())
    }

    fn node(port: u16) -> Address {
        Address::new("h", port)
    }

    #[test]
    fn integers_are_added_and_lists_are_anded() {
        let sum = gather_nodes(Gather::Sum, vec![(node(1), Ok(int(2))), (node(2), Ok(int(3)))]);
        assert_eq!(sum.ok(), Some(int(5)));
        let both = gather_nodes(Gather::And, vec![(node(1), Ok(list(&[1, 1, 0]))), (node(2), Ok(list(&[1, 0, 0])))]);
        assert_eq!(both.ok(), Some(list(&[1, 0, 0])));
    }

    #[test]
    fn the_least_is_taken_of_integers_and_of_each_place_in_lists() {
        let of = |replies: [Reply; 3]| {
            let answers = (1..).map(node).zip(replies.map(Ok)).collect();
            gather_nodes(Gather::Least, answers).ok()
        };
        assert_eq!(of([int(2), int(1), int(3)]), Some(int(1)));
        assert_eq!(of([list(&[1, 2]), list(&[1, 0]), list(&[0, 3])]), Some(list(&[0, 0])));
        assert_eq!(of([int(1), list(&[1]), int(1)]), None);
    }

    #[test]
    fn parts_come_together_in_the_order_of_the_keys() {
        let answers = vec![(vec![0, 2], Ok(list(&[10, 30]))), (vec![1], Ok(list(&[20])))];
        assert_eq!(gather_parts(Gather::InOrder, answers, 3).ok(), Some(list(&[10, 20, 30])));
    }

    #[test]
    fn one_success_outweighs_the_nodes_that_were_not_busy() {
        let idle = || Err(Box::new(Error::new(Kind::NotBusy, "NOTBUSY")));
        let outcome = gather_nodes(Gather::OneSucceeded, vec![(node(1), idle()), (node(2), Ok(int(1)))]);
        assert_eq!(outcome.ok(), Some(int(1)));
        let unkillable = Err(Box::new(Error::new(Kind::Unkillable, "UNKILLABLE")));
        let outcome = gather_nodes(Gather::OneSucceeded, vec![(node(1), idle()), (node(2), unkillable)]);
        assert_eq!(outcome.map_err(|error| error.kind).err(), Some(Kind::Unkillable));
    }

    fn refused(may_have_executed: bool) -> Outcome {
        Err(Box::new(Error::new(Kind::Request, "OOM").may_have_executed(may_have_executed)))
    }

    #[test]
    fn an_error_names_its_node_and_says_whether_any_may_have_run() {
        let of = |gather, first, second| {
            let error = gather_nodes(gather, vec![(node(1), first), (node(2), second)]).expect_err("one failed");
            (error.to_string(), error.may_have_executed)
        };
        for gather in [Gather::AllSucceeded, Gather::Sum, Gather::ByNode] {
            let (text, ran) = of(gather, Ok(int(1)), refused(false));
            assert!(text.starts_with("h:2: ") && ran, "{text}");
            assert!(of(gather, refused(false), Ok(int(1))).1);
            assert!(of(gather, refused(false), refused(true)).1);
            assert!(!of(gather, refused(false), refused(false)).1);
        }
        assert!(of(Gather::OneSucceeded, refused(false), refused(true)).1);
        assert!(!of(Gather::OneSucceeded, refused(false), refused(false)).1);
    }

    #[test]
    fn an_error_of_a_part_says_whether_any_may_have_run() {
        let of = |gather, first, second| {
            let answers = vec![(vec![0], first), (vec![1], second)];
            gather_parts(gather, answers, 2).expect_err("one failed").may_have_executed
        };
        for gather in [Gather::InOrder, Gather::Sum] {
            assert!(of(gather, refused(false), Ok(list(&[1]))));
            assert!(of(gather, refused(false), refused(true)));
            assert!(!of(gather, refused(false), refused(false)));
        }
    }
}
