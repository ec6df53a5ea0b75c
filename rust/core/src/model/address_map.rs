//! Where to connect to servers that name each other by addresses which this machine cannot reach: behind NAT, or
//! through forwarded ports.

use std::collections::HashMap;
use std::fmt;

use crate::model::address::Address;
use crate::model::question::{CallbackError, Question, Questioner, ask};

/// From a server's own address to the one to connect to.
pub enum AddressMap {
    /// An address that is not in it is used as it is.
    Table(HashMap<Address, Address>),
    /// The user's callback knows the address.
    Asked(Questioner),
}

impl AddressMap {
    /// Whether the core can look an address up by itself.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self, Self::Table(_))
    }

    /// Where to connect, or why this is not known.
    pub(crate) async fn target(&self, address: &Address) -> Result<Address, CallbackError> {
        match (self, address) {
            (Self::Table(table), _) => Ok(table.get(address).unwrap_or(address).clone()),
            // A Unix socket is on this machine.
            (Self::Asked(_), Address::Unix(_)) => Ok(address.clone()),
            (Self::Asked(questioner), Address::Tcp { host, port }) => {
                ask(questioner, "address_map", |answer| Question::Address(host.clone(), *port, answer)).await
            }
        }
    }
}

impl fmt::Debug for AddressMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => f.debug_tuple("Table").field(table).finish(),
            Self::Asked(_) => f.debug_tuple("Asked").finish_non_exhaustive(),
        }
    }
}
