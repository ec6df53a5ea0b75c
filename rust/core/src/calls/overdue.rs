//! Stops scripts whose callers have given up and had asked for that (`on_timeout="kill"`).
//!
//! A server does not say which script it runs, and SCRIPT KILL stops any script that runs. But while a server is BUSY,
//! it reads all connections except the one that the running script came by, and answers BUSY. So a script that may have
//! to be killed has its own connection. The client knows that this script runs if its request has arrived, the server
//! has said BUSY after that, and no reply comes for some time: a BUSY reply to this script itself may be delayed in the
//! network. Only scripts that have not written can be killed.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::lane::Lane;
use crate::connection::ping::{is_busy, ping};
use crate::model::verdict;
use crate::servers::node::Lease;
use crate::tasks::guard;
use crate::wire::pack;
use crate::wire::resp::ServerError;

/// Kills the script that was sent over that connection and has no reply. It also does so if the client is closed in the
/// meantime: the caller's error said that the script will be killed.
pub(crate) fn kill(lease: Lease) {
    const BOUND: Duration = Duration::from_secs(60);
    let admin = lease.begin_kill();
    spawn_local(async move {
        // A server that does not answer for so long has another problem than this script.
        let killing = timeout(BOUND, kill_when_busy(&lease, &admin));
        if let Ok(Err(_)) = guard::run("a kill", killing).await {
            log::warn!("a script whose deadline had passed could not be killed on {}", admin.address());
        }
        lease.end_kill();
    });
}

async fn kill_when_busy(lease: &Lease, admin: &Rc<Lane>) {
    const PAUSE: Duration = Duration::from_millis(20);
    /// TCP sends a lost segment again after 200 ms.
    const ON_ITS_WAY: Duration = Duration::from_millis(250);
    /// Longer than a server with default settings is silent before it says BUSY.
    const AFTER_CLOSING: Duration = Duration::from_secs(10);
    let lane = lease.lane();
    let mut ends = None;
    // Since when the request is known to have arrived at a busy server.
    let mut arrived_at: Option<Instant> = None;
    while lane.is_owed_a_reply() {
        if lease.is_closed() && *ends.get_or_insert_with(|| Instant::now() + AFTER_CLOSING) <= Instant::now() {
            log::warn!("a script whose deadline had passed was left on {}: its client is closed", admin.address());
            return;
        }
        // A server answers this at once, or when the script has run long enough to be killed.
        let busy = timeout(AFTER_CLOSING, admin.ask(ping())).await;
        let is_busy = matches!(busy, Ok(Ok(reply)) if is_busy(&reply));
        let is_answered_by_now = arrived_at.is_some_and(|arrived_at| arrived_at.elapsed() >= ON_ITS_WAY);
        if is_busy && is_answered_by_now && lane.is_owed_a_reply() {
            let kill = pack::command(&[b"SCRIPT", b"KILL"]);
            if let Ok(reply) = admin.ask(kill).await {
                log_refusal(admin, reply.error());
            }
            return;
        }
        lane.check_progress();
        sleep(PAUSE).await;
        arrived_at = arrived_at.or_else(|| lane.has_arrived().then(Instant::now)).filter(|_| is_busy);
    }
}

fn log_refusal(admin: &Lane, refusal: Option<&ServerError>) {
    let address = admin.address();
    match refusal {
        None => log::info!("a script whose deadline had passed was killed on {address}"),
        Some(error) if verdict::is_not_busy(error) => {
            log::info!("a script whose deadline had passed ended on {address} before it was killed");
        }
        Some(error) => {
            log::warn!("a script whose deadline had passed was not killed on {address}: {}", error.text());
        }
    }
}
