//! Records every call, and checks the promises.

mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use glide_scripts_core::Kind;

use crate::ids::id_of;
use crate::outcome::End;
use crate::servers::{Ending, Event, NodeId};

/// How often a command may take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It runs at most once.
    AtMostOnce,
    AnyTimes,
    /// It is called with `once`, under an id of its client's own.
    Once,
    /// It is called with `once`, under the id of an order, which other clients may use, too.
    OnceFor(usize),
}

/// The calls under one id, of all clients. Their scripts count one of two ids: that of the first call.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) template: &'static str,
    pub(crate) variant: u32,
    pub(crate) key: String,
    pub(crate) extra: Vec<String>,
    pub(crate) ids: [u64; 2],
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
    /// The id that its script counts, if it is not the call's own.
    pub(crate) counts: Option<u64>,
    pub(crate) effect: Effect,
    pub(crate) is_atomic: bool,
    pub(crate) is_killable: bool,
    /// It has its own connection, and no order with other calls.
    pub(crate) is_apart: bool,
    /// Since when the key of its transaction is watched.
    pub(crate) watched_at: Option<Duration>,
    /// Whether the model reports each run of it as an event.
    pub(crate) is_counted: bool,
    #[expect(dead_code, reason = "it is shown where something does not hold")]
    pub(crate) issued_at: Duration,
    pub(crate) deadline: Duration,
    /// The deadline applies until the call is sent.
    pub(crate) waits_for_reply: bool,
    pub(crate) cancelled_at: Option<Duration>,
    pub(crate) ended: Option<(Duration, End)>,
}

#[derive(Default)]
pub(crate) struct Oracle {
    pub(crate) records: BTreeMap<u64, Record>,
    pub(crate) orders: Vec<Order>,
}

/// One run of a script, or a plain command.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: Duration,
    exec: Option<u64>,
    /// Its effect was lost with its server: nothing of it remains, nor of its record.
    is_lost: bool,
}

type Runs = BTreeMap<u64, Vec<Run>>;

/// Runs that changed and published nothing: then the same call may run again. Others than those with `once` may only
/// where an error stopped them.
fn runs_without_effect(events: &[Event], with_once: &BTreeSet<u64>) -> BTreeSet<u64> {
    let (mut publishing, mut recorded, mut without) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for event in events {
        match event {
            Event::Ran { run, name, id, .. } => {
                if name.starts_with("publish") {
                    publishing.insert(*run);
                }
                if id_of(id).is_some_and(|id| with_once.contains(&id)) {
                    recorded.insert(*run);
                }
            }
            Event::Ended { run, wrote: false, ending, .. } if *ending == Ending::Failed || recorded.contains(run) => {
                without.insert(*run);
            }
            _ => {}
        }
    }
    without.retain(|run| !publishing.contains(run));
    without
}

/// Runs whose effect was lost with their server.
fn lost_runs(events: &[Event]) -> BTreeSet<u64> {
    let mut lost = BTreeSet::new();
    let mut of_id: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Ran { run, id, .. } => {
                id_of(id).into_iter().for_each(|id| of_id.entry(id).or_default().push(*run));
            }
            Event::RolledBack { runs, commands, .. } => {
                lost.extend(runs);
                // Keys that had moved there from another server.
                let ids = commands.iter().flatten().filter_map(|word| id_of(word));
                lost.extend(ids.filter_map(|id| of_id.get(&id)).flatten());
            }
            _ => {}
        }
    }
    lost
}

/// How long a script runs before its server says BUSY.
pub(crate) const BUSY_AFTER: Duration = Duration::from_millis(100);

/// How late a call may end after its deadline, by the simulation's clock.
const SLACK: Duration = Duration::from_millis(3);

/// How late a kill may be carried out. If the script that it is meant for has ended by then, it stops the next one: a
/// server does not say which script it runs.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

impl Oracle {
    /// The promises that are broken at the end of the run.
    pub(crate) fn violations(
        &self,
        events: &[Event],
        taken: &BTreeMap<u64, Vec<Duration>>,
        keeps_order: bool,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let with_once = self.with_once();
        let (without_effect, lost) = (runs_without_effect(events, &with_once), lost_runs(events));
        let mut runs = Runs::new();
        let mut calls: BTreeMap<u64, (u64, NodeId)> = BTreeMap::new();
        // When a script ended on a node for which a kill may have been on its way.
        let mut missed_at: BTreeMap<NodeId, Duration> = BTreeMap::new();
        for event in events {
            match event {
                Event::Ran { at, run, id, exec, node, .. } => {
                    let Some(id) = id_of(id) else { continue };
                    calls.insert(*run, (id, *node));
                    if without_effect.contains(run) {
                        continue;
                    }
                    let is_lost = lost.contains(run);
                    runs.entry(id).or_default().push(Run { at: *at, exec: *exec, is_lost });
                }
                Event::Command { at, words, exec, .. } => {
                    for id in words.iter().filter_map(|word| id_of(word)) {
                        runs.entry(id).or_default().push(Run { at: *at, exec: *exec, is_lost: false });
                    }
                }
                Event::Ended { at, run, ending, .. } => {
                    let Some((id, node)) = calls.get(run) else { continue };
                    let is_due = |record: &Record| {
                        record.is_killable && !record.waits_for_reply && *at + SLACK >= record.deadline
                    };
                    let mut asking = self.records.iter().filter(|(own, record)| record.counts.unwrap_or(**own) == *id);
                    let is_meant = asking.any(|(_, record)| is_due(record));
                    if *ending != Ending::Killed {
                        missed_at.extend(is_meant.then_some((*node, *at)));
                        continue;
                    }
                    let is_late = missed_at.get(node).is_some_and(|missed_at| *missed_at + ON_ITS_WAY >= *at);
                    if !is_meant && !is_late {
                        found.push(format!(
                            "call {id} was killed, and should not have been: {:?}",
                            self.records.get(id)
                        ));
                    }
                }
                _ => {}
            }
        }
        for (id, record) in &self.records {
            let ran = runs.get(&record.counts.unwrap_or(*id)).map_or(&[][..], Vec::as_slice);
            Self::check_one(*id, record, ran, taken.get(id).map_or(&[][..], Vec::as_slice), &mut found);
        }
        if keeps_order {
            self.check_kills(events, &mut found);
        }
        self.check_once(&runs, events, &mut found);
        self.check_transactions(&runs, &mut found);
        self.check_watches(events, &mut found);
        if keeps_order {
            self.check_order(&runs, &self.calls_refused(events), &mut found);
        }
        found
    }

    /// Scripts whose callers had asked for that were stopped after their deadlines.
    fn check_kills(&self, events: &[Event], found: &mut Vec<String>) {
        /// How long that may take on a calm network, from the deadline, or from when the server says BUSY.
        const WITHIN: Duration = Duration::from_millis(700);
        let mut begun: BTreeMap<u64, (u64, Duration)> = BTreeMap::new();
        for event in events {
            match event {
                Event::Ran { at, run, id, .. } => {
                    begun.extend(id_of(id).map(|id| (*run, (id, *at))));
                }
                Event::Ended { at, run, .. } => {
                    let Some((id, since)) = begun.remove(run) else { continue };
                    let Some(record) = self.records.get(&id).filter(|record| record.is_killable) else { continue };
                    let is_late = *at > record.deadline.max(since + BUSY_AFTER) + WITHIN;
                    let has_timed_out = record.ended.as_ref().is_some_and(|(ended, _)| *ended >= record.deadline);
                    if is_late && has_timed_out && !record.waits_for_reply {
                        found.push(format!("call {id} was not killed, and ran until {at:?}: {record:?}"));
                    }
                }
                _ => {}
            }
        }
    }

    /// At the end, the servers' counts equal the runs, for each id of which nothing was lost with a server. `count`:
    /// how often they have counted an id under a key.
    pub(crate) fn check_counts(&self, events: &[Event], count: impl Fn(&str, u64) -> i64) -> Vec<String> {
        let lost = lost_runs(events);
        let mut runs: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut changed = BTreeSet::new();
        for event in events {
            match event {
                Event::Ran { run, id, name, .. } if name.contains("count") => {
                    id_of(id).into_iter().for_each(|id| runs.entry(id).or_default().push(*run));
                }
                Event::Ended { run, wrote: true, .. } => {
                    changed.insert(*run);
                }
                _ => {}
            }
        }
        let keys = self.keys();
        let mut found = Vec::new();
        for (id, runs) in runs.iter().filter(|(_, runs)| !runs.iter().any(|run| lost.contains(run))) {
            let Some(key) = keys.get(id) else { continue };
            let expected = runs.iter().filter(|run| changed.contains(run)).count();
            let counted = count(key, *id);
            if i64::try_from(expected) != Ok(counted) {
                found.push(format!(
                    "call {id} ran {expected} times, and the servers have {counted}: {:?}",
                    self.records.get(id)
                ));
            }
        }
        found
    }

    /// The key under which an id is counted.
    fn keys(&self) -> BTreeMap<u64, &String> {
        let own =
            self.records.iter().filter(|(_, record)| record.counts.is_none()).map(|(id, record)| (*id, &record.key));
        let ordered = self.orders.iter().flat_map(|order| order.ids.map(|id| (id, &order.key)));
        own.chain(ordered).collect()
    }

    /// The ids that scripts with `once` count.
    fn with_once(&self) -> BTreeSet<u64> {
        let own = self.records.iter().filter(|(_, record)| record.effect == Effect::Once).map(|(id, _)| *id);
        own.chain(self.orders.iter().flat_map(|order| order.ids)).collect()
    }

    fn check_one(id: u64, record: &Record, ran: &[Run], taken: &[Duration], found: &mut Vec<String>) {
        let mut violated =
            |what: &str| found.push(format!("call {id} {what}: {record:?}; runs {ran:?}, sent {taken:?}"));
        let is_shared = matches!(record.effect, Effect::OnceFor(_));
        match record.effect {
            Effect::AtMostOnce if ran.len() > 1 => violated("ran more than once"),
            Effect::Once if ran.iter().filter(|run| !run.is_lost).count() > 1 => violated("took effect more than once"),
            _ => {}
        }
        let given_up = match (&record.ended, record.cancelled_at) {
            (Some((at, _)), _) => *at,
            (None, Some(at)) => at,
            (None, None) => return violated("has no end"),
        };
        // If the socket took a part of a batch or of a transaction, the rest must follow.
        let is_single = record.call == id && !record.is_atomic && !is_shared;
        if is_single && taken.iter().any(|since| *since > given_up) {
            violated("was sent after it had ended");
        }
        let Some((at, end)) = &record.ended else { return };
        if *at > record.deadline + SLACK && !record.waits_for_reply {
            violated("ended after its deadline");
        }
        match end {
            End::Answered | End::OfScript if record.is_counted && !ran.iter().any(|run| run.at <= *at) => {
                violated("was acknowledged and never ran");
            }
            End::WrongReply(_) => violated("has another reply than its own"),
            End::Failed { message, .. } if message.contains("NOSCRIPT No matching script.") => {
                violated("failed because its server lacked its script");
            }
            // A transaction may have been executed there in part.
            End::Failed { message, may_have_executed: false, .. }
                if message.starts_with("READONLY ") && !record.is_atomic =>
            {
                violated("failed because its server is a replica");
            }
            // Calls of other clients may have run under the same id.
            _ if is_shared => {}
            End::NotExecuted if !ran.is_empty() => violated("is said not to have been executed"),
            // A server that was demoted meanwhile refuses the record, and forgets what the script has written.
            End::Failed { may_have_executed: false, .. }
                if ran.iter().any(|run| record.effect != Effect::Once || !run.is_lost) =>
            {
                violated("is said not to have run");
            }
            _ => {}
        }
    }

    /// A script that is called with `once` takes effect at most once for its id, whichever client calls, and errors say
    /// why.
    fn check_once(&self, runs: &Runs, events: &[Event], found: &mut Vec<String>) {
        let ran = |id: &u64| runs.get(id).map_or(&[][..], Vec::as_slice);
        for (number, order) in self.orders.iter().enumerate() {
            let effects: Vec<_> = order.ids.iter().flat_map(ran).filter(|run| !run.is_lost).collect();
            if effects.len() > 1 {
                found.push(format!("order {number} took effect more than once: {order:?}; runs {effects:?}"));
            }
        }
        let forgotten = |key: &str, before: Duration| {
            events.iter().any(|event| match event {
                Event::Forgotten { at, key: record, .. } => {
                    *at <= before && String::from_utf8_lossy(record).starts_with(&format!("once:{key}:"))
                }
                _ => false,
            })
        };
        for (id, record) in &self.records {
            let Some((at, End::Failed { kind, .. })) = &record.ended else { continue };
            let counted = record.counts.unwrap_or(*id);
            let other = match record.effect {
                Effect::OnceFor(order) => self.orders[order].ids.into_iter().find(|id| *id != counted),
                _ => None,
            };
            let is_right = match kind {
                Kind::OnceUnknown => forgotten(&record.key, *at),
                Kind::OnceConflict => other.is_some_and(|other| ran(&other).iter().any(|run| run.at <= *at)),
                _ => true,
            };
            if !is_right {
                found.push(format!("call {id} has an error of once without a reason: {record:?}"));
            }
        }
    }

    /// All commands of a transaction run together, or none runs.
    fn check_transactions(&self, runs: &Runs, found: &mut Vec<String>) {
        let mut transactions: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let is_part =
            |record: &Record| record.is_atomic && record.is_counted && !matches!(record.effect, Effect::OnceFor(_));
        for (id, record) in self.records.iter().filter(|(_, record)| is_part(record)) {
            transactions.entry(record.call).or_default().push(*id);
        }
        for (call, ids) in transactions {
            let execs: Vec<_> = ids.iter().filter_map(|id| Some(runs.get(id)?.first()?.exec)).collect();
            // One command may fail although the others do not: then this error is its outcome.
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

    /// The calls that one client issued for one key ran in that order.
    fn check_order(&self, runs: &Runs, refused: &BTreeSet<u64>, found: &mut Vec<String>) {
        let mut last: BTreeMap<(usize, &str), (u64, Duration)> = BTreeMap::new();
        let is_ordered = |record: &Record| record.is_counted && !record.is_apart && !refused.contains(&record.call);
        for (id, record) in self.records.iter().filter(|(_, record)| is_ordered(record)) {
            let Some(Run { at, .. }) = runs.get(id).and_then(|runs| runs.first()) else { continue };
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
