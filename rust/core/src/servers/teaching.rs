//! Which scripts are put on the servers for good.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use crate::model::script::Script;
use crate::model::stats::Stats;

/// How many scripts one client puts on the servers for good. A program with more is making them up as it goes.
const TEACHING_LIMIT: usize = 256;

#[derive(Default)]
pub(crate) struct Teaching {
    /// The hashes of those that were.
    taught: RefCell<HashSet<String>>,
    /// There were too many, which has been logged.
    has_ended: Cell<bool>,
}

impl Teaching {
    /// Whether a script is, or becomes now, one of those that are put on servers for good.
    pub(crate) fn may_teach(&self, script: &Script, stats: &Stats) -> bool {
        let mut taught = self.taught.borrow_mut();
        if taught.contains(script.hash()) {
            return true;
        }
        if taught.len() < TEACHING_LIMIT {
            stats.taught.add(1);
            return taught.insert(script.hash().to_owned());
        }
        if !self.has_ended.replace(true) {
            log::warn!(
                "more than {TEACHING_LIMIT} different scripts: further ones are not loaded for good; pass what differs \
                 as ARGV instead of making scripts up"
            );
        }
        false
    }
}
