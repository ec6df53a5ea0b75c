//! How much memory queues keep after a large burst.

/// In entries: the memory of one large burst is not kept for ever.
pub const ROOM_KEPT: usize = 4096;
