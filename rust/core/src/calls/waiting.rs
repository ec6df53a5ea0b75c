//! What a call waits for: a connection, and its deadline.

use std::cell::RefCell;
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::connection::lane::Place;
use crate::model::cause::{Cause, Obstacle};
use crate::model::config::Deadlines;
use crate::model::error::{Error, Kind};
use crate::model::request::Request;
use crate::model::route::Route;
use crate::model::wait::Wait;
use crate::servers::directory::{LOOK_AGAIN, Servers};

/// Waits for a lane that the request may take and that has a connection. Calls that are issued later wait behind it
/// there.
pub(crate) async fn connected_lane(
    servers: &Rc<Servers>,
    request: &Request,
    route: &Route,
    needs_primary: bool,
    waiting_for: &RefCell<Obstacle>,
) -> Result<Place, Box<Error>> {
    let (mut seen, mut looked) = (servers.times_learned(), false);
    let mut place: Option<Place> = None;
    loop {
        let lane = servers.lane_for(request, route, needs_primary);
        place = place.filter(|place| lane.as_ref().is_some_and(|lane| Rc::ptr_eq(place.lane(), lane)));
        if let Some(lane) = &lane {
            if lane.is_up() {
                return Ok(place.unwrap_or_else(|| lane.end_of_line()));
            }
            let kept = place.take().unwrap_or_else(|| lane.keep_place());
            waiting_for.replace(Obstacle::ConnectingTo(lane.address().clone()));
            match timeout(LOOK_AGAIN, lane.connected()).await {
                Ok(Ok(())) => return Ok(kept),
                Ok(Err(reason)) => {
                    waiting_for.replace(Obstacle::UnreachableAt(lane.address().clone(), reason));
                }
                Err(_) => {}
            }
            place = Some(kept);
        } else if let Route::Address(address) = route
            && looked
        {
            return Err(Box::new(Error::because(Kind::Request, Cause::NoNodeAt(address.clone()))));
        } else {
            waiting_for.replace(servers.why_unknown(route));
        }
        servers.refresh();
        let up = async { if let Some(lane) = &lane { lane.up().await } else { pending().await } };
        tokio::select! {
            biased;
            count = servers.learned_since(seen) => (seen, looked) = (count, true),
            // Calls that came later wait behind it.
            () = up => {}
            () = sleep(LOOK_AGAIN) => {}
        }
    }
}

/// A deadline has passed that was extended by this much.
#[derive(Clone, Copy)]
pub(crate) struct TooLate {
    pub(crate) waited: Duration,
}

/// How long a call may take once it was sent, on top of its deadline.
pub(crate) fn time_for_reply(servers: &Servers, own_time: Option<Wait>) -> Option<Wait> {
    if servers.config.connection.deadlines == Deadlines::UntilSent { Some(Wait::Forever) } else { own_time }
}

/// Until when a call that was sent must be sent again. If its server kept it beyond that, it has as much time as a new
/// call.
pub(crate) fn send_again_by(send_by: Instant, timeout: Duration) -> Instant {
    let now = Instant::now();
    if now > send_by { now + timeout } else { send_by }
}

/// Bounds work by its deadline. A command that waits for other clients gets its own time in addition, once it was sent.
pub(crate) async fn in_time<T>(
    deadline: Instant,
    own_time: Option<Wait>,
    was_sent: impl Fn() -> bool,
    work: impl Future<Output = T>,
) -> Result<T, TooLate> {
    let mut work = pin!(work);
    if let Ok(done) = timeout_at(deadline, &mut work).await {
        return Ok(done);
    }
    match own_time.filter(|_| was_sent()) {
        None => Err(TooLate { waited: Duration::ZERO }),
        Some(Wait::For(waited)) => timeout_at(deadline + waited, work).await.map_err(|_| TooLate { waited }),
        Some(Wait::Forever) => Ok(work.await),
    }
}
