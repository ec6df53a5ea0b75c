//! Sends a batch, as a transaction or as a pipeline, and notes in each error which command failed.

use std::rc::Rc;

use crate::calls::batch_progress::BatchProgress;
use crate::calls::{pipeline, transaction};
use crate::model::batch::{Batch, Sending};
use crate::model::completion::{Outcome, ReplyTo};
use crate::model::error::Error;
use crate::servers::directory::Servers;
use crate::tasks::guard;
use crate::wire::resp::Reply;

/// Sends a batch on its way.
pub(crate) fn dispatch(servers: &Rc<Servers>, sending: Sending, reply_to: ReplyTo) {
    let supervision = servers.supervisor.supervise(&reply_to);
    let (servers, batch) = (servers.clone(), sending.batch.clone());
    guard::spawn("a batch", async move {
        let progress = Rc::new(BatchProgress::default());
        let work = async {
            if batch.is_atomic() {
                transaction::run(&servers, sending, &progress).await
            } else {
                Ok(Some(pipeline::run(&servers, sending, &progress).await))
            }
        };
        let closed = || Err(Box::new(Error::closed_in_flight(progress.may_have_executed())));
        let outcome = match supervision.over(work).await.or_closed(closed) {
            Some(Ok(Some(outcomes))) => {
                outcomes.iter().for_each(|outcome| servers.stats.count(outcome));
                return reply_to.finish_batch(name_commands(&batch, outcomes));
            }
            Some(Ok(None)) => Some(Ok(Reply::NIL)),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        };
        servers.stats.finish_unless_gone(reply_to, outcome);
    });
}

/// Notes in each error which command failed.
fn name_commands(batch: &Batch, mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    for (index, (outcome, entry)) in outcomes.iter_mut().zip(batch.entries()).enumerate() {
        if let Err(error) = outcome {
            (error.batch_index, error.command) = (Some(index), Some(entry.name()));
        }
    }
    outcomes
}
