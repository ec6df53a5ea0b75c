//! What was run over one connection: a server may lack the code of anything else.

use std::collections::HashSet;

/// Names the code of a script or a library: the beginning of its SHA1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CodeId(u64);

impl CodeId {
    /// `sha1` is in hexadecimal digits.
    pub(crate) fn new(sha1: &str) -> Self {
        Self(sha1.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default())
    }
}

/// The scripts and libraries that were run over one connection. Each call asks for one, which is nearly always among
/// those that were used last.
#[derive(Default)]
pub(crate) struct Used {
    all: HashSet<CodeId>,
    recent: [CodeId; Self::RECENT],
}

impl Used {
    const RECENT: usize = 16;

    /// How many are kept apart. A program with more makes them up as it goes, and would wait for the first use of each.
    const LIMIT: usize = 256;

    fn place(code: CodeId) -> usize {
        usize::from(code.0.to_le_bytes()[0]) % Self::RECENT
    }

    /// Whether it was not among them.
    pub(crate) fn insert(&mut self, code: CodeId) -> bool {
        let recent = &mut self.recent[Self::place(code)];
        if *recent == code {
            return false;
        }
        *recent = code;
        self.all.len() < Self::LIMIT && self.all.insert(code)
    }

    /// It was not run after all, as far as is known.
    pub(crate) fn remove(&mut self, code: CodeId) {
        self.all.remove(&code);
        let recent = &mut self.recent[Self::place(code)];
        if *recent == code {
            *recent = CodeId::default();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::sha1_hex;

    #[test]
    fn only_the_first_use_counts_and_of_no_more_than_are_kept_apart() {
        let mut used = Used::default();
        let mut first_uses = 0;
        for number in (0..300).chain(0..300) {
            first_uses += usize::from(used.insert(CodeId::new(&sha1_hex(format!("return {number}").as_bytes()))));
        }
        assert_eq!(first_uses, Used::LIMIT);
        used.clear();
        let code = CodeId::new(&sha1_hex(b"return 1"));
        assert!(used.insert(code) && !used.insert(code));
        used.remove(code);
        assert!(used.insert(code));
    }
}
