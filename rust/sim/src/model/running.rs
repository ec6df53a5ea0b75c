//! A script that takes its time: its server reads nothing else, and says BUSY once that has lasted too long.

use std::time::Duration;

use super::connection::Transaction;
use super::{ConnectionId, Deployment, Event, NodeId, Version, wire};

/// How long a server is silent before it says that it is busy.
pub(super) const BUSY_AFTER: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Running {
    pub(super) connection: ConnectionId,
    pub(super) id: u64,
    pub(super) ends: Duration,
    pub(super) busy_from: Duration,
    pub(super) has_written: bool,
    pub(super) reply: Vec<u8>,
}

impl Running {
    pub(super) fn next_event(&self, is_waited_for: bool, now: Duration) -> Duration {
        if is_waited_for && self.busy_from > now { self.busy_from.min(self.ends) } else { self.ends }
    }
}

impl Deployment {
    /// Runs what waits for its turn.
    pub(super) fn serve(&mut self, node: NodeId) {
        while self.nodes[node].is_alive {
            let here = &mut self.nodes[node];
            let next = match &here.running {
                None => here.queue.pop_front(),
                Some(running) if running.busy_from > self.now => None,
                // The connection that the script came by is not read.
                Some(running) => {
                    let other = here.queue.iter().position(|(id, _)| *id != running.connection);
                    other.and_then(|at| here.queue.remove(at))
                }
            };
            let Some((id, words)) = next else { break };
            let reply = if self.nodes[node].running.is_some() {
                Some(self.answer_while_busy(node, id, &words))
            } else {
                self.execute(node, id, words)
            };
            if let Some(reply) = reply {
                self.reply(id, &reply);
            }
        }
        self.forget_ended(node);
    }

    fn answer_while_busy(&mut self, node: NodeId, id: ConnectionId, words: &[Vec<u8>]) -> Vec<u8> {
        let name = String::from_utf8_lossy(&words[0]).to_uppercase();
        let sub = words.get(1).map(|word| String::from_utf8_lossy(word).to_uppercase()).unwrap_or_default();
        match (name.as_str(), sub.as_str()) {
            ("SCRIPT", "KILL") => {
                let running = self.nodes[node].running.as_ref();
                if running.is_some_and(|running| running.has_written) {
                    return wire::error(
                        "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
                         either wait the script termination or kill the server in a hard way using the SHUTDOWN \
                         NOSAVE command.",
                    );
                }
                let words = match self.version {
                    Version::Valkey9 => "ERR Script killed by user with SCRIPT KILL. script: on @user_script:2.",
                    _ => "ERR Script killed by user with SCRIPT KILL... script: f, on @user_script:2.",
                };
                self.end_running(node, Some(words));
                wire::ok()
            }
            ("HELLO" | "AUTH", _) => self.log_in(id, words),
            ("CLIENT" | "SELECT", _) if self.version == Version::Valkey9 => wire::ok(),
            _ => {
                let product = if self.version == Version::Valkey9 { "Valkey" } else { "Redis" };
                let busy = format!(
                    "BUSY {product} is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
                );
                let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
                match (name.as_str(), &mut connection.transaction) {
                    ("MULTI", _) => {
                        connection.transaction = Some(Transaction::default());
                        return wire::ok();
                    }
                    ("EXEC", transaction @ Some(_)) => {
                        *transaction = None;
                        connection.watched.clear();
                        return wire::error(&format!("EXECABORT Transaction discarded because of: {busy}"));
                    }
                    (_, Some(transaction)) => transaction.is_refused = true,
                    (_, None) => {}
                }
                wire::error(&busy)
            }
        }
    }

    /// The script that runs ends, in its reply or in that error.
    pub(super) fn end_running(&mut self, node: NodeId, killed: Option<&str>) {
        let Some(running) = self.nodes[node].running.take() else { return };
        let reply = match killed {
            None => running.reply,
            Some(words) => {
                self.events.push(Event::Killed { id: running.id });
                wire::error(words)
            }
        };
        self.reply(running.connection, &reply);
    }
}
