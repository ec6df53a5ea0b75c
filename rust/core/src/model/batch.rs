//! Commands that are sent together.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::cause::{CrossSlot, InSlot};
use crate::model::error::Error;
use crate::model::gather::Gather;
use crate::model::once::OwnIds;
use crate::model::request::Request;
use crate::model::route::{Route, Slot};
use crate::model::split::Part;

/// Commands to be sent together. Cheap to clone: what has been added is shared.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    entries: Arc<Vec<Entry>>,
    is_atomic: bool,
    /// One of its scripts is called with `once`.
    has_records: bool,
}

/// One command of a batch.
#[derive(Clone, Debug)]
pub enum Entry {
    Whole {
        request: Request,
        route: Route,
        /// Its first key, for errors to name.
        key: Option<Vec<u8>>,
    },
    /// Its keys are in several slots.
    Parts { parts: Vec<Part>, gather: Gather },
}

impl Entry {
    /// The name of its command, for people to read.
    pub fn name(&self) -> String {
        match self {
            Self::Whole { request, .. } => request.name(),
            Self::Parts { parts, .. } => parts.first().map(|part| part.request.name()).unwrap_or_default(),
        }
    }

    /// The slot of its keys, with one of them.
    fn slot(&self) -> Option<(Slot, &[u8])> {
        match self {
            Self::Whole { route: Route::Slot(slot), key, .. } => Some((*slot, key.as_deref().unwrap_or_default())),
            _ => None,
        }
    }
}

impl Batch {
    pub fn new(is_atomic: bool) -> Self {
        Self { entries: Arc::default(), is_atomic, has_records: false }
    }

    pub fn is_atomic(&self) -> bool {
        self.is_atomic
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn push(&mut self, entry: Entry) {
        /// Programs keep batches. A small batch would keep a block of memory alive that is much larger than its
        /// commands.
        const SMALL: usize = 64;
        let entry = match entry {
            Entry::Whole { request, route, key } if self.entries.len() < SMALL => {
                Entry::Whole { request: request.detached(), route, key }
            }
            entry => entry,
        };
        self.has_records |= matches!(&entry, Entry::Whole { request, .. } if request.record().is_some());
        Arc::make_mut(&mut self.entries).push(entry);
    }

    /// Forgets all commands.
    pub fn clear(&mut self) {
        self.entries = Arc::default();
        self.has_records = false;
    }

    /// The batch as it is sent, with this timeout. Each sending gets new ids of the client's own.
    pub(crate) fn prepared(mut self, ids: &OwnIds, timeout: Duration) -> Self {
        if self.has_records {
            for entry in Arc::make_mut(&mut self.entries) {
                if let Entry::Whole { request, .. } = entry {
                    request.set_timeout(timeout);
                    request.renew_id(|| ids.next());
                }
            }
        }
        self
    }

    /// The slot of a transaction's keys. If they are in several slots, an error that names two commands and their keys.
    pub(crate) fn slot(&self) -> Result<Option<Slot>, Box<Error>> {
        let mut slots = self.entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.slot()?)));
        let Some((first, (slot, key))) = slots.next() else { return Ok(None) };
        match slots.find(|(_, (other, _))| *other != slot) {
            None => Ok(Some(slot)),
            Some((other, (other_slot, other_key))) => {
                let name = |index: usize| format!("batch[{index}] ({})", self.entries[index].name());
                let first = (name(first), InSlot::new(key, slot));
                let other = (name(other), InSlot::new(other_key, other_slot));
                Err(Box::new(Error::cross_slot(CrossSlot::Commands(first, other))))
            }
        }
    }
}

/// How a batch is sent.
#[derive(Clone, Debug, Default)]
pub struct BatchOptions {
    pub timeout: Option<Duration>,
    /// One node, for the whole batch.
    pub route: Option<Route>,
    /// Commands whose connection was lost are sent again, even if they may have been executed.
    pub retries_lost: bool,
    /// The watch that the transaction ends.
    pub watch: Option<u64>,
}

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) batch: Batch,
    pub(crate) options: BatchOptions,
    /// What the caller asked for, for errors to say.
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
}

impl Sending {
    pub(crate) fn entries(&self) -> &[Entry] {
        self.batch.entries()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::Packer;

    fn set(key: &str) -> Entry {
        let mut packer = Packer::command(3);
        packer.word(b"SET");
        packer.key(key.as_bytes()).expect("one key is in one slot");
        packer.word(b"v");
        let (route, key) = (packer.route(), packer.first_key().map(<[u8]>::to_vec));
        Entry::Whole { request: packer.finish(false), route, key }
    }

    #[test]
    fn a_transaction_of_several_slots_is_refused_with_the_commands_and_keys_that_differ() {
        let mut batch = Batch::new(true);
        batch.push(set("{a}1"));
        batch.push(set("{a}2"));
        assert_eq!(batch.slot().ok().flatten(), Some(Slot::of_key(b"a")));
        batch.push(set("b"));
        let error = batch.slot().expect_err("two slots");
        for part in ["batch[0] (SET)", "\"{a}1\"", "batch[2] (SET)", "\"b\""] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn clones_share_what_was_added_and_nothing_that_is_added_later() {
        let mut batch = Batch::new(false);
        batch.push(set("a"));
        let sent = batch.clone();
        batch.push(set("b"));
        assert_eq!((sent.entries().len(), batch.entries().len()), (1, 2));
        batch.clear();
        assert_eq!((sent.entries().len(), batch.entries().len()), (1, 0));
    }
}
