//! What the client does without being asked.

pub(crate) mod heartbeat;
pub(crate) mod sentinel_news;
