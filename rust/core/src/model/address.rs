//! Where a server listens.

use std::fmt;
use std::sync::Arc;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    Tcp {
        host: Arc<str>,
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(Arc<str>),
}

impl Address {
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self::Tcp { host: host.into(), port }
    }

    pub fn unix(path: impl Into<Arc<str>>) -> Self {
        Self::Unix(path.into())
    }

    /// Another port of the machine that this server is on.
    pub(crate) fn beside(&self, port: u16) -> Self {
        match self {
            Self::Tcp { host, .. } => Self::new(host.clone(), port),
            Self::Unix(_) => Self::new("127.0.0.1", port),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}
