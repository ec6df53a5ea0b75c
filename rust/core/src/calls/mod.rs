//! How a call of each kind is sent, repeated and ended.

pub(crate) mod attempt;
pub(crate) mod batch;
mod batch_progress;
pub(crate) mod dispatch;
pub(crate) mod fanout;
pub(crate) mod overdue;
mod pauses;
pub(crate) mod pipeline;
mod progress;
mod proving;
mod role;
pub(crate) mod single;
mod time_limit;
pub(crate) mod transaction;
pub(crate) mod waiting;
pub(crate) mod watch;
