//! What a watch promises: its transaction is not executed if the key has changed since.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Effect, Oracle, lost_runs};
use crate::ids::id_of;
use crate::servers::Event;

/// A run of a script that changed its key, and was not lost with its server.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// The id that it counted.
    id: u64,
    began: Duration,
    ended: Duration,
    exec: Option<u64>,
}

impl Oracle {
    pub(super) fn check_watches(&self, events: &[Event], found: &mut Vec<String>) {
        for (key, changes) in self.changes(events) {
            for own in changes.iter().filter(|own| own.exec.is_some()) {
                let Some(watched_at) = self.watched_since(own.id) else { continue };
                let is_between =
                    |other: &&Change| other.exec != own.exec && other.began > watched_at && other.ended < own.began;
                if let Some(other) = changes.iter().find(is_between) {
                    found.push(format!(
                        "transaction {} was executed though {key} had changed: watched since {watched_at:?}, {own:?} \
                         after {other:?}",
                        self.records[&own.id].call
                    ));
                }
            }
        }
    }

    /// By the id of a transaction: when the client was told that the transaction's key is watched.
    fn watched_since(&self, id: u64) -> Option<Duration> {
        // The id of an order may be counted by other calls than the one that it was first given to.
        let record = self.records.get(&id).filter(|record| !matches!(record.effect, Effect::OnceFor(_)))?;
        record.watched_at
    }

    /// The runs that changed each key.
    fn changes(&self, events: &[Event]) -> BTreeMap<&String, Vec<Change>> {
        let (keys, lost) = (self.keys(), lost_runs(events));
        let mut begun: BTreeMap<u64, Change> = BTreeMap::new();
        let mut changes: BTreeMap<&String, Vec<Change>> = BTreeMap::new();
        for event in events {
            match event {
                Event::Ran { at, run, id, name, exec, .. } if name.contains("count") && !lost.contains(run) => {
                    if let Some(id) = id_of(id) {
                        begun.insert(*run, Change { id, began: *at, ended: *at, exec: *exec });
                    }
                }
                Event::Ended { at, run, wrote: true, .. } => {
                    if let Some(change) = begun.remove(run)
                        && let Some(key) = keys.get(&change.id)
                    {
                        changes.entry(key).or_default().push(Change { ended: *at, ..change });
                    }
                }
                _ => {}
            }
        }
        changes
    }
}
