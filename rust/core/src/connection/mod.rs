//! One connection: how it is made, written to and read from.

pub(crate) mod code_in_flight;
pub(crate) mod connect;
pub(crate) mod counters;
mod greeting;
mod idle_check;
pub(crate) mod io;
pub(crate) mod job;
pub(crate) mod lane;
pub(crate) mod liveness;
pub(crate) mod numbered_queue;
pub(crate) mod ping;
pub(crate) mod pump;
pub(crate) mod queues;
pub(crate) mod session;
pub(crate) mod step;
mod stranger;
pub(crate) mod transport;
pub(crate) mod waiting;
