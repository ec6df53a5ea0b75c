//! A batch, cut into pieces: one for each command, or for each node or slot of a command. Their outcomes are put
//! together again here.

use std::rc::Rc;

use tokio::time::timeout_at;

use super::Context;
use crate::calls::attempt::Attempt;
use crate::calls::fanout::{nodes_of, without_left};
use crate::connection::lane::Lane;
use crate::model::batch::Entry;
use crate::model::cause::{AtDeadline, Obstacle};
use crate::model::completion::Outcome;
use crate::model::config::Address;
use crate::model::error::Error;
use crate::model::request::{LaneKind, Request};
use crate::model::route::Route;
use crate::servers::directory::Servers;

/// What is sent to one node at once: a command, or a part of one.
pub(super) struct Piece {
    /// Its place among the outcomes.
    pub(super) place: usize,
    /// Which command, and which part of it.
    pub(super) entry: usize,
    pub(super) part: usize,
    /// The node, where the command goes to several.
    pub(super) node: Option<Route>,
    pub(super) attempt: Attempt,
    /// A connection was lost while it was in flight.
    pub(super) was_lost: bool,
}

/// How the pieces of one command make its outcome.
pub(super) enum Shape {
    One,
    /// Each node with the route of its piece.
    Nodes(Vec<(Address, Route)>),
    Parts,
    /// The deadline passed before the nodes were known.
    Unknown(Error),
}

impl Shape {
    pub(super) fn gather(
        self,
        servers: &Servers,
        entry: &Entry,
        outcomes: &mut impl Iterator<Item = Outcome>,
    ) -> Outcome {
        match (self, entry) {
            (Self::Nodes(nodes), Entry::Whole { request, .. }) => {
                request.gather().of_nodes(without_left(servers, nodes.into_iter().zip(outcomes)))
            }
            (Self::Parts, Entry::Parts { parts, gather }) => {
                let answers = parts.iter().map(|part| part.positions.clone()).zip(outcomes);
                gather.of_parts(answers.collect())
            }
            (Self::Unknown(error), _) => Err(Box::new(error)),
            _ => outcomes.next().unwrap_or_else(|| Err(Box::new(Error::closed_in_flight(true)))),
        }
    }
}

impl Context {
    pub(super) fn request(&self, piece: &Piece) -> &Request {
        self.request_of(piece.entry, piece.part)
    }

    pub(super) fn request_of(&self, entry: usize, part: usize) -> &Request {
        match &self.sending.entries()[entry] {
            Entry::Whole { request, .. } => request,
            Entry::Parts { parts, .. } => &parts[part].request,
        }
    }

    /// The route of its keys or its command, which a redirect can change.
    pub(super) fn route(&self, piece: &Piece) -> Route {
        match (&piece.node, &self.sending.entries()[piece.entry], &self.sending.options.route) {
            (Some(route), _, _) => route.clone(),
            (None, Entry::Parts { parts, .. }, _) => Route::Slot(parts[piece.part].slot),
            (None, Entry::Whole { route: route @ Route::Slot(_), .. }, _) | (None, _, Some(route)) => route.clone(),
            (None, Entry::Whole { route, .. }, None) => route.clone(),
        }
    }

    /// Where it is sent first.
    pub(super) fn first_route(&self, piece: &Piece) -> Route {
        self.sending.options.route.clone().unwrap_or_else(|| self.route(piece))
    }

    /// Commands for several nodes or slots become several pieces.
    pub(super) async fn cut(&self) -> (Vec<Piece>, Vec<Shape>) {
        let entries = self.sending.entries();
        let (mut pieces, mut shapes) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        for (entry, command) in entries.iter().enumerate() {
            let mut add = |part, node| {
                let place = pieces.len();
                let mut piece = Piece { place, entry, part, node, attempt: Attempt::default(), was_lost: false };
                piece.attempt = Attempt::first(&self.servers, self.request(&piece));
                pieces.push(piece);
            };
            match command {
                Entry::Whole { request, route, .. }
                    if matches!(route, Route::AllNodes | Route::AllPrimaries)
                        && self.sending.options.route.is_none() =>
                {
                    let knowing = async {
                        self.servers.learn_first().await;
                        nodes_of(&self.servers, route, request.gather()).await
                    };
                    match timeout_at(self.sending.deadline, knowing).await {
                        Ok(nodes) => {
                            nodes.iter().for_each(|(_, route)| add(0, Some(route.clone())));
                            shapes.push(Shape::Nodes(nodes));
                        }
                        Err(_) => {
                            let known = AtDeadline::NotSent(Obstacle::NodesUnreachable);
                            shapes.push(Shape::Unknown(Error::timeout(self.sending.timeout, known)));
                        }
                    }
                }
                Entry::Parts { parts, .. } => {
                    (0..parts.len()).for_each(|part| add(part, None));
                    shapes.push(Shape::Parts);
                }
                Entry::Whole { .. } => {
                    add(0, None);
                    shapes.push(Shape::One);
                }
            }
        }
        (pieces, shapes)
    }

    pub(super) fn needs_primary(&self, piece: &Piece) -> bool {
        self.needs_primaries || piece.attempt.needs_primary()
    }

    /// The pieces of each lane, in order. Pieces that may go to any node go to one lane.
    pub(super) fn by_lane(&self, pieces: Vec<Piece>) -> Vec<(Option<Rc<Lane>>, Vec<Piece>)> {
        let mut groups: Vec<(Option<Rc<Lane>>, Vec<Piece>)> = Vec::new();
        let mut any: Option<Rc<Lane>> = None;
        let total = pieces.len();
        for mut piece in pieces {
            let lane = piece.attempt.lane.take().or_else(|| {
                let (request, route) = (self.request(&piece), self.first_route(&piece));
                let is_any = route == Route::Any && request.lane() == LaneKind::Data;
                if is_any && any.is_some() {
                    return any.clone();
                }
                let lane = self.servers.lane_for(request, &route, self.needs_primary(&piece));
                // A replica could answer a read before it has received the writes that came before it.
                let lane = lane.map(|lane| if self.needs_primaries { self.servers.data_lane(&lane) } else { lane });
                if is_any {
                    any.clone_from(&lane);
                }
                lane
            });
            let same = |group: &&mut (Option<Rc<Lane>>, Vec<Piece>)| match (&group.0, &lane) {
                (Some(one), Some(other)) => Rc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            };
            match groups.iter_mut().find(same) {
                Some((_, group)) => group.push(piece),
                None => {
                    let mut group = Vec::with_capacity(total);
                    group.push(piece);
                    groups.push((lane, group));
                }
            }
        }
        groups
    }
}
