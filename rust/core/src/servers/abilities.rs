//! What the servers have turned out not to support, and the user not to be allowed to do.

use std::cell::{Cell, RefCell};

use crate::wire::resp::ServerError;

#[derive(Default)]
pub(crate) struct Abilities {
    /// A server was met that knows no `EVALSHA_RO`.
    pub(crate) lacks_read_only_forms: Cell<bool>,
    /// The user was refused SCRIPT LOAD.
    pub(crate) cannot_load: Cell<bool>,
    /// The user was refused EVAL.
    pub(crate) cannot_eval: Cell<bool>,
    /// The user was refused EVALSHA, and not EVAL.
    pub(crate) cannot_evalsha: Cell<bool>,
    /// How the user was refused FUNCTION LOAD.
    pub(crate) refused_library: RefCell<Option<ServerError>>,
    /// A connection ended over ROLE, and not over INFO.
    pub(crate) cannot_ask_role: Cell<bool>,
    /// A connection ended over CLUSTER SLOTS, and not over CLUSTER SHARDS.
    pub(crate) cannot_ask_slots: Cell<bool>,
}

impl Abilities {
    pub(crate) fn cannot_eval(&self) {
        self.cannot_eval.set(true);
        self.cannot_evalsha.set(false);
    }

    /// A server lacked a script that the user was not allowed to send. The user may be allowed to by now.
    pub(crate) fn lacked_script(&self) {
        if self.cannot_eval.get() && self.cannot_load.get() {
            self.cannot_eval.set(false);
            self.cannot_load.set(false);
        }
    }
}
