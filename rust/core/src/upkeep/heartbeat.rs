//! Signs of life: connections that are silent are asked, and those that do not answer are replaced.
//!
//! A server that runs a script answers nobody for a while (five seconds by default), and then says BUSY on all
//! connections except the one that the script came by. So if one connection is silent, the client asks over another
//! one. If the answer is BUSY, a script is running. If there is another answer, a silent connection that was idle is
//! dead; one with a request in flight gets as long as a paused server may need. If there is no answer, the server gets
//! that long, too. The time counts from the last sign of life: a message from the server, or its machine has taken more
//! of the request whose reply is due, which may take long on a slow link.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::connection::lane::Lane;
use crate::connection::ping::{is_busy, ping};
use crate::model::unreachable::Unreachable;
use crate::servers::directory::Servers;
use crate::tasks::guard;

/// For how many intervals a connection may be silent of which it is not certain that it is dead: by default, longer
/// than scripts keep a server silent.
const PATIENCE: u32 = 4;

/// Asks silent connections for a sign of life, again and again.
pub(crate) async fn keep(servers: Rc<Servers>) {
    let Some(interval) = servers.config.heartbeat else { return };
    loop {
        sleep(interval / 2).await;
        for lane in servers.lanes() {
            if lane.is_up() && lane.silence() >= interval / 2 {
                lane.check_progress();
            }
            if lane.is_up() && lane.silence() >= interval && lane.begin_probe() {
                let servers = servers.clone();
                spawn_local(async move {
                    if let Ok(Some(reason)) = guard::run("a heartbeat", probe(&servers, &lane, interval)).await {
                        log::warn!("the connection to {} is given up: {reason}", lane.address());
                        lane.sever(reason);
                    }
                    lane.end_probe();
                });
            }
        }
    }
}

/// Why a silent connection is of no use any more, if it is not.
async fn probe(servers: &Servers, lane: &Rc<Lane>, interval: Duration) -> Option<Unreachable> {
    let (connection, heard_at) = (lane.connection(), lane.last_sign_of_life());
    let is_unheard = || lane.is_up() && lane.connection() == connection && lane.last_sign_of_life() == heard_at;
    let was_idle = lane.is_idle();
    if was_idle {
        // The answer does not matter, nor whether it comes in time.
        let _ = timeout(interval, lane.ask(ping())).await;
    }
    if !is_unheard() {
        return None;
    }
    let other = servers.admin_lane(lane).filter(|other| !Rc::ptr_eq(other, lane));
    let answer = match other {
        Some(other) => timeout(interval, other.ask(ping())).await.ok().and_then(Result::ok),
        None => None,
    };
    let silence = lane.silence();
    match answer {
        _ if !is_unheard() => None,
        Some(reply) if is_busy(&reply) => None,
        Some(_) if lane.may_block() => None,
        Some(_) if was_idle || silence >= interval * PATIENCE => Some(Unreachable::Silent(silence)),
        None if silence >= interval * PATIENCE => Some(Unreachable::SilentServer(silence)),
        _ => None,
    }
}
