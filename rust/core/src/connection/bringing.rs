//! Code that is on its way to a server, so that many requests that miss it send it once.

use std::collections::HashMap;
use std::rc::Rc;

use crate::model::used::CodeId;
use crate::tasks::signal::Signal;

/// The code that goes over a lane, with the number of the job that brings it.
pub(crate) struct Bringing(Rc<Signal<HashMap<CodeId, u64>>>);

impl Default for Bringing {
    fn default() -> Self {
        Self(Rc::new(Signal::new(HashMap::new())))
    }
}

impl Bringing {
    /// Whether a request that is in line or in flight brings this code: what comes behind it finds the code there.
    pub(crate) fn has(&self, code: CodeId) -> bool {
        self.0.borrow().contains_key(&code)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Waits until no job before `number` brings this code. What comes later in line may wait for that job itself, so
    /// nothing waits for it here.
    pub(super) async fn is_over_before(&self, code: CodeId, number: u64) {
        let is_over = |jobs: &HashMap<CodeId, u64>| jobs.get(&code).is_none_or(|job| *job >= number);
        self.0.wait_for(|jobs| is_over(jobs).then_some(())).await;
    }

    /// Notes that a job brings this code; `None` if another one does already.
    pub(super) fn begin(&self, code: CodeId, number: u64) -> Option<Lead> {
        if self.has(code) {
            return None;
        }
        self.0.update(|jobs| jobs.insert(code, number));
        Some(Lead { jobs: self.0.clone(), code })
    }
}

/// A request brings code until this is dropped: it was answered, or given up.
pub(crate) struct Lead {
    jobs: Rc<Signal<HashMap<CodeId, u64>>>,
    code: CodeId,
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.jobs.update(|jobs| jobs.remove(&self.code));
    }
}
