//! What the client does without being asked.

pub(crate) mod heartbeat;
