//! Signs of life: connections that are silent are asked, and those that do not answer are made anew.
//!
//! A server that runs a script answers nobody for a while (five seconds, unless it is set otherwise), and then says
//! BUSY to all but the connection that the script came by. So a connection with something under way is not asked
//! itself: another one is. If that says BUSY, a script is running. If it answers, the silent connection is a dead one.
//! If it does not, long enough, the server is stalled.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::connect::Unreachable;
use crate::lane::Lane;
use crate::resp::Reply;
use crate::servers::Servers;

/// A server that has not answered for so many intervals is stalled: by default, longer than scripts keep it silent.
const STALLED: u32 = 4;

/// Asks silent connections for a sign of life, again and again.
pub(crate) async fn keep(servers: Rc<Servers>) {
    let Some(interval) = servers.config.heartbeat else { return };
    loop {
        sleep(interval / 2).await;
        for lane in servers.lanes() {
            if lane.is_up() && lane.silence() >= interval && lane.begin_probe() {
                let servers = servers.clone();
                spawn_local(async move {
                    if let Some(reason) = probe(&servers, &lane, interval).await {
                        log::warn!("the connection to {} is given up: {reason}", lane.address());
                        lane.sever(Unreachable(reason));
                    }
                    lane.end_probe();
                });
            }
        }
    }
}

/// Why a silent connection is of no use any more, if it is not.
async fn probe(servers: &Servers, lane: &Rc<Lane>, interval: Duration) -> Option<String> {
    let (connection, bound) = (lane.connection(), lane.connection_timeout());
    let is_still_silent = || lane.is_up() && lane.connection() == connection && lane.silence() >= interval;
    if lane.is_idle() {
        let answer = timeout(bound, lane.ask(ping())).await;
        let is_dead = answer.is_err() && is_still_silent();
        return is_dead.then(|| format!("no answer to a heartbeat within {} ms", bound.as_millis()));
    }
    let other = servers.admin_lane(lane.address()).filter(|other| !Rc::ptr_eq(other, lane));
    let answer = match other {
        Some(other) => timeout(interval, other.ask(ping())).await.ok().and_then(Result::ok),
        None => None,
    };
    if !is_still_silent() {
        return None;
    }
    let silence = lane.silence().as_millis();
    match answer {
        Some(reply) if is_busy(&reply) => None,
        Some(_) if lane.may_block() => None,
        Some(_) => Some(format!("no reply for {silence} ms, and the server runs no script")),
        None if lane.silence() < interval * STALLED => None,
        None => Some(format!("the server has not answered for {silence} ms")),
    }
}

pub(crate) fn is_busy(reply: &Reply) -> bool {
    reply.error().is_some_and(|error| error.code() == "BUSY")
}

pub(crate) fn ping() -> Bytes {
    Bytes::from_static(b"*1\r\n$4\r\nPING\r\n")
}
