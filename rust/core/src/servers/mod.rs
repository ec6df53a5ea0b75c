//! Which servers there are, and which of them has a slot.

pub(crate) mod abilities;
pub(crate) mod directory;
pub(crate) mod discovery;
pub(crate) mod learning;
pub(crate) mod node;
pub(crate) mod refresh;
pub(crate) mod refusals;
mod roles;
pub(crate) mod sentinel;
pub(crate) mod sentinels;
mod shard_view;
mod slots;
pub(crate) mod supervision;
pub(crate) mod teaching;
pub(crate) mod topology;
mod visit;
pub(crate) mod watches;
