//! What one connection of a lane has loaded and may do. The next connection starts without it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use bytes::Bytes;

use crate::connection::connect::Connection;

#[derive(Default)]
pub(crate) struct Session {
    /// Counts the connections.
    number: Cell<u64>,
    /// What was loaded over this connection: scripts by their hashes, and function libraries.
    loaded: RefCell<HashSet<String>>,
    /// The connection on which the server is known to allow transactions.
    transacts_on: Cell<u64>,
    /// Whether what is at the other end ends connections over commands that it does not know.
    is_fragile: Cell<bool>,
    /// Whether an earlier connection ended over such a command.
    is_distrusted: Cell<bool>,
    is_without_cluster: Cell<bool>,
    /// A question about the server's role is in flight.
    pub(super) is_role_asked: Cell<bool>,
    /// The command by which another connection ends this one, once the server has said how.
    kill: RefCell<Option<Bytes>>,
}

impl Session {
    /// There is a new connection.
    pub(super) fn begin(&self, connection: &Connection) {
        self.is_fragile.set(connection.is_fragile);
        self.is_without_cluster.set(connection.is_without_cluster);
        self.number.update(|number| number + 1);
        self.loaded.borrow_mut().clear();
        self.kill.take();
        self.is_role_asked.set(false);
    }

    pub(super) fn is_fragile(&self) -> bool {
        self.is_fragile.get() || self.is_distrusted.get()
    }

    /// Whether the server has said that it is no node of a cluster.
    pub(super) fn is_without_cluster(&self) -> bool {
        self.is_without_cluster.get()
    }

    /// When the connection ended, the next reply would have been to one of the client's own commands.
    pub(super) fn distrust(&self) {
        self.is_distrusted.set(true);
    }

    pub(super) fn number(&self) -> u64 {
        self.number.get()
    }

    pub(super) fn has_loaded(&self, name: &str) -> bool {
        self.loaded.borrow().contains(name)
    }

    pub(super) fn set_loaded(&self, name: &str, loaded: bool) {
        let mut all = self.loaded.borrow_mut();
        if loaded {
            all.insert(name.to_owned());
        } else {
            all.remove(name);
        }
    }

    pub(super) fn forget_loaded(&self) {
        self.loaded.borrow_mut().clear();
    }

    /// Whether the server is known to let this connection's user begin transactions.
    pub(super) fn transacts(&self) -> bool {
        self.transacts_on.get() == self.number.get()
    }

    pub(super) fn set_transacts(&self, connection: u64) {
        self.transacts_on.set(connection);
    }

    pub(super) fn kill_command(&self) -> Option<Bytes> {
        self.kill.borrow().clone()
    }

    pub(super) fn set_kill_command(&self, kill: Option<Bytes>) {
        self.kill.replace(kill);
    }
}
