//! How long it is worth to look for a reply before sleeping.

use std::time::Duration;

use glide_scripts_core::has_cores;

/// For one call, or for a batch of so many commands, which a server needs a few microseconds each for; `None`: not at all.
/// To sleep and be woken costs a core more than the whole round trip to a server nearby.
pub(crate) fn worthwhile(commands: usize) -> Option<Duration> {
    const LENGTH: Duration = Duration::from_micros(150);
    const EACH: Duration = Duration::from_micros(3);
    const MOST: usize = 150;
    let further = u32::try_from(commands.saturating_sub(1)).ok().filter(|_| commands <= MOST && has_cores())?;
    Some(LENGTH + EACH * further)
}
