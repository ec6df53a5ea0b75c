//! The code that a server has, as answers over one connection have shown. The server may lack all other code.

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

/// The scripts and libraries whose calls were answered over one connection. Each call looks one up, and it is nearly
/// always among the last ones used.
#[derive(Default)]
pub(crate) struct KnownCode {
    all: HashSet<CodeId>,
    recent: [CodeId; Self::RECENT],
}

impl KnownCode {
    const RECENT: usize = 16;

    /// How many are remembered. A program with more scripts generates them, and would have to wait for the first use of
    /// each.
    const LIMIT: usize = 256;

    fn place(code: CodeId) -> usize {
        usize::from(code.0.to_le_bytes()[0]) % Self::RECENT
    }

    /// Whether it may be the first time that this code runs over the connection.
    pub(crate) fn is_first(&mut self, code: CodeId) -> bool {
        let recent = &mut self.recent[Self::place(code)];
        if *recent == code {
            return false;
        }
        let is_known = self.all.len() >= Self::LIMIT || self.all.contains(&code);
        if is_known {
            *recent = code;
        }
        !is_known
    }

    /// The server has it.
    pub(crate) fn insert(&mut self, code: CodeId) {
        if self.all.len() < Self::LIMIT {
            self.all.insert(code);
        }
    }

    /// The server may lack it.
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
    use crate::model::script::sha1_hex;

    #[test]
    fn only_the_first_use_counts_and_of_no_more_than_are_kept_apart() {
        let mut used = KnownCode::default();
        let mut first_uses = 0;
        for number in (0..300).chain(0..300) {
            let code = CodeId::new(&sha1_hex(format!("return {number}").as_bytes()));
            first_uses += usize::from(used.is_first(code));
            used.insert(code);
        }
        assert_eq!(first_uses, KnownCode::LIMIT);
        used.clear();
        let code = CodeId::new(&sha1_hex(b"return 1"));
        assert!(used.is_first(code) && used.is_first(code), "only an answer says that the server has it");
        used.insert(code);
        assert!(!used.is_first(code));
        used.remove(code);
        assert!(used.is_first(code));
    }
}
