//! What is known of a batch while it has no outcome.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::connection::step::StepProgress;

#[derive(Default)]
pub(crate) struct BatchProgress {
    /// Of its writes.
    steps: RefCell<Vec<Rc<StepProgress>>>,
    /// Some of its commands may have run in writes that are over.
    pub(crate) has_begun: Cell<bool>,
}

impl BatchProgress {
    /// For one more write.
    pub(crate) fn step(&self) -> Rc<StepProgress> {
        let step = Rc::new(StepProgress::default());
        self.steps.borrow_mut().push(step.clone());
        step
    }

    pub(crate) fn may_have_executed(&self) -> bool {
        self.has_begun.get() || self.steps.borrow().iter().any(|step| step.was_sent())
    }
}
