//! What happens to a batch's commands after the replies to one write, or after its loss.

use std::collections::HashSet;
use std::rc::Rc;

use super::pieces::Piece;
use super::write::Write;
use super::{Context, Round};
use crate::calls::attempt::Answered;
use crate::calls::proving::{ask, proof};
use crate::calls::time_limit::TooLate;
use crate::connection::code_in_flight::BringsCode;
use crate::connection::lane::Lane;
use crate::model::error::Error;
use crate::model::library::is_library;
use crate::model::unreachable::Unreachable;
use crate::model::verdict::{self, Load, Meaning, Questions, Ran, Verdict};
use crate::wire::resp::{Reply, ServerError};

/// The part of a write whose replies are still to be read.
pub(super) struct Reading {
    pub(super) write: Write,
    pub(super) lane: Rc<Lane>,
    pub(super) pieces: std::vec::IntoIter<Piece>,
    /// Scripts for which an EVAL was answered.
    pub(super) taught: HashSet<String>,
    /// For the code that the write brings, with the commands that bring it.
    pub(super) bringers: Vec<(usize, BringsCode)>,
}

/// A piece whose script may have answered in a server's words.
pub(super) struct Doubted {
    piece: Piece,
    error: ServerError,
    questions: Questions,
    /// The server's answers, if it was asked before.
    answers: Option<Vec<Reply>>,
}

/// Why there are no more replies.
pub(super) enum WriteEnd {
    Answered,
    Unsent,
    /// The connection was lost while its only command was written.
    CutOff(Unreachable, u64),
    /// The connection was lost after that many bytes were written.
    Lost(Unreachable, u64),
    /// The write was withdrawn, except for that many bytes, which the server still gets.
    TimedOut(TooLate, u64),
}

impl Context {
    /// Takes the replies to one write's commands.
    pub(super) fn read(
        &self,
        reading: &mut Reading,
        count: usize,
        mut replies: Vec<Reply>,
        ending: &WriteEnd,
        round: &mut Round,
    ) {
        let Reading { write, lane, pieces, taught, bringers } = reading;
        let first = write.read;
        write.read += count;
        bringers.retain(|(index, _)| *index >= write.read);
        while let Some((_, name)) = write.loads.front().filter(|(index, _)| *index < write.read) {
            let (index, name) = (write.loads[0].0 - first, name.clone());
            write.loads.pop_front();
            if let Some(reply) = replies.get(index) {
                self.note_load(lane, &name, reply);
                if reply.error().is_some() {
                    write.failed_loads.insert(name, reply.clone());
                }
            } else if index == replies.len() && matches!(ending, WriteEnd::Lost(..)) {
                lane.distrust();
            }
        }
        while let Some(place) = write.places.front().copied().filter(|place| place.index < write.read)
            && let Some(mut piece) = pieces.next()
        {
            write.places.pop_front();
            let request = self.request_of(piece.entry, piece.part);
            let Some(reply) = replies.get_mut(place.index - first) else {
                self.without_reply(piece, place.end - write.bytes_before(first), ending, round);
                continue;
            };
            let mut reply = std::mem::replace(reply, Reply::NIL);
            // The questions may have been in the previous write.
            let answers = place.questions.checked_sub(first).map(|begin| replies[begin..place.index - first].to_vec());
            let loaded = match request.library().filter(|_| piece.attempt.brings_library) {
                Some(library) => Some(library.key.as_str()),
                None => request.script().filter(|_| piece.attempt.loads_script.is_some()).map(|script| script.hash()),
            };
            if let Some(loaded) = loaded {
                reply = piece.attempt.after_load(request, reply, write.failed_loads.get(loaded));
            }
            if piece.attempt.form.is_some()
                && let Some(script) = request.script()
                && taught.insert(script.hash().to_owned())
            {
                piece.attempt.learn_from(&self.servers, request, &self.route(&piece), &reply, lane);
            }
            self.with_reply(piece, reply, answers, lane, round);
        }
    }

    /// If loading is refused, the script is still tried: the server may have it.
    fn note_load(&self, lane: &Lane, name: &str, reply: &Reply) {
        match verdict::load(reply.error(), if is_library(name) { "FUNCTION" } else { "SCRIPT" }) {
            Load::Done | Load::WasThere => {
                lane.set_loaded(name, true);
                if !is_library(name) {
                    // Later calls need not ask again whether the server has it.
                    lane.note_code(name);
                }
            }
            Load::Forbidden if !is_library(name) => self.servers.abilities.cannot_load.set(true),
            Load::Forbidden | Load::Failed => {}
        }
    }

    /// `answers`: the replies to the questions before it.
    fn with_reply(
        &self,
        mut piece: Piece,
        reply: Reply,
        answers: Option<Vec<Reply>>,
        lane: &Rc<Lane>,
        round: &mut Round,
    ) {
        let request = self.request(&piece);
        if reply.error().is_none() && !request.is_answered_from_record(&reply) {
            self.note_hit(&piece, lane);
            return round.done.push((piece.place, Ok(reply)));
        }
        let route = self.route(&piece);
        piece.attempt.lane = Some(lane.clone());
        let (error, verdict) = match piece.attempt.read(&self.servers, request, &route, reply) {
            Answered::Done { outcome, .. } => {
                self.note_hit(&piece, lane);
                return round.done.push((piece.place, outcome));
            }
            Answered::Failed(error, verdict) | Answered::Refused(error, verdict) => (error, verdict),
        };
        let asked = piece.attempt.questions.take();
        if !verdict.is_unproved {
            return self.conclude(piece, &error, &verdict, lane, round);
        }
        let questions = piece.attempt.questions_about(&self.servers, request, &route, &verdict);
        let answers = answers.filter(|_| asked.as_ref() == Some(&questions));
        round.doubted.push(Doubted { piece, error, questions, answers });
    }

    /// Asks the server whether it has answered in these words itself, for all pieces together.
    pub(super) async fn prove(&self, lane: &Rc<Lane>, round: &mut Round) {
        let doubted = std::mem::take(&mut round.doubted);
        let unasked = doubted.iter().filter(|doubted| doubted.answers.is_none());
        let commands: Vec<_> = unasked.flat_map(|doubted| doubted.questions.commands()).cloned().collect();
        let mut answered = Vec::new().into_iter();
        if !commands.is_empty()
            && let Ok(answers) = self.limit.over(|| false, ask(&lane.end_of_line(), commands)).await
        {
            answered = answers.into_iter();
        }
        for Doubted { mut piece, error, questions, answers } in doubted {
            let shown = proof(&self.servers, lane, &error, &questions, answers, &mut answered);
            let (request, route) = (self.request(&piece), self.route(&piece));
            let verdict = piece.attempt.judge_by(&self.servers, request, &route, &error, (questions, shown));
            piece.was_lost |= verdict.ran == Ran::Unknown;
            self.conclude(piece, &error, &verdict, lane, round);
        }
    }

    /// Acts on an error.
    fn conclude(&self, mut piece: Piece, error: &ServerError, verdict: &Verdict, lane: &Lane, round: &mut Round) {
        let (request, route) = (self.request(&piece), self.route(&piece));
        if verdict.meaning != Meaning::MissingScript {
            self.note_hit(&piece, lane);
        } else if let Some(script) = request.script() {
            lane.set_loaded(script.hash(), false);
        }
        if piece.attempt.follow(&self.servers, request, &route, error, verdict, &self.waiting_for) {
            return round.again.push(piece);
        }
        let error = Error::answered(error, verdict, request).after_loss(piece.was_lost);
        round.done.push((piece.place, Err(Box::new(error))));
    }

    /// If the script was sent by its hash, the server had it.
    fn note_hit(&self, piece: &Piece, lane: &Lane) {
        let request = self.request(piece);
        if !request.has_forms() || piece.attempt.form.is_some() {
            return;
        }
        self.servers.stats.script_hits.add(1);
        if let Some(script) = request.script().filter(|_| self.servers.abilities.cannot_load.get()) {
            // It could not be loaded, but the server has it.
            lane.set_loaded(script.hash(), true);
        }
    }

    fn without_reply(&self, mut piece: Piece, end: u64, ending: &WriteEnd, round: &mut Round) {
        piece.attempt.lane = None;
        piece.attempt.asking = false;
        match ending {
            WriteEnd::Lost(reason, written) if end <= *written => {
                let unanswered = verdict::of_loss(self.request(&piece), true, self.sending.options.retries_lost);
                if unanswered.may_be_sent_again {
                    piece.was_lost |= unanswered.ran == Ran::Unknown;
                    piece.attempt.pauses.lost();
                    round.again.push(piece);
                } else {
                    round.done.push((piece.place, Err(Box::new(Error::lost(reason.clone())))));
                }
            }
            WriteEnd::CutOff(reason, bytes) => match piece.attempt.cut_off(reason.clone(), *bytes) {
                Some(error) => round.done.push((piece.place, Err(Box::new(error.after_loss(piece.was_lost))))),
                None => round.again.push(piece),
            },
            WriteEnd::TimedOut(too_late, sent) if end <= *sent => {
                let known = verdict::no_reply(self.request(&piece));
                round.done.push((piece.place, Err(Box::new(Error::timeout(too_late.after, known)))));
            }
            WriteEnd::TimedOut(too_late, _) => {
                let error = self.not_sent_in_time(*too_late, piece.was_lost);
                round.done.push((piece.place, Err(Box::new(error))));
            }
            WriteEnd::Lost(..) | WriteEnd::Unsent | WriteEnd::Answered => {
                // What was sent with it may have ended the connection.
                piece.attempt.pauses.lost();
                round.again.push(piece);
            }
        }
    }
}
