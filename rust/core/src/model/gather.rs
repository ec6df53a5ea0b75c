//! How the replies of several nodes, or to the parts of a command, become one.

use bytes::Bytes;

use crate::model::address::Address;
use crate::model::cause::Cause;
use crate::model::completion::Outcome;
use crate::model::error::{Error, Kind};
use crate::wire::resp::{Item, Reply};

/// How the replies of several nodes, or to the parts of a command, become one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    /// A map from each node's `host:port` to its reply.
    ByNode,
    /// The first reply, if all succeeded.
    AllSucceeded,
    /// The first that succeeded, if any did.
    OneSucceeded,
    /// The sum of integers.
    Sum,
    /// For each position of lists of 0 and 1, whether all have 1.
    And,
    /// One list, in the order of the keys.
    InOrder,
    /// One list, of all.
    Joined,
    /// The least of integers.
    Least,
}

impl Gather {
    /// The outcome of a call to several nodes.
    pub(crate) fn of_nodes(self, answers: Vec<(Address, Outcome)>) -> Outcome {
        let ran = answers.iter().any(|(_, outcome)| may_have_executed(outcome));
        reply_of_nodes(self, answers).map_err(|error| Box::new(error.may_have_executed(ran)))
    }

    /// The outcome of a call in several parts, each with the positions of its keys among those of the whole call.
    pub(crate) fn of_parts(self, answers: Vec<(Vec<usize>, Outcome)>) -> Outcome {
        let ran = answers.iter().any(|(_, outcome)| may_have_executed(outcome));
        reply_of_parts(self, answers).map_err(|error| Box::new(error.may_have_executed(ran)))
    }
}

/// Whether the server may have executed it, in part or in whole.
pub(crate) fn may_have_executed(outcome: &Outcome) -> bool {
    outcome.as_ref().map_or_else(|error| error.may_have_executed, |_| true)
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

fn reply_of_parts(gather: Gather, answers: Vec<(Vec<usize>, Outcome)>) -> Outcome {
    let keys = answers.iter().map(|(positions, _)| positions.len()).sum();
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
        let sum = Gather::Sum.of_nodes(vec![(node(1), Ok(int(2))), (node(2), Ok(int(3)))]);
        assert_eq!(sum.ok(), Some(int(5)));
        let both = Gather::And.of_nodes(vec![(node(1), Ok(list(&[1, 1, 0]))), (node(2), Ok(list(&[1, 0, 0])))]);
        assert_eq!(both.ok(), Some(list(&[1, 0, 0])));
    }

    #[test]
    fn the_least_is_taken_of_integers_and_of_each_place_in_lists() {
        let of = |replies: [Reply; 3]| {
            let answers = (1..).map(node).zip(replies.map(Ok)).collect();
            Gather::Least.of_nodes(answers).ok()
        };
        assert_eq!(of([int(2), int(1), int(3)]), Some(int(1)));
        assert_eq!(of([list(&[1, 2]), list(&[1, 0]), list(&[0, 3])]), Some(list(&[0, 0])));
        assert_eq!(of([int(1), list(&[1]), int(1)]), None);
    }

    #[test]
    fn parts_come_together_in_the_order_of_the_keys() {
        let answers = vec![(vec![0, 2], Ok(list(&[10, 30]))), (vec![1], Ok(list(&[20])))];
        assert_eq!(Gather::InOrder.of_parts(answers).ok(), Some(list(&[10, 20, 30])));
    }

    #[test]
    fn one_success_outweighs_the_nodes_that_were_not_busy() {
        let idle = || Err(Box::new(Error::new(Kind::NotBusy, "NOTBUSY")));
        let outcome = Gather::OneSucceeded.of_nodes(vec![(node(1), idle()), (node(2), Ok(int(1)))]);
        assert_eq!(outcome.ok(), Some(int(1)));
        let unkillable = Err(Box::new(Error::new(Kind::Unkillable, "UNKILLABLE")));
        let outcome = Gather::OneSucceeded.of_nodes(vec![(node(1), idle()), (node(2), unkillable)]);
        assert_eq!(outcome.map_err(|error| error.kind).err(), Some(Kind::Unkillable));
    }

    fn refused(may_have_executed: bool) -> Outcome {
        Err(Box::new(Error::new(Kind::Request, "OOM").may_have_executed(may_have_executed)))
    }

    #[test]
    fn an_error_names_its_node_and_says_whether_any_may_have_run() {
        let of = |gather: Gather, first, second| {
            let error = gather.of_nodes(vec![(node(1), first), (node(2), second)]).expect_err("one failed");
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
        let of = |gather: Gather, first, second| {
            let answers = vec![(vec![0], first), (vec![1], second)];
            gather.of_parts(answers).expect_err("one failed").may_have_executed
        };
        for gather in [Gather::InOrder, Gather::Sum] {
            assert!(of(gather, refused(false), Ok(list(&[1]))));
            assert!(of(gather, refused(false), refused(true)));
            assert!(!of(gather, refused(false), refused(false)));
        }
    }
}
