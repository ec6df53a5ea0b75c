//! The servers that the model can be.

/// A server and its version, as far as its wordings and abilities differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Redis62,
    Redis70,
    Redis82,
    Valkey90,
    Valkey91,
}

impl Version {
    pub const ALL: [Self; 5] = [Self::Redis62, Self::Redis70, Self::Redis82, Self::Valkey90, Self::Valkey91];

    /// What HELLO and INFO say.
    pub fn number(self) -> &'static str {
        match self {
            Self::Redis62 => "6.2.14",
            Self::Redis70 => "7.0.15",
            Self::Redis82 => "8.2.3",
            Self::Valkey90 => "9.0.0",
            Self::Valkey91 => "9.1.2",
        }
    }

    /// The version that a server of that name and number is modelled by.
    pub fn of(product: &str, number: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.product() == product && version.number() == number)
    }

    pub fn product(self) -> &'static str {
        if self.is_valkey() { "valkey" } else { "redis" }
    }

    pub fn is_valkey(self) -> bool {
        matches!(self, Self::Valkey90 | Self::Valkey91)
    }

    /// Functions, read-only forms, flags after `#!`, ACL of subcommands, sharded Pub/Sub: all came with Redis 7.
    pub fn has_functions(self) -> bool {
        self >= Self::Redis70
    }

    /// `CLIENT SETINFO` came with Redis 7.2.
    pub fn has_setinfo(self) -> bool {
        self >= Self::Redis82
    }

    /// If they are out of memory, older servers queue no commands, and newer ones queue those that take no memory.
    pub(super) fn queues_nothing_without_memory(self) -> bool {
        self <= Self::Redis70
    }

    /// Scripts that came by EVAL are forgotten past 500 of them, since Redis 7.4.
    pub fn forgets_evaluated_scripts(self) -> bool {
        self >= Self::Redis82
    }
}
