//! How a call waits for a connection.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;

use tokio::time::{sleep, timeout};

use crate::connection::lane::Place;
use crate::model::cause::{Cause, Obstacle};
use crate::model::error::{Error, Kind};
use crate::model::request::Request;
use crate::model::route::Route;
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
        } else if let Route::Address(address) | Route::PrimaryOf(address, _) = route
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
