//! Numbers that name things.

/// Nodes are numbered from 0: primaries first, then the replicas of the first of them, and so on.
pub type NodeId = usize;
pub type ConnectionId = u64;
