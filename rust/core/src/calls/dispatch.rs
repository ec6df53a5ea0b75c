//! Where every call begins, and where a lane hands back the calls that it could not finish.

use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::calls::{fanout, single};
use crate::connection::lane::{Lane, LaneEvents, Place};
use crate::connection::step::Unfinished;
use crate::model::call::Call;
use crate::model::config::Config;
use crate::model::route::Route;
use crate::model::stats::Stats;
use crate::servers::directory::Servers;

/// Sends a call on its way.
pub(crate) fn dispatch(servers: &Rc<Servers>, call: Call) {
    match call.route {
        Route::AllPrimaries | Route::AllNodes => fanout::to_nodes(servers, call),
        _ => single::send(servers, call),
    }
}

/// The servers of a client. Their lanes hand back here what they cannot finish. `at_rest` is called whenever the last
/// request in flight has ended, with the number of commands that were last sent together.
pub(crate) fn servers(config: Config, stats: Arc<Stats>, at_rest: impl Fn(usize) + 'static) -> Rc<Servers> {
    Servers::new(config, stats, |servers| Rc::new(Events { servers, at_rest }))
}

struct Events<F> {
    servers: Weak<Servers>,
    at_rest: F,
}

impl<F: Fn(usize)> LaneEvents for Events<F> {
    fn unfinished(&self, lane: &Rc<Lane>, call: Call, unfinished: Unfinished, place: Option<Place>) {
        if let Some(servers) = self.servers.upgrade() {
            single::recover(&servers, Some(lane.clone()), call, unfinished, place);
        }
    }

    fn stalled(&self, _lane: &Rc<Lane>) {
        if let Some(servers) = self.servers.upgrade() {
            servers.unanswered();
        }
    }

    fn at_rest(&self, commands: usize) {
        (self.at_rest)(commands);
    }

    fn disconnected(&self, lane: &Rc<Lane>) {
        if let Some(servers) = self.servers.upgrade() {
            servers.disconnected(lane);
        }
    }
}
