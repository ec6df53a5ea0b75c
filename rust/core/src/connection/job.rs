//! What a lane does for others: a call, a step of several commands, a load.

use bytes::Bytes;
use tokio::time::Instant;

use crate::connection::io::Output;
use crate::connection::step::{Step, Steps};
use crate::model::call::Call;
use crate::model::request::asking;

/// Whether a command concerns the next one alone.
fn is_asking(wire: &[u8]) -> bool {
    wire == asking()
}

pub(crate) enum Job {
    Call(Call),
    Step(Step),
    /// SCRIPT LOAD of the script of that hash; nobody waits for the reply.
    Load(Bytes, String),
    /// Later jobs wait until it is known what is sent from this place.
    Place(Steps),
}

impl Job {
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Call(call) => call.request.wire().len(),
            Self::Step(step) => step.commands.iter().map(Bytes::len).sum(),
            Self::Load(wire, _) => wire.len(),
            // Each step in it is counted by itself.
            Self::Place(_) => 0,
        }
    }

    /// Puts its commands into the output.
    #[inline]
    pub(crate) fn write(&self, output: &mut Output) {
        match self {
            Self::Call(call) => output.push(call.request.wire()),
            Self::Step(step) => step.commands.iter().for_each(|wire| output.push(wire)),
            Self::Load(wire, _) => output.push(wire),
            Self::Place(_) => {}
        }
    }

    /// How many commands, and bytes, must be written after the socket has taken that many bytes.
    pub(crate) fn begun(&self, taken: u64) -> (usize, u64) {
        match self {
            _ if taken == 0 => (0, 0),
            Self::Step(step) if step.options.separable => {
                let (mut commands, mut bytes) = (0, 0);
                for wire in &step.commands {
                    if bytes >= taken && !is_asking(&step.commands[commands - 1]) {
                        break;
                    }
                    (commands, bytes) = (commands + 1, bytes + wire.len() as u64);
                }
                (commands, bytes)
            }
            _ => (self.replies(), self.bytes() as u64),
        }
    }

    /// How many replies there will be.
    pub(crate) fn replies(&self) -> usize {
        match self {
            Self::Step(step) => step.commands.len(),
            Self::Call(_) | Self::Load(..) => 1,
            Self::Place(_) => 0,
        }
    }

    /// Whether its reply may take any time.
    pub(crate) fn may_block(&self) -> bool {
        match self {
            Self::Step(step) => step.options.waits,
            // The calls share their connection.
            Self::Call(_) | Self::Load(..) | Self::Place(_) => false,
        }
    }
}

pub(crate) struct InFlight {
    /// `None`: nobody waits for it any more.
    pub(crate) job: Option<Job>,
    pub(crate) missing: usize,
    /// Where in the connection's output the job begins and ends.
    pub(crate) begins: u64,
    pub(crate) ends: u64,
    pub(crate) sent_at: Instant,
    /// The server may lack its code: later jobs wait for its answer, behind a place with this job's number.
    pub(crate) is_first_use: bool,
}

impl InFlight {
    /// Where in the connection's output the command begins and ends that is answered next.
    pub(crate) fn next_command(&self) -> (u64, u64) {
        let Some(Job::Step(step)) = &self.job else { return (self.begins, self.ends) };
        let (answered, rest) = step.commands.split_at(step.commands.len() - self.missing);
        let begins = self.begins + answered.iter().map(|wire| wire.len() as u64).sum::<u64>();
        (begins, begins + rest.first().map_or(0, |wire| wire.len() as u64))
    }
}
