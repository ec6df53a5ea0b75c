//! A deterministic simulation of the client: the released core, on tokio's paused clock, over a seeded network that may
//! delay or lose any byte, against a model of servers. An oracle checks the promises for each call.

mod ids;
mod network;
mod oracle;
mod outcome;
mod panics;
mod reshaping;
mod run;
pub mod servers;
mod work;
mod world;

pub use run::{Report, run};
