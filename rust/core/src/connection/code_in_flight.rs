//! Code that is being sent to a server, so that many requests that need it send it once.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::model::known_code::CodeId;
use crate::tasks::signal::Signal;

/// The code that is on its way over a lane.
pub(crate) struct CodeInFlight {
    /// The code that jobs carry, with the numbers of these jobs.
    jobs: Rc<Signal<HashMap<CodeId, u64>>>,
    /// The hashes of scripts that SCRIPT LOAD brings.
    loads: RefCell<HashSet<String>>,
}

impl Default for CodeInFlight {
    fn default() -> Self {
        Self { jobs: Rc::new(Signal::new(HashMap::new())), loads: RefCell::default() }
    }
}

impl CodeInFlight {
    /// Whether a request in line or in flight carries this code: requests behind it will find the code on the server.
    pub(crate) fn has(&self, code: CodeId) -> bool {
        self.jobs.borrow().contains_key(&code)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.borrow().is_empty()
    }

    /// Waits until no job before `number` carries this code. Later jobs may wait for that job itself, so this does not
    /// wait for them.
    pub(super) async fn is_over_before(&self, code: CodeId, number: u64) {
        let is_over = |jobs: &HashMap<CodeId, u64>| jobs.get(&code).is_none_or(|job| *job >= number);
        self.jobs.wait_for(|jobs| is_over(jobs).then_some(())).await;
    }

    /// Notes that a job carries this code; `None` if another job does already.
    pub(super) fn begin(&self, code: CodeId, number: u64) -> Option<BringsCode> {
        if self.has(code) {
            return None;
        }
        self.jobs.update(|jobs| jobs.insert(code, number));
        Some(BringsCode { jobs: self.jobs.clone(), code })
    }

    /// Notes that SCRIPT LOAD of this script is sent. Returns false if one is on its way already.
    pub(super) fn begin_load(&self, hash: &str) -> bool {
        self.loads.borrow_mut().insert(hash.to_owned())
    }

    pub(super) fn end_load(&self, hash: &str) {
        self.loads.borrow_mut().remove(hash);
    }
}

/// A request brings code until this is dropped: it was answered, or given up.
pub(crate) struct BringsCode {
    jobs: Rc<Signal<HashMap<CodeId, u64>>>,
    code: CodeId,
}

impl Drop for BringsCode {
    fn drop(&mut self) {
        self.jobs.update(|jobs| jobs.remove(&self.code));
    }
}
