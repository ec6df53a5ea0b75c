//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use std::collections::VecDeque;

use super::commands::{self, Command, Lookup};
use super::connection::{Connection, Transaction};
use super::deployment::Deployment;
use super::dispatch::Flow;
use super::wire::{Reply, Words};
use super::words::DISCARDED;

impl Deployment {
    /// `None`: another command.
    pub(super) fn transaction_command(
        &mut self,
        c: &mut Connection,
        command: &Command,
        words: &Words,
    ) -> Option<Reply> {
        let version = self.options.version;
        Some(match command.name {
            "multi" | "watch" if c.transaction.is_some() => {
                if let Some(transaction) = &mut c.transaction {
                    transaction.is_doomed |= version.is_valkey();
                }
                Reply::error(version.not_in_transaction(command.name))
            }
            "multi" => {
                c.transaction = Some(Transaction::default());
                Reply::ok()
            }
            "discard" if c.transaction.is_none() => Reply::error("ERR DISCARD without MULTI"),
            "discard" => {
                c.transaction = None;
                c.watched.clear();
                Reply::ok()
            }
            "watch" => {
                for key in &words[1..] {
                    let version = self.nodes[c.node].data.version(c.database, key);
                    c.watched.entry((c.database, key.clone())).or_insert(version);
                }
                Reply::ok()
            }
            "unwatch" => {
                c.watched.clear();
                Reply::ok()
            }
            _ => return None,
        })
    }

    /// A key that it watches has changed.
    pub(super) fn is_overtaken(&self, c: &Connection) -> bool {
        let data = &self.nodes[c.node].data;
        c.watched.iter().any(|((database, key), version)| data.version(*database, key) != *version)
    }

    pub(super) fn exec(&mut self, c: &mut Connection) -> Flow {
        let Some(transaction) = c.transaction.take() else {
            return Flow::Answer(Reply::error("ERR EXEC without MULTI"));
        };
        let is_overtaken = self.is_overtaken(c);
        c.watched.clear();
        if transaction.is_doomed {
            return Flow::Answer(Reply::error(DISCARDED));
        }
        if is_overtaken {
            return Flow::Answer(Reply::NilArray);
        }
        self.latest_exec += 1;
        c.exec = Some(self.latest_exec);
        self.run_queued(c, Vec::new(), transaction.queued.into())
    }

    /// Runs what is left of a transaction, behind what was answered so far.
    pub(super) fn run_queued(
        &mut self,
        c: &mut Connection,
        mut replies: Vec<Reply>,
        mut rest: VecDeque<Words>,
    ) -> Flow {
        while let Some(words) = rest.pop_front() {
            let Lookup::Known(command) = commands::look_up(self.options.version, &words) else { continue };
            let user = c.user.clone().unwrap_or_default();
            if !self.nodes[c.node].users.may_run(&user, command) {
                // Rights may have gone since it was queued.
                replies.push(Reply::error(self.options.version.may_not_run_in_exec(&user, command.name)));
                continue;
            }
            // Inside a transaction, blocking commands do not block.
            match self.execute_within(c, command, &words) {
                Flow::Answer(reply) | Flow::Close(reply) => replies.push(reply),
                Flow::Later => {
                    if let Some(running) = &mut self.nodes[c.node].running {
                        running.transaction = Some((replies, rest));
                    }
                    return Flow::Later;
                }
            }
        }
        c.exec = None;
        Flow::Answer(Reply::Array(replies))
    }

    fn execute_within(&mut self, c: &mut Connection, command: &'static Command, words: &Words) -> Flow {
        match command.name {
            "blpop" => Flow::Answer(self.pop_first(c, &words[1..words.len() - 1]).unwrap_or(Reply::NilArray)),
            "wait" => Flow::Answer(Reply::count(self.acknowledged_by(c.node, c.last_write))),
            _ => self.execute(c, command, words),
        }
    }
}
