//! The servers' error texts.
//!
//! They were recorded; `tests/honest` compares them with those of real servers.

use super::versions::Version;
use super::wire::{Words, text};

pub(super) const NO_AUTH: &str = "NOAUTH Authentication required.";
/// Servers before Redis 7 word it in their own way, see `half_a_pair`.
pub(super) const MSET_HALF: &str = "ERR wrong number of arguments for 'mset' command";
pub(super) const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";
pub(super) const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";
pub(super) const OOM_FLAGGED: &str =
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
pub(super) const NO_REPLICAS: &str = "NOREPLICAS Not enough good replicas to write.";
pub(super) const READONLY: &str = "READONLY You can't write against a read only replica.";
pub(super) const READONLY_FLAGGED: &str = "READONLY Can not run script with write flag on readonly replica.";
pub(super) const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
pub(super) const NO_INTEGER: &str = "ERR value is not an integer or out of range";
pub(super) const SYNTAX: &str = "ERR syntax error";
pub(super) const CROSS_SLOT: &str = "CROSSSLOT Keys in request don't hash to the same slot";
pub(super) const TRY_AGAIN: &str = "TRYAGAIN Multiple keys request during rehashing of slot";
pub(super) const SLOT_NOT_SERVED: &str = "CLUSTERDOWN Hash slot not served";
pub(super) const CLUSTER_DOWN: &str = "CLUSTERDOWN The cluster is down";
pub(super) const NO_CLUSTER: &str = "ERR This instance has cluster support disabled";
pub(super) const NOT_BUSY: &str = "NOTBUSY No scripts in execution right now.";
pub(super) const FUNCTION_MISSING: &str = "ERR Function not found";
pub(super) const KEYS_NEGATIVE: &str = "ERR Number of keys can't be negative";
pub(super) const KEYS_TOO_MANY: &str = "ERR Number of keys can't be greater than number of args";
pub(super) const READ_ONLY_FORM: &str = "ERR Can not execute a script with write flag using *_ro command.";
pub(super) const TOO_MANY_CLIENTS: &str = "ERR max number of clients reached";
pub(super) const DISCARDED: &str = "EXECABORT Transaction discarded because of previous errors.";
pub(super) const WRITE_IN_READ_ONLY: &str = "ERR Write commands are not allowed from read-only scripts.";
pub(super) const UNKILLABLE: &str = "UNKILLABLE Sorry the script already executed write commands against the dataset. \
                                     You can either wait the script termination or kill the server in a hard way \
                                     using the SHUTDOWN NOSAVE command.";
pub(super) const MADE_REPLICA: &str =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

impl Version {
    /// What these servers call themselves in errors.
    fn brand(self) -> &'static str {
        if self.is_valkey() { "Valkey" } else { "Redis" }
    }

    pub(super) fn loading(self) -> String {
        format!("LOADING {} is loading the dataset in memory", self.brand())
    }

    pub(super) fn primary_down(self) -> String {
        let primary = if self.is_valkey() { "PRIMARY" } else { "MASTER" };
        format!("MASTERDOWN Link with {primary} is down and replica-serve-stale-data is set to 'no'.")
    }

    pub(super) fn primary_down_flagged(self) -> String {
        let primary = if self.is_valkey() { "PRIMARY" } else { "MASTER" };
        format!(
            "MASTERDOWN Link with {primary} is down and replica-serve-stale-data is set to 'no' and 'allow-stale' \
             flag is not set on the script."
        )
    }

    pub(super) fn cannot_persist(self) -> String {
        format!(
            "MISCONF {} is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands \
             that may modify the data set are disabled, because this instance is configured to report errors during \
             writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the {} logs for \
             details about the RDB error.",
            self.brand(),
            self.brand(),
        )
    }

    pub(super) fn missing_script(self) -> &'static str {
        if self.is_valkey() { "NOSCRIPT No matching script." } else { "NOSCRIPT No matching script. Please use EVAL." }
    }

    pub(super) fn busy(self, runs_function: bool) -> String {
        let kill = if runs_function { "FUNCTION" } else { "SCRIPT" };
        format!("BUSY {} is busy running a script. You can only call {kill} KILL or SHUTDOWN NOSAVE.", self.brand())
    }

    pub(super) fn unknown_command(self, words: &Words) -> String {
        let (open, close, between) = if self.has_functions() { ('\'', '\'', " ") } else { ('`', '`', ", ") };
        let mut args = String::new();
        for word in &words[1..] {
            if args.len() >= 128 {
                break;
            }
            let room = 128 - args.len();
            args.push(open);
            args.extend(text(word).chars().take(room));
            args.push(close);
            args.push_str(between);
        }
        let name: String = text(&words[0]).chars().take(128).collect();
        format!("ERR unknown command {open}{name}{close}, with args beginning with: {args}")
    }

    pub(super) fn unknown_subcommand(self, words: &Words) -> String {
        let container = text(&words[0]).to_ascii_uppercase();
        let subcommand: String = text(&words[1]).chars().take(128).collect();
        if self.has_functions() {
            format!("ERR unknown subcommand '{subcommand}'. Try {container} HELP.")
        } else {
            format!("ERR Unknown subcommand or wrong number of arguments for '{subcommand}'. Try {container} HELP.")
        }
    }

    pub(super) fn wrong_arity(self, name: &str, words: &Words) -> String {
        match name.split_once('|') {
            Some(_) if !self.has_functions() => self.unknown_subcommand(words),
            _ => format!("ERR wrong number of arguments for '{name}' command"),
        }
    }

    pub(super) fn not_in_transaction(self, name: &str) -> String {
        match self {
            Self::Valkey90 | Self::Valkey91 => format!("ERR Command '{name}' not allowed inside a transaction"),
            _ if name == "watch" => "ERR WATCH inside MULTI is not allowed".to_owned(),
            _ => "ERR MULTI calls can not be nested".to_owned(),
        }
    }

    pub(super) fn may_not_run(self, user: &str, name: &str) -> String {
        match self {
            Self::Redis62 => {
                let name = name.split('|').next().unwrap_or(name);
                format!("NOPERM this user has no permissions to run the '{name}' command or its subcommand")
            }
            Self::Redis70 => format!("NOPERM this user has no permissions to run the '{name}' command"),
            _ => format!("NOPERM User {user} has no permissions to run the '{name}' command"),
        }
    }

    pub(super) fn may_not_touch(self) -> &'static str {
        match self {
            Self::Redis62 | Self::Redis70 => {
                "NOPERM this user has no permissions to access one of the keys used as arguments"
            }
            _ => "NOPERM No permissions to access a key",
        }
    }

    pub(super) fn half_a_pair(self) -> &'static str {
        match self {
            Self::Redis62 => "ERR wrong number of arguments for MSET",
            _ => MSET_HALF,
        }
    }

    /// What `redis.call` says in a script, and whether it comes under a code.
    pub(super) fn unknown_in_script(self) -> &'static str {
        match self {
            Self::Valkey91 | Self::Valkey90 => "ERR Unknown command called from script",
            Self::Redis62 => "Unknown Redis command called from Lua script",
            _ => "ERR Unknown Redis command called from script",
        }
    }

    pub(super) fn arity_in_script(self) -> &'static str {
        match self {
            Self::Valkey91 | Self::Valkey90 => "ERR Wrong number of args calling command from script",
            Self::Redis62 => "Wrong number of args calling Redis command From Lua script",
            _ => "ERR Wrong number of args calling Redis command from script",
        }
    }

    pub(super) fn not_from_script(self) -> &'static str {
        match self {
            Self::Valkey91 | Self::Valkey90 => "ERR This Valkey command is not allowed from script",
            Self::Redis62 => "This Redis command is not allowed from scripts",
            _ => "ERR This Redis command is not allowed from script",
        }
    }

    pub(super) fn may_not_run_in_script(self, user: &str, name: &str) -> String {
        match self {
            Self::Redis62 => "The user executing the script can't run this command or subcommand".to_owned(),
            Self::Redis70 => "ERR The user executing the script can't run this command or subcommand".to_owned(),
            _ => format!("ERR ACL failure in script: User {user} has no permissions to run the '{name}' command"),
        }
    }

    pub(super) fn may_not_touch_in_script(self) -> &'static str {
        match self {
            Self::Redis62 => {
                "The user executing the script can't access at least one of the keys mentioned in the command arguments"
            }
            Self::Redis70 => {
                "ERR The user executing the script can't access at least one of the keys mentioned in the command \
                 arguments"
            }
            _ => "ERR ACL failure in script: No permissions to access a key",
        }
    }

    /// Rights that went between MULTI and EXEC.
    pub(super) fn may_not_run_in_exec(self, user: &str, name: &str) -> String {
        match self {
            Self::Redis62 | Self::Redis70 => "NOPERM ACLs rules changed between the moment the transaction was \
                                              accumulated and the EXEC call. This command is no longer allowed for \
                                              the following reason: no permission to execute the command or \
                                              subcommand"
                .to_owned(),
            _ => self.may_not_run(user, name),
        }
    }

    pub(super) fn cross_slot_in_script(self) -> &'static str {
        match self {
            Self::Valkey91 => "ERR Attempted to access keys that do not hash to the same slot",
            _ => "ERR Script attempted to access keys that do not hash to the same slot",
        }
    }

    pub(super) fn cluster_down_in_script(self) -> &'static str {
        match self {
            Self::Valkey91 => "ERR Attempted to execute a command while the cluster is down",
            _ => "ERR Script attempted to execute a command while the cluster is down",
        }
    }

    pub(super) fn elsewhere_in_script(self) -> &'static str {
        match self {
            Self::Redis62 => "Lua script attempted to access a non local key in a cluster node",
            Self::Valkey91 => "ERR Attempted to access a non local key in a cluster node",
            _ => "ERR Script attempted to access a non local key in a cluster node",
        }
    }
}
