//! Tasks whose panics are caught, and what wakes them.

pub(crate) mod guard;
pub(crate) mod mailbox;
pub(crate) mod room;
pub(crate) mod signal;
