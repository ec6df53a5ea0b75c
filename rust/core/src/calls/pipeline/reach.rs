//! How a batch's commands for one node get a place on a lane that is connected.

use std::collections::HashSet;
use std::rc::Rc;

use tokio::time::{sleep, timeout};

use super::Context;
use super::pieces::Piece;
use crate::calls::waiting::connected_lane;
use crate::connection::lane::{self, Lane, NotReached};
use crate::model::cause::Obstacle;
use crate::model::error::Error;
use crate::servers::directory::LOOK_AGAIN;
use crate::servers::node::Lease;

impl Context {
    /// A place on a lane with a connection, behind any request that carries code which the pieces run, so that the code
    /// is sent once. `None` if the pieces may now go elsewhere.
    pub(super) async fn reach(
        &self,
        lane: Option<Rc<Lane>>,
        pieces: &mut [Piece],
    ) -> Result<Option<lane::Place>, Box<Error>> {
        let Some(mut place) = self.find_place(lane, pieces).await? else { return Ok(None) };
        if place.lane().code_in_flight().is_empty() {
            return Ok(Some(place));
        }
        let mut waited = HashSet::new();
        for piece in pieces {
            let request = self.request_of(piece.entry, piece.part);
            let Some(code) = request.code() else { continue };
            if !waited.contains(&code) && place.lane().code_in_flight().has(code) {
                waited.insert(code);
                place = place.after_code(code).await;
            }
            if waited.contains(&code) {
                piece.attempt.leave_code(&self.servers, request);
            }
        }
        Ok(Some(place))
    }

    /// A place on a lane with a connection. `None` if the pieces may now go elsewhere.
    async fn find_place(
        &self,
        lane: Option<Rc<Lane>>,
        pieces: &mut [Piece],
    ) -> Result<Option<lane::Place>, Box<Error>> {
        let send_by = self.limit.send_by();
        let pause = pieces.iter_mut().map(|piece| piece.attempt.pauses.take(send_by)).max().unwrap_or_default();
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let mut place = None;
        if let Some(lane) = lane {
            if self.waits {
                if matches!(timeout(LOOK_AGAIN, lane.connected()).await, Ok(Ok(()))) {
                    let (own, introduction) = self.own_lane(&lane);
                    match own.connected().await {
                        Ok(()) if introduction.await.is_ok() => return Ok(Some(own.end_of_line())),
                        Ok(()) => {}
                        Err(reason) => {
                            self.waiting_for.replace(Obstacle::UnreachableAt(own.address().clone(), reason));
                        }
                    }
                    pieces.iter_mut().for_each(|piece| piece.attempt.pauses.back_off());
                }
            } else if lane.is_up() {
                return Ok(Some(lane.end_of_line()));
            } else {
                let kept = lane.keep_place();
                if let Ok(Ok(())) = timeout(LOOK_AGAIN, lane.connected()).await {
                    return Ok(Some(kept));
                }
                place = Some(kept);
            }
        }
        for piece in &mut *pieces {
            piece.attempt.asking = false;
        }
        let first = &pieces[0];
        let (request, route) = (self.request(first), self.first_route(first));
        let needs_primary = self.needs_primary(first);
        let found = connected_lane(&self.servers, request, &route, needs_primary, &self.waiting_for).await?;
        Ok(place.filter(|place| Rc::ptr_eq(place.lane(), found.lane())))
    }

    /// The batch's own connection to the server of `target`, and how the server can be told to end it.
    fn own_lane(&self, target: &Rc<Lane>) -> (Rc<Lane>, impl Future<Output = Result<Option<u64>, NotReached>> + use<>) {
        let mut leases = self.leases.borrow_mut();
        let fits = |lease: &Lease| {
            let lane = lease.lane();
            lane.address() == target.address() && lane.serves_reads() == target.serves_reads() && !lane.is_closed()
        };
        let index = leases.iter().position(fits).unwrap_or_else(|| {
            leases.push(self.servers.lend(target));
            leases.len() - 1
        });
        (leases[index].lane().clone(), leases[index].introduce())
    }
}
