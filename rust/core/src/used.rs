//! What was run over one connection: a server may lack the code of anything else.

use std::collections::HashSet;

/// Scripts and libraries that were run over one connection. One more is asked for by every call, and is nearly always
/// one of those that were used last.
#[derive(Default)]
pub(crate) struct Used {
    names: HashSet<String>,
    /// Where those that were used last are kept in memory. Another one may be there since; then it only counts as used.
    recent: [usize; Self::RECENT],
}

/// Code that a request runs, and that its server may lack.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    /// Of a script its hash.
    pub(crate) name: &'a str,
    /// Where it is kept in memory.
    pub(crate) at: usize,
}

impl Used {
    const RECENT: usize = 16;

    /// How many are kept apart. A program with more makes them up as it goes, and what waits for the first use of each
    /// would wait too often.
    const LIMIT: usize = 256;

    /// Whether it was not among them.
    pub(crate) fn insert(&mut self, code: Code<'_>) -> bool {
        let recent = &mut self.recent[(code.at >> 4) % Self::RECENT];
        if *recent == code.at {
            return false;
        }
        *recent = code.at;
        let is_new = self.names.len() < Self::LIMIT && !self.names.contains(code.name);
        if is_new {
            self.names.insert(code.name.to_owned());
        }
        is_new
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
