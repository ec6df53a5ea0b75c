//! The account of every call, and what must hold of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use glide_scripts_core::resp::{Item, Reply};
use glide_scripts_core::{Error, Kind};

use crate::ids::id_of;
use crate::servers::{Ending, Event};

/// A call's end, or that of a command of a batch.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "what nothing reads is shown where something does not hold")]
pub(crate) enum End {
    /// A right reply.
    Answered,
    /// Another reply than it can have.
    WrongReply(String),
    /// The error that its script answers with.
    OfScript,
    /// A transaction that was not executed, because a watched key had changed.
    NotExecuted,
    Failed {
        kind: Kind,
        may_have_executed: bool,
        message: String,
    },
}

/// What a call is answered with where it runs.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    Bulk(String),
    Okay,
    Words(String),
    /// What a read finds depends on what else there is.
    Anything,
}

impl Expected {
    pub(crate) fn judge(&self, outcome: Result<Reply, Box<Error>>) -> End {
        match (outcome, self) {
            (Ok(Reply::One(Item::Okay)), Self::Okay) | (Ok(_), Self::Anything) => End::Answered,
            (Ok(reply), Self::Bulk(expected)) if reply.as_bytes() == Some(expected.as_bytes()) => End::Answered,
            (Ok(reply), _) => End::WrongReply(format!("{reply:?}")),
            (Err(error), Self::Words(words)) if error.kind == Kind::Script && said(&error.to_string()) == words => {
                if error.may_have_executed {
                    End::OfScript
                } else {
                    failed(&error)
                }
            }
            (Err(error), _) => failed(&error),
        }
    }
}

/// A script's own words, without what the client adds.
fn said(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.split(" (batch[").next().unwrap_or(line)
}

pub(crate) fn failed(error: &Error) -> End {
    End::Failed { kind: error.kind, may_have_executed: error.may_have_executed, message: error.to_string() }
}

/// One command that has an id.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Record {
    pub(crate) client: usize,
    /// The call that it is a part of; commands of one batch have one.
    pub(crate) call: u64,
    pub(crate) what: &'static str,
    pub(crate) key: String,
    pub(crate) is_repeatable: bool,
    pub(crate) is_atomic: bool,
    pub(crate) is_killable: bool,
    /// It goes over a connection that no other call uses, and keeps no order with those.
    pub(crate) is_apart: bool,
    /// Whether each run of it is an event of the model.
    pub(crate) is_counted: bool,
    #[expect(dead_code, reason = "it is shown where something does not hold")]
    pub(crate) issued_at: Duration,
    pub(crate) deadline: Duration,
    pub(crate) cancelled_at: Option<Duration>,
    pub(crate) ended: Option<(Duration, End)>,
}

#[derive(Default)]
pub(crate) struct Oracle {
    pub(crate) records: BTreeMap<u64, Record>,
}

/// Runs that were stopped before they changed or published anything. Where a replica did that, the same call may run
/// again.
fn runs_without_effect(events: &[Event]) -> BTreeSet<u64> {
    let publishes = |event: &Event| match event {
        Event::Ran { run, name, .. } if name.starts_with("publish") => Some(*run),
        _ => None,
    };
    let publishing: BTreeSet<u64> = events.iter().filter_map(publishes).collect();
    let stopped = |event: &Event| match event {
        Event::Ended { run, wrote: false, ending: Ending::Failed, .. } => Some(*run),
        _ => None,
    };
    events.iter().filter_map(stopped).filter(|run| !publishing.contains(run)).collect()
}

/// How late a call may learn its end, by the clock of the simulation.
const SLACK: Duration = Duration::from_millis(3);

impl Oracle {
    /// What does not hold at the end of all things.
    pub(crate) fn violations(
        &self,
        events: &[Event],
        taken: &BTreeMap<u64, Vec<Duration>>,
        keeps_order: bool,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let mut runs: BTreeMap<u64, Vec<(Duration, Option<u64>)>> = BTreeMap::new();
        let without_effect = runs_without_effect(events);
        let mut calls: BTreeMap<u64, u64> = BTreeMap::new();
        for event in events {
            match event {
                Event::Ran { at, run, id, exec, .. } => {
                    let Some(id) = id_of(id) else { continue };
                    calls.insert(*run, id);
                    if without_effect.contains(run) {
                        continue;
                    }
                    runs.entry(id).or_default().push((*at, *exec));
                }
                Event::Command { at, words, exec, .. } => {
                    for id in words.iter().filter_map(|word| id_of(word)) {
                        runs.entry(id).or_default().push((*at, *exec));
                    }
                }
                Event::Ended { at, run, ending: Ending::Killed, .. } => {
                    let Some(id) = calls.get(run) else { continue };
                    let record = self.records.get(id);
                    let is_due = |record: &Record| record.is_killable && *at + SLACK >= record.deadline;
                    if !record.is_some_and(is_due) {
                        found.push(format!("call {id} was killed, and should not have been: {record:?}"));
                    }
                }
                _ => {}
            }
        }
        for (id, record) in &self.records {
            let ran = runs.get(id).map_or(&[][..], Vec::as_slice);
            Self::check_one(*id, record, ran, taken.get(id).map_or(&[][..], Vec::as_slice), &mut found);
        }
        self.check_transactions(&runs, &mut found);
        if keeps_order {
            self.check_order(&runs, &self.calls_refused(events), &mut found);
        }
        found
    }

    fn check_one(
        id: u64,
        record: &Record,
        ran: &[(Duration, Option<u64>)],
        taken: &[Duration],
        found: &mut Vec<String>,
    ) {
        let mut violated =
            |what: &str| found.push(format!("call {id} {what}: {record:?}; runs {ran:?}, sent {taken:?}"));
        if ran.len() > 1 && !record.is_repeatable {
            violated("ran more than once");
        }
        let given_up = match (&record.ended, record.cancelled_at) {
            (Some((at, _)), _) => *at,
            (None, Some(at)) => at,
            (None, None) => return violated("has no end"),
        };
        // Of a batch that the socket took in part the rest must follow, and so must what is behind a MULTI.
        let is_single = record.call == id && !record.is_atomic;
        if is_single && taken.iter().any(|since| *since > given_up) {
            violated("was sent after it had ended");
        }
        let Some((at, end)) = &record.ended else { return };
        if *at > record.deadline + SLACK {
            violated("ended after its deadline");
        }
        match end {
            End::Answered | End::OfScript if record.is_counted && ran.is_empty() => {
                violated("was acknowledged and never ran");
            }
            End::WrongReply(_) => violated("has another reply than its own"),
            End::NotExecuted if !ran.is_empty() => violated("is said not to have been executed"),
            End::Failed { may_have_executed: false, .. } if !ran.is_empty() => violated("is said not to have run"),
            _ => {}
        }
    }

    /// All commands of a transaction run together, or none does.
    fn check_transactions(&self, runs: &BTreeMap<u64, Vec<(Duration, Option<u64>)>>, found: &mut Vec<String>) {
        let mut transactions: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (id, record) in self.records.iter().filter(|(_, record)| record.is_atomic && record.is_counted) {
            transactions.entry(record.call).or_default().push(*id);
        }
        for (call, ids) in transactions {
            let execs: Vec<_> = ids.iter().filter_map(|id| Some(runs.get(id)?.first()?.1)).collect();
            // A command may fail by itself where the others do not: then that is its end.
            let failed = |id: &&u64| matches!(self.records[*id].ended, Some((_, End::Failed { .. })));
            let is_whole =
                execs.len() + ids.iter().filter(|id| !runs.contains_key(id)).filter(failed).count() == ids.len();
            let is_given_up = ids.iter().any(|id| self.records[id].ended.is_none());
            let is_one = execs.iter().all(|exec| exec.is_some() && *exec == execs[0]);
            if !execs.is_empty() && !(is_one && (is_whole || is_given_up)) {
                found.push(format!("transaction {call} ran in part, or not as one: {ids:?} in {execs:?}"));
            }
        }
    }

    /// Calls that a server refused, BUSY for example. What is sent again keeps no order (docs/design.md, "Order").
    fn calls_refused(&self, events: &[Event]) -> BTreeSet<u64> {
        let commands = events.iter().filter_map(|event| match event {
            Event::Refused { commands, .. } => Some(commands),
            _ => None,
        });
        let ids = commands.flatten().flatten().filter_map(|word| id_of(word));
        ids.filter_map(|id| Some(self.records.get(&id)?.call)).collect()
    }

    /// What one client issued for one key ran in that order.
    fn check_order(
        &self,
        runs: &BTreeMap<u64, Vec<(Duration, Option<u64>)>>,
        refused: &BTreeSet<u64>,
        found: &mut Vec<String>,
    ) {
        let mut last: BTreeMap<(usize, &str), (u64, Duration)> = BTreeMap::new();
        let is_ordered = |record: &Record| record.is_counted && !record.is_apart && !refused.contains(&record.call);
        for (id, record) in self.records.iter().filter(|(_, record)| is_ordered(record)) {
            let Some((at, _)) = runs.get(id).and_then(|runs| runs.first()) else { continue };
            let before = last.insert((record.client, &record.key), (*id, *at));
            if let Some((other, ran)) = before.filter(|(_, ran)| ran > at) {
                found.push(format!(
                    "call {id} ({}) overtook {other} ({}) on {}: {at:?} before {ran:?}",
                    record.what, self.records[&other].what, record.key
                ));
            }
        }
    }
}
