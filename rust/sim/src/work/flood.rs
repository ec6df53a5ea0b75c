//! A flood: large calls, more than a server that has stopped reading takes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::sleep;

use super::Callers;
use super::command::{Command, ScriptCall};
use crate::oracle::Effect;

/// How many bytes of a client's calls may wait.
pub(crate) const LIMIT: usize = 1 << 20;

/// By how much they may exceed that. A connection publishes how much waits there in steps of 64 KiB, and it has up to
/// 256 KiB and a call in its output, which do not count as waiting there.
const SLACK: usize = 384 << 10;

/// The length of one call.
const LENGTH: usize = 32 << 10;

impl Callers {
    /// Floods one key's server. An error says by how much more waits than may.
    pub(crate) async fn flood(self: Rc<Self>) -> Result<(), String> {
        const CALLS: usize = 80;
        /// They have ended when the network heals.
        const TIMEOUT: Duration = Duration::from_secs(1);
        let key = format!("{{k{}}}", self.world.below(4));
        self.world.log(format_args!("client {} floods {key}", self.number));
        let mut calls = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let command = self.large_call(key.clone());
            let (id, is_over) = (command.id, Rc::new(Cell::new(false)));
            calls.push((id, is_over.clone()));
            let callers = self.clone();
            spawn_local(async move {
                callers.under_way.update(|count| count + 1);
                callers.call_one(command, TIMEOUT, None).await;
                callers.under_way.update(|count| count - 1);
                is_over.set(true);
            });
            sleep(Duration::from_millis(1)).await;
            let taken = self.world.taken.borrow();
            let is_waiting = |(id, is_over): &&(u64, Rc<Cell<bool>>)| !is_over.get() && !taken.contains_key(id);
            let waiting = calls.iter().filter(is_waiting).count() * LENGTH;
            if waiting > LIMIT + SLACK {
                return Err(format!(
                    "{waiting} bytes of calls wait at client {}, with a limit of {LIMIT}",
                    self.number
                ));
            }
        }
        Ok(())
    }

    fn large_call(&self, key: String) -> Command {
        let id = self.next_id();
        let call = ScriptCall {
            template: "count",
            variant: 0,
            idempotent: false,
            key,
            counts: id,
            extra: vec!["x".repeat(LENGTH)],
            effect: Effect::AtMostOnce,
        };
        self.pack(id, call)
    }
}
