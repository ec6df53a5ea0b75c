//! A deterministic simulation of the client: the core as it is released, on tokio's paused clock, over a seeded network
//! that plays with every byte, against a model of servers. An oracle holds each call to what is promised.

mod ids;
mod network;
mod oracle;
mod outcome;
mod run;
pub mod servers;
mod work;
mod world;

pub use run::{Report, run};
