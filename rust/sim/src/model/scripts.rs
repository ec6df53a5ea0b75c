//! The scripts that the simulation runs: real Lua, of which the model knows what each does by the name in its text.
//! The first argument of each is the id of its call.

/// What a script does, in the words that stand in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Writes its id, and answers with it.
    Count,
    /// The same, of a script that declares its flags.
    Flagged,
    /// Writes its id, and answers with the error whose words are its second argument.
    Words,
    /// Reads.
    Read,
    /// Publishes by the command that its second argument names, then writes.
    Publish,
    /// Publishes, and relays what a write answers.
    Relay,
    /// Takes as many milliseconds as its second argument says.
    Slow,
}

pub const ALL: [Kind; 7] =
    [Kind::Count, Kind::Flagged, Kind::Words, Kind::Read, Kind::Publish, Kind::Relay, Kind::Slow];

/// Stands before each id, so that ids are found in what goes over the wire.
pub const ID: &str = "id:";

pub fn id_of(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.strip_prefix(ID)?.parse().ok()
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "sim:count",
            Self::Flagged => "sim:flagged",
            Self::Words => "sim:words",
            Self::Read => "sim:read",
            Self::Publish => "sim:publish",
            Self::Relay => "sim:relay",
            Self::Slow => "sim:slow",
        }
    }

    /// The code. Different variants are different scripts that do the same.
    pub fn code(self, variant: u32) -> String {
        let name = self.name();
        let body = match self {
            Self::Count => "redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]",
            Self::Flagged => {
                return format!("#!lua\n-- {name} {variant}\nredis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]");
            }
            Self::Words => "redis.call('SET', KEYS[1], ARGV[1]) return redis.error_reply(ARGV[2])",
            Self::Read => "return redis.call('GET', KEYS[1])",
            Self::Publish => {
                "redis.call(ARGV[2], 'channel', ARGV[1]) redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]"
            }
            Self::Relay => "redis.call('PUBLISH', 'channel', ARGV[1]) return redis.pcall('SET', KEYS[1], ARGV[1])",
            Self::Slow => "for i = 1, 100000 * ARGV[2] do end return ARGV[1]",
        };
        format!("-- {name} {variant}\n{body}")
    }

    pub(super) fn of_code(code: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(code).ok()?;
        ALL.into_iter().find(|kind| text.contains(&format!("-- {} ", kind.name())))
    }

    pub fn writes(self) -> bool {
        !matches!(self, Self::Read | Self::Slow)
    }
}

/// A library with one function, `sim_count`, that does what [`Kind::Count`] does.
pub const LIBRARY: &str = "#!lua name=sim\nredis.register_function('sim_count', function(keys, args) \
                           redis.call('SET', keys[1], args[1]) return args[1] end)";
pub const FUNCTION: &str = "sim_count";
