//! How long to look for a reply before sleeping.

use std::time::Duration;

use glide_scripts_core::has_cores;

/// For one call, or for a batch of that many commands; `None`: not at all. Sleeping and waking up costs more CPU than
/// the whole round trip to a nearby server. It is long enough to find a reply while the I/O thread still has to be
/// woken: after that, both threads stay awake.
pub(crate) fn time_to_look(commands: usize) -> Option<Duration> {
    const CALL: Duration = Duration::from_micros(150);
    const BATCH: Duration = Duration::from_micros(250);
    const EACH: Duration = Duration::from_micros(5);
    /// A larger one takes the server so long that a look costs more than it saves.
    const MOST: usize = 32;
    let count = u32::try_from(commands).ok().filter(|_| commands <= MOST && has_cores())?;
    Some(if count > 1 { BATCH + EACH * count } else { CALL })
}
