//! Commands whose keys are in several slots, one part a slot.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::completion::ReplyTo;
use crate::model::gather::Gather;
use crate::model::request::{Packer, Request};
use crate::model::route::Slot;

/// The part of a command that concerns one slot.
#[derive(Clone, Debug)]
pub struct Part {
    pub request: Request,
    pub slot: Slot,
    /// Where its keys stood among those of the whole command.
    pub positions: Vec<usize>,
}

/// A command whose keys are in several slots.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) parts: Vec<Part>,
    pub(crate) gather: Gather,
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
    pub(crate) reply_to: ReplyTo,
}

/// The parts of a command. From `first` on, its words are keys, and `step - 1` words that belong to the key follow
/// each.
pub fn split_by_slot(words: &[Vec<u8>], first: usize, step: usize) -> Vec<Part> {
    let mut groups: BTreeMap<Slot, Vec<usize>> = BTreeMap::new();
    for (position, group) in words[first..].chunks(step).enumerate() {
        groups.entry(Slot::of_key(&group[0])).or_default().push(position);
    }
    let parts = groups.into_iter().map(|(slot, positions)| {
        let mut packer = Packer::command(first + step * positions.len());
        words[..first].iter().for_each(|word| packer.word(word));
        for position in &positions {
            let at = first + step * position;
            words[at..(at + step).min(words.len())].iter().for_each(|word| packer.word(word));
        }
        Part { request: packer.finish(false), slot, positions }
    });
    parts.collect()
}
