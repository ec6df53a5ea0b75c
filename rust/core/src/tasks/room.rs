//! How much room queues keep after a great burst.

/// So many entries: the room of one great burst is not kept for ever.
pub const ROOM_KEPT: usize = 4096;
