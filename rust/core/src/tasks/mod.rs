//! Tasks whose panics are caught, and what wakes them and keeps them awake.

pub(crate) mod guard;
pub(crate) mod mailbox;
pub(crate) mod room;
pub(crate) mod signal;
pub(crate) mod tries;
