//! Whether a server is a replica, asked after a script has passed on what replicas say.

use std::rc::Rc;

use crate::connection::lane::Lane;
use crate::connection::step::{StepOptions, StepProgress};
use crate::model::verdict::{Asked, Meaning, Proof, Questions};
use crate::servers::directory::Servers;
use crate::tasks::guard;
use crate::wire::resp::ServerError;

/// Asks the server of a lane, and leaves it if it is a replica. No call waits for that.
pub(super) fn ask_role(servers: &Rc<Servers>, lane: &Lane, error: &ServerError, asked: &Asked<'_>) {
    // Later calls take this one.
    let lane = servers.node(lane.address().clone()).data.clone();
    if !lane.is_up() || !lane.begin_to_ask_role() {
        return;
    }
    let questions = Questions::new(&Meaning::NotPrimary, asked, false, lane.is_fragile());
    let (servers, error) = (servers.clone(), error.clone());
    guard::spawn("a question about a role", async move {
        let progress: Rc<StepProgress> = Rc::default();
        let options = StepOptions { only_on: Some(lane.connection()), ..StepOptions::default() };
        let answered = lane.begin(questions.commands().to_vec(), options, &progress).await;
        lane.end_to_ask_role();
        if answered.is_ok() && questions.prove(&error, progress.take_replies(), Proof::NotNow) == Proof::Given {
            servers.demoted(&lane);
        }
    });
}
