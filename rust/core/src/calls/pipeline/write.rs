//! What one write of a batch to a node holds: the commands, and the scripts and libraries that they need.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::Context;
use super::pieces::Piece;
use crate::calls::attempt::{code_form, first_form};
use crate::connection::code_in_flight::BringsCode;
use crate::connection::lane::{Lane, SubmittedStep};
use crate::model::known_code::CodeId;
use crate::model::request::{Form, asking};
use crate::model::script::Script;
use crate::wire::resp::Reply;

/// The positions of the pieces among the commands that are sent.
#[derive(Default)]
pub(super) struct Write {
    pub(super) places: VecDeque<Position>,
    /// Which commands load what.
    pub(super) loads: VecDeque<(usize, String)>,
    pub(super) failed_loads: HashMap<String, Reply>,
    /// Which commands bring what code.
    brings: Vec<(usize, CodeId)>,
    pub(super) flushes_scripts: bool,
    /// Where the bytes of each command end.
    pub(super) ends: Vec<u64>,
    /// How many commands have been dealt with.
    pub(super) read: usize,
}

impl Write {
    /// Notes the code that it brings, of which `first` is the first write.
    pub(super) fn bringers(&self, first: &SubmittedStep) -> Vec<(usize, BringsCode)> {
        let bringers = self.brings.iter().filter_map(|(index, code)| Some((*index, first.brings(*code)?)));
        bringers.collect()
    }

    /// How many bytes come before a command.
    pub(super) fn bytes_before(&self, command: usize) -> u64 {
        command.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// A piece's command, and where its bytes end.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) index: usize,
    pub(super) end: u64,
    /// Where the questions before it begin.
    pub(super) questions: usize,
}

/// Commands, and how many bytes they are.
pub(super) struct Commands(Vec<Bytes>, u64);

impl Commands {
    pub(super) fn push(&mut self, command: Bytes) {
        self.1 += command.len() as u64;
        self.0.push(command);
    }

    pub(super) fn ends(&self) -> Vec<u64> {
        let ends = self.0.iter().scan(0, |end, command| {
            *end += command.len() as u64;
            Some(*end)
        });
        ends.collect()
    }
}

/// The same commands in several writes, each of a bounded length and with at least one command.
pub(super) fn chunks(commands: Vec<Bytes>) -> impl Iterator<Item = Vec<Bytes>> {
    /// Replies are handled while the server runs the rest.
    const LONGEST: usize = 32 << 10;
    let mut commands = commands.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = commands.next()?;
        let mut length = first.len();
        let mut chunk = vec![first];
        while let Some(next) = commands.next_if(|next| length + next.len() <= LONGEST) {
            length += next.len();
            chunk.push(next);
        }
        Some(chunk)
    })
}

impl Context {
    /// The bytes to send, and where the pieces are in them.
    pub(super) fn write(&self, lane: &Rc<Lane>, pieces: &mut [Piece]) -> (Write, Vec<Bytes>) {
        let mut write = Write::default();
        let mut commands = Commands(Vec::with_capacity(pieces.len() + 4), 0);
        write.places.reserve(pieces.len());
        // The code that the earlier commands of this write bring to the server.
        let mut brought: HashSet<&str> = HashSet::new();
        // The last command's script: a shortcut, because many batches run a single script.
        let mut last: Option<&Script> = None;
        for piece in pieces {
            let request = self.request(piece);
            if request.flushes_scripts() {
                lane.forget_loaded();
                write.flushes_scripts = true;
                brought.clear();
                last = None;
                write.loads.clear();
                write.brings.clear();
            }
            if let Some(script) = request.bringable_script()
                && (piece.attempt.form.is_some() || last.is_none_or(|last| !std::ptr::eq(last, Arc::as_ptr(script))))
            {
                self.bring(script, piece, lane, &mut brought, &mut write, &mut commands);
                last = Some(script);
            }
            if let Some(library) = request.library()
                && (piece.attempt.brings_library || piece.attempt.follows == 0 && !lane.has_loaded(&library.key))
                && (self.needs_primary(piece) || !request.is_read_only())
                && brought.insert(&library.key)
            {
                // If the server has a library of that name, it stays, unless the server lacks the function.
                write.loads.push_back((commands.0.len(), library.key.clone()));
                write.brings.push((commands.0.len(), library.id));
                commands.push(library.load(piece.attempt.brings_library));
            }
            let questions = commands.0.len();
            let ahead = piece.attempt.questions_ahead(&self.servers, request, lane);
            ahead.iter().for_each(|question| commands.push(question.clone()));
            if piece.attempt.asking {
                commands.push(asking());
            }
            let form = piece.attempt.form;
            commands.push(form.map_or_else(|| request.wire().clone(), |form| request.wire_as(form)));
            write.places.push_back(Position { index: commands.0.len() - 1, end: commands.1, questions });
        }
        write.ends = commands.ends();
        (write, commands.0)
    }

    /// Makes sure that the server has a script when it reads the command that runs it.
    pub(super) fn bring<'a>(
        &self,
        script: &'a Script,
        piece: &mut Piece,
        lane: &Lane,
        brought: &mut HashSet<&'a str>,
        write: &mut Write,
        commands: &mut Commands,
    ) {
        let (attempt, request) = (&mut piece.attempt, self.request_of(piece.entry, piece.part));
        if matches!(attempt.form, Some(Form::Code | Form::CodeReadOnly)) {
            if brought.insert(script.hash()) {
                write.brings.push((commands.0.len(), script.id));
            } else {
                // The command before it carries the code.
                attempt.form = first_form(&self.servers, request);
            }
            return;
        }
        let must_load = attempt.loads_script.is_some();
        let is_coming = attempt.follows > 0 || lane.has_loaded(script.hash());
        if is_coming && !must_load || brought.contains(script.hash()) {
            return;
        }
        let may_load = !self.servers.abilities.cannot_load.get() && !lane.is_fragile();
        if must_load || may_load && self.servers.teaching.may_teach(script, &self.servers.stats) {
            write.loads.push_back((commands.0.len(), script.hash().to_owned()));
            commands.push(script.load());
        } else if attempt.cannot_bring || self.servers.abilities.cannot_eval.get() {
            return;
        } else {
            attempt.is_ahead = true;
            attempt.form = Some(code_form(request, attempt.form));
        }
        write.brings.push((commands.0.len(), script.id));
        brought.insert(script.hash());
    }
}
