//! Stops scripts that their callers have given up, where they asked for that.
//!
//! A server does not say which script it runs, and SCRIPT KILL stops whichever that is. So such a script has a
//! connection to itself, and a kill is sent only while that waits for its reply and the server says BUSY: then the
//! script is running, or another client's keeps it from running. Only scripts that do not write are killed; others
//! cannot be once they have written.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::heartbeat::{is_busy, ping};
use crate::node::Lease;
use crate::servers::Servers;

/// Kills the script that was sent over that connection and has no reply.
pub(crate) fn kill(servers: &Rc<Servers>, lease: Lease) {
    const BOUND: Duration = Duration::from_secs(60);
    const PAUSE: Duration = Duration::from_millis(20);
    let Some(admin) = servers.admin_lane(lease.lane().address()) else { return };
    spawn_local(async move {
        let killing = async {
            while lease.lane().is_owed_a_reply() {
                // A server answers this at once, or when the script has run long enough to be killed.
                let busy = admin.ask(ping()).await.is_ok_and(|reply| is_busy(&reply));
                if busy && lease.lane().is_owed_a_reply() {
                    let kill = redis::cmd("SCRIPT").arg("KILL").get_packed_command().into();
                    if let Ok(reply) = admin.ask(kill).await {
                        let address = admin.address();
                        match reply.error() {
                            None => log::info!("a script whose deadline had passed was killed on {address}"),
                            Some(error) => log::debug!("SCRIPT KILL on {address}: {}", error.text()),
                        }
                    }
                    return;
                }
                sleep(PAUSE).await;
            }
        };
        // A server that does not answer for so long has more to it than this script.
        let _ = timeout(BOUND, killing).await;
    });
}
