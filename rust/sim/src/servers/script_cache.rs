//! Which scripts a server has by their hash.

use std::collections::{BTreeMap, VecDeque};

use super::scripts::Program;
use super::wire::text;

/// Scripts by their hash. Of those that came by EVAL alone, newer servers keep the 500 that were used last.
#[derive(Debug, Default)]
pub(super) struct ScriptCache {
    scripts: BTreeMap<String, Program>,
    evaluated: VecDeque<String>,
}

const EVALUATED_LIMIT: usize = 500;

impl ScriptCache {
    pub(super) fn get(&self, hash: &str) -> Option<&Program> {
        self.scripts.get(hash)
    }

    pub(super) fn has(&self, hash: &[u8]) -> bool {
        self.scripts.contains_key(&text(hash).to_ascii_lowercase())
    }

    /// By SCRIPT LOAD, which keeps it for good; on Redis not where it came by EVAL before.
    pub(super) fn load(&mut self, hash: String, program: Program, protects: bool) {
        if protects {
            self.evaluated.retain(|other| *other != hash);
        }
        self.scripts.insert(hash, program);
    }

    pub(super) fn evaluate(&mut self, hash: &str, program: Program, forgets: bool) {
        if self.scripts.insert(hash.to_owned(), program).is_some() || !forgets {
            return;
        }
        if self.evaluated.len() >= EVALUATED_LIMIT
            && let Some(oldest) = self.evaluated.pop_front()
        {
            self.scripts.remove(&oldest);
        }
        self.evaluated.push_back(hash.to_owned());
    }

    pub(super) fn touch(&mut self, hash: &str) {
        if let Some(at) = self.evaluated.iter().position(|other| other == hash)
            && let Some(hash) = self.evaluated.remove(at)
        {
            self.evaluated.push_back(hash);
        }
    }

    pub(super) fn flush(&mut self) {
        self.scripts.clear();
        self.evaluated.clear();
    }
}
