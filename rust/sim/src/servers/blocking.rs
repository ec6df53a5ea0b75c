//! BLPOP and WAIT: their connections are answered later, and not read until then.

use std::time::Duration;

use super::connection::{Blocked, BlockedOn, Connection};
use super::deployment::{Deployment, Timer};
use super::dispatch::Flow;
use super::ids::{ConnectionId, NodeId};
use super::wire::{Reply, Words, integer};
use super::words::MADE_REPLICA;

impl Deployment {
    pub(super) fn pop_or_wait(&mut self, c: &mut Connection, words: &Words) -> Flow {
        let (timeout, keys) = (&words[words.len() - 1], &words[1..words.len() - 1]);
        let seconds = std::str::from_utf8(timeout).ok().and_then(|text| text.parse::<f64>().ok());
        let Some(seconds) = seconds.filter(|seconds| seconds.is_finite()) else {
            return Flow::Answer(Reply::error("ERR timeout is not a float or out of range"));
        };
        let Ok(timeout) = Duration::try_from_secs_f64(seconds) else {
            return Flow::Answer(Reply::error("ERR timeout is negative"));
        };
        if let Some(reply) = self.pop_first(c, keys) {
            return Flow::Answer(reply);
        }
        self.block(c, timeout, BlockedOn::Lists { database: c.database, keys: keys.to_vec() })
    }

    pub(super) fn wait_for_replicas(&mut self, c: &mut Connection, words: &Words) -> Flow {
        let (Some(count), Some(timeout)) = (integer(&words[1]), integer(&words[2])) else {
            return Flow::Answer(Reply::error("ERR value is not an integer or out of range"));
        };
        if self.nodes[c.node].is_replica() {
            return Flow::Answer(Reply::error(
                "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is \
                 configured to be writable (which is not the default) writes to replicas are just local and are not \
                 propagated.",
            ));
        }
        let Ok(timeout) = u64::try_from(timeout) else {
            return Flow::Answer(Reply::error("ERR timeout is negative"));
        };
        let (count, offset) = (usize::try_from(count).unwrap_or(0), c.last_write);
        let acknowledged = self.acknowledged_by(c.node, offset);
        if acknowledged >= count {
            return Flow::Answer(Reply::count(acknowledged));
        }
        self.block(c, Duration::from_millis(timeout), BlockedOn::Replicas { count, offset })
    }

    fn block(&mut self, c: &mut Connection, timeout: Duration, on: BlockedOn) -> Flow {
        let until = (!timeout.is_zero()).then(|| self.now + timeout);
        if let Some(until) = until {
            self.at(until, Timer::Unblock(c.id));
        }
        c.blocked = Some(Blocked { until, on });
        Flow::Later
    }

    /// The first element of the first of these lists that has one.
    pub(super) fn pop_first(&mut self, c: &mut Connection, keys: &[Vec<u8>]) -> Option<Reply> {
        for key in keys {
            match self.run_plain(c, &vec![b"LPOP".to_vec(), key.clone()], None) {
                Reply::Nil => {}
                Reply::Bulk(value) => return Some(Reply::Array(vec![Reply::Bulk(key.clone()), Reply::Bulk(value)])),
                error => return Some(error),
            }
        }
        None
    }

    /// Something was written, or reached a replica, so some waiting commands may end. Those that have waited longest
    /// come first.
    pub(super) fn serve_blocked(&mut self, node: NodeId) {
        let waiting: Vec<ConnectionId> = self
            .connections
            .values()
            .filter(|c| c.node == node && c.is_open && c.blocked.is_some())
            .map(|c| c.id)
            .collect();
        for id in waiting {
            let Some(mut c) = self.connections.remove(&id) else { continue };
            let on = c.blocked.as_ref().map(|blocked| blocked.on.clone());
            let reply = match on {
                Some(BlockedOn::Lists { database, keys }) => {
                    let selected = std::mem::replace(&mut c.database, database);
                    let reply = self.pop_first(&mut c, &keys).filter(|reply| !reply.is_error());
                    c.database = selected;
                    reply
                }
                Some(BlockedOn::Replicas { count, offset }) => {
                    Some(self.acknowledged_by(node, offset)).filter(|&has| has >= count).map(Reply::count)
                }
                None => None,
            };
            if let Some(reply) = reply {
                self.answer(&mut c, &reply);
                c.blocked = None;
                self.unread.insert(node);
            }
            self.connections.insert(id, c);
        }
        self.commit(node);
    }

    pub(super) fn give_up_waiting(&mut self, id: ConnectionId) {
        let Some(c) = self.connections.get(&id) else { return };
        let Some(Blocked { until: Some(until), on }) = &c.blocked else { return };
        if *until > self.now {
            return;
        }
        let reply = match on {
            BlockedOn::Lists { .. } => Reply::NilArray,
            BlockedOn::Replicas { offset, .. } => Reply::count(self.acknowledged_by(c.node, *offset)),
        };
        self.unblock(id, &reply);
    }

    /// A server that becomes a replica ends the commands that wait.
    pub(super) fn unblock_all(&mut self, node: NodeId) {
        let waiting: Vec<ConnectionId> =
            self.connections.values().filter(|c| c.node == node && c.blocked.is_some()).map(|c| c.id).collect();
        waiting.into_iter().for_each(|id| self.unblock(id, &Reply::error(MADE_REPLICA)));
    }

    fn unblock(&mut self, id: ConnectionId, reply: &Reply) {
        if let Some(mut c) = self.connections.remove(&id) {
            c.blocked = None;
            self.answer(&mut c, reply);
            self.unread.insert(c.node);
            self.connections.insert(id, c);
        }
    }
}
