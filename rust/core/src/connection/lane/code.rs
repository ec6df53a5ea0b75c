//! What a lane knows of its server's code, and of what its connection may do.

use std::rc::Rc;

use bytes::Bytes;

use super::Lane;
use crate::connection::code_in_flight::CodeInFlight;
use crate::connection::job::Job;
use crate::model::known_code::CodeId;
use crate::model::request::Request;

impl Lane {
    /// The code that is on its way to the server.
    pub(crate) fn code_in_flight(&self) -> &CodeInFlight {
        &self.code_in_flight
    }

    /// Whether a command of the client's own that is not known there may end the connection.
    pub(crate) fn is_fragile(&self) -> bool {
        self.session.is_fragile()
    }

    /// Whether the server is known to be no node of a cluster.
    pub(crate) fn is_without_cluster(&self) -> bool {
        self.session.is_without_cluster()
    }

    /// Whether the server may be asked for its role now: one question at a time is enough.
    pub(crate) fn begin_to_ask_role(&self) -> bool {
        !self.session.is_role_asked.replace(true)
    }

    pub(crate) fn end_to_ask_role(&self) {
        self.session.is_role_asked.set(false);
    }

    /// SCRIPT LOAD was the next to be answered when a connection ended.
    pub(crate) fn distrust(&self) {
        self.session.distrust();
    }

    /// Sends SCRIPT LOAD, if there is a connection that allows it. Loading is no reason to wait for a connection.
    pub(crate) fn load(self: &Rc<Self>, wire: Bytes, hash: &str) {
        if self.is_up() && !self.is_fragile() && self.code_in_flight.begin_load(hash) {
            self.push(Job::Load(wire, hash.to_owned()));
        }
    }

    /// The number of the lane's present connection. What was said on one connection does not hold for another.
    pub(crate) fn connection(&self) -> u64 {
        self.session.number()
    }

    /// Whether this connection has loaded the script or function of that name.
    pub(crate) fn has_loaded(&self, name: &str) -> bool {
        self.session.has_loaded(name)
    }

    pub(crate) fn set_loaded(&self, name: &str, loaded: bool) {
        self.session.set_loaded(name, loaded);
    }

    /// A call has made the server forget all scripts.
    pub(crate) fn forget_loaded(&self) {
        self.session.forget_loaded();
        self.queues.borrow_mut().known_code.clear();
    }

    /// The server has the script of that hash.
    pub(crate) fn note_code(&self, hash: &str) {
        self.queues.borrow_mut().known_code.insert(CodeId::new(hash));
    }

    /// Whether the server may lack the code that a request runs.
    pub(crate) fn is_first_use(&self, request: &Request) -> bool {
        request.code().is_some_and(|code| self.queues.borrow_mut().known_code.is_first(code))
    }

    /// The server has the code that a request runs.
    pub(crate) fn note_use(&self, request: &Request) {
        if let Some(code) = request.code() {
            self.queues.borrow_mut().known_code.insert(code);
        }
    }

    /// The server lacks the code that a request runs: its next use counts as the first.
    pub(crate) fn forget_use(&self, request: &Request) {
        if let Some(code) = request.code() {
            self.queues.borrow_mut().known_code.remove(code);
        }
    }

    /// Whether the server is known to let this connection's user begin transactions.
    pub(crate) fn transacts(&self) -> bool {
        self.session.transacts()
    }

    pub(crate) fn set_transacts(&self, connection: u64) {
        self.session.set_transacts(connection);
    }
}
