//! Stops scripts that their callers have given up, where they asked for that.
//!
//! A server does not say which script it runs, and SCRIPT KILL stops whichever that is. So a kill is sent only while the
//! server says BUSY, and while the script is the next to be answered on its connection: then it is running, or another
//! client's script keeps it from running. Only of scripts that do not write; others cannot be killed once they have.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::heartbeat::{is_busy, ping};
use crate::lane::{Lane, Place};
use crate::servers::Servers;

/// Kills a script that was sent, has no reply, and is not waited for any more.
pub(crate) fn kill(servers: &Rc<Servers>, lane: Rc<Lane>, place: Place) {
    const BOUND: Duration = Duration::from_secs(60);
    let Some(admin) = servers.admin_lane(lane.address()) else { return };
    spawn_local(async move {
        let killing = async {
            while lane.is_waiting_for(place) {
                // A server answers this at once, or when the script has run long enough to be killed.
                let busy = lane.is_next(place) && admin.ask(ping()).await.is_ok_and(|reply| is_busy(&reply));
                if busy && lane.is_next(place) {
                    let kill = redis::cmd("SCRIPT").arg("KILL").get_packed_command().into();
                    if let Ok(reply) = admin.ask(kill).await {
                        match reply.error() {
                            None => log::info!("a script whose deadline had passed was killed on {}", lane.address()),
                            Some(error) => log::debug!("SCRIPT KILL on {}: {}", lane.address(), error.text()),
                        }
                    }
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        // A server that does not answer for so long has more to it than this script.
        let _ = timeout(BOUND, killing).await;
    });
}
