//! The last refusal that passes by itself, such as that the cluster is down. While servers refuse calls, each call asks
//! ahead whether they do: their state may end before a question that is asked later.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::verdict::Meaning;

#[derive(Default)]
pub(crate) struct Refusals(RefCell<Option<(Meaning, Instant)>>);

impl Refusals {
    /// A server has refused a request for that reason. TRYAGAIN does not count: a slot may move for minutes, and then
    /// each call would have questions.
    pub(crate) fn note(&self, meaning: &Meaning) {
        if matches!(meaning, Meaning::Passing | Meaning::NotPrimary) {
            self.0.replace(Some((meaning.clone(), Instant::now())));
        }
    }

    /// The reason of the last one, if it was a short time ago.
    pub(crate) fn recent(&self) -> Option<Meaning> {
        /// Refused calls are sent again more often.
        const RECENT: Duration = Duration::from_secs(1);
        let mut last = self.0.borrow_mut();
        last.take_if(|(_, at)| at.elapsed() > RECENT);
        last.as_ref().map(|(meaning, _)| meaning.clone())
    }
}
