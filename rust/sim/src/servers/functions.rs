//! Libraries of functions, which are part of the data: replicas get them, and a restart keeps them.

use std::collections::BTreeMap;

use super::scripts::{self, Program};
use super::wire::{Reply, Words, same, text};

#[derive(Clone, Debug, Default)]
pub(super) struct Libraries(BTreeMap<String, BTreeMap<String, Program>>);

impl Libraries {
    pub(super) fn function(&self, name: &str) -> Option<&Program> {
        self.0.values().find_map(|functions| functions.get(name))
    }

    /// FUNCTION LOAD, DELETE and FLUSH, by checked words; `false` for other words.
    pub(super) fn apply(&mut self, words: &Words) -> bool {
        if !same(&words[0], "function") {
            return false;
        }
        if same(&words[1], "load") {
            let (name, functions) = scripts::parse_library(&words[words.len() - 1]);
            self.0.insert(name, functions);
        } else if same(&words[1], "delete") {
            self.0.remove(&text(&words[2]));
        } else {
            self.0.clear();
        }
        true
    }

    /// FUNCTION with its subcommand: the reply, and whether it is a write.
    pub(super) fn run(&mut self, words: &Words) -> (Reply, bool) {
        if same(&words[1], "load") {
            return self.load(words);
        }
        if same(&words[1], "delete") {
            return match self.0.remove(&text(&words[2])) {
                Some(_) => (Reply::ok(), true),
                None => (Reply::error("ERR Library not found"), false),
            };
        }
        if same(&words[1], "flush") {
            self.0.clear();
            return (Reply::ok(), true);
        }
        (self.list(), false)
    }

    fn load(&mut self, words: &Words) -> (Reply, bool) {
        let replaces = words.len() > 3 && same(&words[2], "replace");
        if words.len() > 3 && !replaces {
            return (Reply::error(format!("ERR Unknown option given: {}", text(&words[2]))), false);
        }
        let (name, functions) = scripts::parse_library(&words[words.len() - 1]);
        if self.0.contains_key(&name) && !replaces {
            return (Reply::error(format!("ERR Library '{name}' already exists")), false);
        }
        let others = self.0.iter().filter(|(other, _)| **other != name).flat_map(|(_, functions)| functions.keys());
        if let Some(taken) = others.into_iter().find(|function| functions.contains_key(*function)) {
            return (Reply::error(format!("ERR Function {taken} already exists")), false);
        }
        self.0.insert(name.clone(), functions);
        (Reply::bulk(name), true)
    }

    /// FUNCTION LIST: its order within a server is that of a hash map, so that a test has to sort.
    fn list(&self) -> Reply {
        let function = |(name, program): (&String, &Program)| {
            let flags = program.declared.as_ref().map(scripts::Declared::names).unwrap_or_default();
            Reply::Map(vec![
                (Reply::bulk("name"), Reply::bulk(name.clone())),
                (Reply::bulk("description"), Reply::Nil),
                (Reply::bulk("flags"), Reply::Set(flags.into_iter().map(|flag| Reply::Simple(flag.into())).collect())),
            ])
        };
        let library = |(name, functions): (&String, &BTreeMap<String, Program>)| {
            Reply::Map(vec![
                (Reply::bulk("library_name"), Reply::bulk(name.clone())),
                (Reply::bulk("engine"), Reply::bulk("LUA")),
                (Reply::bulk("functions"), Reply::Array(functions.iter().map(function).collect())),
            ])
        };
        Reply::Array(self.0.iter().map(library).collect())
    }
}
