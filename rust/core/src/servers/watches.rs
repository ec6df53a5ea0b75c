//! The connections on which keys are watched, by the names that their users gave them.

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Mutex;

use crate::connection::lane::Lane;
use crate::model::cause::CrossSlot;
use crate::model::error::Error;
use crate::model::route::Slot;
use crate::servers::node::Lease;

#[derive(Default)]
pub(crate) struct Watches(RefCell<HashMap<u64, Watch>>);

impl Watches {
    /// The watch of that name; it is made if there is none.
    pub(crate) fn entry(&self, name: u64) -> RefMut<'_, Watch> {
        RefMut::map(self.0.borrow_mut(), |watches| watches.entry(name).or_default())
    }

    /// The lock that WATCH and UNWATCH of that name share.
    pub(crate) fn turn(&self, name: u64) -> Option<Rc<Mutex<()>>> {
        self.0.borrow().get(&name).map(|watch| watch.turn.clone())
    }

    /// The slot of the keys that are watched.
    pub(crate) fn slot(&self, name: u64) -> Option<Slot> {
        self.0.borrow().get(&name)?.watching?.slot
    }

    /// Keys are watched on that connection, if the watch has not been released.
    pub(crate) fn set_watching(&self, name: u64, on: WatchedOn) {
        if let Some(watch) = self.0.borrow_mut().get_mut(&name) {
            watch.watching = Some(on);
        }
    }

    /// Ends a watch. The caller of this is the last owner, and gives the connection back.
    pub(crate) fn end(&self, name: u64) -> Option<Watched> {
        let mut watches = self.0.borrow_mut();
        let watch = watches.get_mut(&name)?;
        let on = watch.watching.take()?;
        let lease = watch.lease.take()?;
        Some(Watched { lease, on })
    }

    /// Its user is gone.
    pub(crate) fn release(&self, name: u64) {
        let gone = self.0.borrow_mut().remove(&name);
        // The next one to use the connection for a watch begins with an empty transaction, which ends this one.
        drop(gone);
    }

    /// The client is closed.
    pub(crate) fn clear(&self) {
        self.0.take();
    }
}

/// A connection that one user of a client has to itself.
#[derive(Default)]
pub(crate) struct Watch {
    /// `None`: not before the first keys are watched.
    pub(crate) lease: Option<Lease>,
    /// `None`: no keys are watched.
    pub(crate) watching: Option<WatchedOn>,
    /// One WATCH after another: each must know what those before it watch.
    pub(crate) turn: Rc<Mutex<()>>,
}

/// Where keys are watched.
#[derive(Clone, Copy)]
pub(crate) struct WatchedOn {
    pub(crate) connection: u64,
    pub(crate) slot: Option<Slot>,
    /// The server imports the slot, and takes commands for it only after ASKING.
    pub(crate) asking: bool,
}

/// A watch that a transaction ends.
pub(crate) struct Watched {
    lease: Lease,
    on: WatchedOn,
}

impl Watched {
    pub(crate) fn lane(&self) -> &Rc<Lane> {
        self.lease.lane()
    }

    pub(crate) fn connection(&self) -> u64 {
        self.on.connection
    }

    pub(crate) fn asking(&self) -> bool {
        self.on.asking
    }

    /// A watch does not reach a transaction elsewhere.
    pub(crate) fn fits(&self, slot: Option<Slot>) -> Result<(), Box<Error>> {
        reaches(self.on.slot, slot)
    }
}

/// An error if keys in one slot are watched, and what comes next is in another.
pub(crate) fn reaches(watched: Option<Slot>, keys: Option<Slot>) -> Result<(), Box<Error>> {
    match (watched, keys) {
        (Some(watched), Some(keys)) if watched != keys => {
            Err(Box::new(Error::cross_slot(CrossSlot::Watch { watched, keys })))
        }
        _ => Ok(()),
    }
}
