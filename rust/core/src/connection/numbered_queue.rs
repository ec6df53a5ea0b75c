//! A queue of numbered entries, each of which is found without searching the others.

use std::collections::VecDeque;

/// The entries of a queue, in the order of their growing numbers. An entry is found by its number, without a search.
pub(crate) struct NumberedQueue<T> {
    pub(super) entries: VecDeque<(u64, T)>,
}

impl<T> Default for NumberedQueue<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<T> NumberedQueue<T> {
    #[inline]
    pub(crate) fn push_back(&mut self, number: u64, entry: T) {
        self.entries.push_back((number, entry));
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<(u64, T)> {
        self.entries.pop_front()
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.entries.front().map(|(_, entry)| entry)
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.entries.front_mut().map(|(_, entry)| entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn find(&mut self, number: u64) -> Option<&mut T> {
        visit(1);
        let index = self.entries.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(&mut self.entries[index].1)
    }

    /// All from that number on.
    pub(crate) fn since(&self, number: u64) -> impl Iterator<Item = (u64, &T)> {
        let first = self.entries.partition_point(|(other, _)| *other < number);
        self.entries.range(first..).inspect(|_| visit(1)).map(|(number, entry)| (*number, entry))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().inspect(|_| visit(1)).map(|(_, entry)| entry)
    }

    pub(crate) fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        visit(self.len());
        self.entries.retain(|(_, entry)| stays(entry));
    }

    /// Takes out all but the first ones, which stay.
    pub(crate) fn split_off(&mut self, stays: impl Fn(&T) -> bool) -> VecDeque<(u64, T)> {
        let first = self.entries.partition_point(|(_, entry)| stays(entry));
        let rest = self.entries.split_off(first);
        visit(rest.len());
        rest
    }

    pub(crate) fn take(&mut self) -> VecDeque<(u64, T)> {
        visit(self.len());
        std::mem::take(&mut self.entries)
    }
}

/// Counts the entries of queues that were looked at, for tests of how much is done for a call.
#[cfg(not(test))]
fn visit(_entries: usize) {}

#[cfg(test)]
pub(crate) use visits::{take_visits, visit};

#[cfg(test)]
mod visits {
    use std::cell::Cell;

    thread_local! {
        static VISITS: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn visit(entries: usize) {
        VISITS.set(VISITS.get() + entries);
    }

    pub(crate) fn take_visits() -> usize {
        VISITS.take()
    }
}
