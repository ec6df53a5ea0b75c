//! Commands that wait for what others do.

use std::time::Duration;

/// How long a command waits for what others do before its server answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    For(Duration),
    Forever,
}

impl Wait {
    /// Both, one after the other.
    pub(crate) fn then(self, other: Self) -> Self {
        match (self, other) {
            (Self::For(one), Self::For(other)) => Self::For(one.saturating_add(other)),
            _ => Self::Forever,
        }
    }
}
