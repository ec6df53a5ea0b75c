//! The state of learning the topology.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::model::topology_error::TopologyError;
use crate::tasks::signal::Signal;

pub(crate) struct Learning {
    /// Single slots that were found to have moved since the topology was learned.
    pub(super) moved: Cell<usize>,
    /// Why the topology could not be learned, the last time.
    pub(super) failure: RefCell<Option<Arc<TopologyError>>>,
    /// Counts the topologies that were learned.
    pub(super) learned: Signal<u64>,
    pub(super) refresh: Cell<Refresh>,
}

impl Default for Learning {
    fn default() -> Self {
        Self { moved: Cell::default(), failure: RefCell::default(), learned: Signal::new(0), refresh: Cell::default() }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Refresh {
    #[default]
    Idle,
    Running,
    /// Another refresh was asked for while one was running.
    RunningTwice,
}
