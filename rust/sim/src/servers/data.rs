//! A data set: what a server holds, and its versions for WATCH.

use std::collections::{BTreeMap, VecDeque};

use super::wire::Words;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
}

impl Value {
    /// The commands that create this value. Hashes contain only counts.
    pub(super) fn commands(&self, key: &[u8]) -> Vec<Words> {
        let command = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect();
        match self {
            Self::Text(text) => vec![command(&[b"SET", key, text])],
            Self::List(list) => list.iter().map(|element| command(&[b"RPUSH", key, element])).collect(),
            Self::Hash(hash) => hash.iter().map(|(field, count)| command(&[b"HINCRBY", key, field, count])).collect(),
        }
    }
}

type Place = (usize, Vec<u8>);

#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    values: BTreeMap<Place, Value>,
    /// When each key changed last, counted in changes.
    versions: BTreeMap<Place, u64>,
    changes: u64,
    /// The values before the command that runs, to restore them.
    undo: Vec<(Place, Option<Value>)>,
}

impl Data {
    pub(super) fn value(&self, database: usize, key: &[u8]) -> Option<&Value> {
        self.values.get(&(database, key.to_vec()))
    }

    /// Whether there was a value before.
    pub(super) fn set(&mut self, database: usize, key: &[u8], value: Option<Value>) -> bool {
        let place = (database, key.to_vec());
        let is_gone = value.is_none();
        let before = match value {
            Some(value) => self.values.insert(place.clone(), value),
            None => self.values.remove(&place),
        };
        let was_there = before.is_some();
        if was_there || !is_gone {
            self.changes += 1;
            self.versions.insert(place.clone(), self.changes);
            self.undo.push((place, before));
        }
        was_there
    }

    /// The command is done: what it changed stays.
    pub(super) fn settle(&mut self) {
        self.undo.clear();
    }

    /// The server died before the command was done.
    pub(super) fn undo(&mut self) {
        while let Some((place, before)) = self.undo.pop() {
            match before {
                Some(value) => self.values.insert(place, value),
                None => self.values.remove(&place),
            };
        }
    }

    pub(super) fn version(&self, database: usize, key: &[u8]) -> u64 {
        self.versions.get(&(database, key.to_vec())).copied().unwrap_or(0)
    }

    pub(super) fn keys(&self, database: usize) -> impl Iterator<Item = &Vec<u8>> {
        self.values.keys().filter(move |(number, _)| *number == database).map(|(_, key)| key)
    }

    pub(super) fn clear(&mut self) {
        let places: Vec<_> = self.values.keys().cloned().collect();
        places.iter().for_each(|(database, key)| {
            self.set(*database, key, None);
        });
    }

    /// All of another data set, which a replica gets when it begins to follow.
    pub(super) fn become_copy_of(&mut self, other: &Self) {
        self.clear();
        for ((database, key), value) in &other.values {
            self.set(*database, key, Some(value.clone()));
        }
        self.settle();
    }
}
