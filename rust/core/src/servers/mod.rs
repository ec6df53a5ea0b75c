//! Which servers there are, and which of them has a slot.

pub(crate) mod directory;
pub(crate) mod discovery;
pub(crate) mod node;
pub(crate) mod topology;
pub(crate) mod watches;
