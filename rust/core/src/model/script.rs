//! A Lua script: its code and its flags.

mod may_call;
mod once;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::model::known_code::CodeId;
use crate::wire::pack;

/// A script and its flags. Cheap to share: wrap it in an `Arc`.
pub struct Script {
    code: Bytes,
    hash: String,
    pub(crate) id: CodeId,
    options: Options,
    /// What the wire form of EVALSHA holds between the number of words and the number of keys.
    pub(crate) sha_head: Box<[u8]>,
    /// What is sent for a call with `once`.
    once: OnceLock<Arc<Script>>,
    /// The script that the caller knows, where this one has its code with probes in it.
    without_probes: Option<Arc<Script>>,
}

/// Properties of a script that its code does not show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Names the script in errors.
    pub name: Option<String>,
    /// The script writes nothing: it may run on a replica, and again after a lost connection.
    pub read_only: bool,
    /// Running it twice does what running it once does: it may run again after a lost connection.
    pub idempotent: bool,
    /// The id of its calls with `once`, unless a call says otherwise.
    pub once: Option<IdOfCalls>,
    /// How long the records of its calls are kept, unless a call says so.
    pub once_ttl: Option<Duration>,
    /// Where in the caller's program it was made.
    pub made_at: Option<MadeAt>,
}

/// A line of the caller's program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MadeAt {
    pub file: String,
    /// Counted from one.
    pub line: u32,
}

/// Under which id a call of a script takes effect at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdOfCalls {
    /// One that the client makes.
    Own,
    /// The key at that position, or the argument.
    Key(usize),
    Arg(usize),
}

impl Script {
    pub fn new(code: impl Into<Bytes>, options: Options) -> Self {
        let code = code.into();
        let hash = sha1_hex(&code);
        let command = if options.read_only { "EVALSHA_RO" } else { "EVALSHA" };
        let sha_head = format!("${}\r\n{command}\r\n$40\r\n{hash}\r\n", command.len()).into_bytes().into();
        let id = CodeId::new(&hash);
        Self { code, hash, id, options, sha_head, once: OnceLock::new(), without_probes: None }
    }

    /// The same script with probes in its code, for coverage and profiles. Errors are those of the script itself.
    pub fn with_probes(script: &Arc<Script>, code: impl Into<Bytes>) -> Self {
        Self { without_probes: Some(script.clone()), ..Self::new(code, script.options.clone()) }
    }

    /// The script as its caller knows it.
    pub(crate) fn without_probes(self: &Arc<Self>) -> &Arc<Script> {
        self.without_probes.as_ref().unwrap_or(self)
    }

    /// A server's words about the code with probes, changed to be about the script itself; `None`: they stay as they
    /// are.
    pub(crate) fn unprobed(&self, words: &str) -> Option<String> {
        let known = self.without_probes.as_ref()?;
        words.contains(&self.hash).then(|| words.replace(&self.hash, &known.hash))
    }

    pub fn code(&self) -> &Bytes {
        &self.code
    }

    /// The SHA1 of the code: 40 lower-case hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What is sent for a call with `once`.
    pub(crate) fn once_form(&self) -> &Arc<Script> {
        self.once.get_or_init(|| {
            let known = self.without_probes.as_deref().unwrap_or(self);
            let is_noted_first = known.may_publish() || may_call::may_call(&known.code, "select");
            let options = Options { name: self.options.name.clone(), ..Options::default() };
            Arc::new(Self::new(once::wrapped(&self.code, is_noted_first), options))
        })
    }

    /// A server's words about the text for `once`, changed to be about the script itself; `None`: they stay as they
    /// are.
    pub(crate) fn unwrapped(&self, words: &str) -> Option<String> {
        once::unwrapped(words, &self.code)
    }

    /// [SCRIPT LOAD](https://valkey.io/commands/script-load/) of it.
    pub(crate) fn load(&self) -> Bytes {
        pack::command(&[b"SCRIPT", b"LOAD", &self.code])
    }

    /// Whether running it again does no harm.
    pub fn is_repeatable(&self) -> bool {
        self.options.read_only || self.options.idempotent
    }

    /// The first line with its end, if it declares an engine and flags.
    pub(crate) fn shebang(&self) -> &[u8] {
        let first = self.code.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        if first.starts_with(b"#!") { first } else { &[] }
    }

    /// What the engine compiles.
    pub(crate) fn code_without_shebang(&self) -> &[u8] {
        &self.code[self.shebang().len()..]
    }

    /// Whether the first line declares flags, and `no-writes` is not among them. A server then checks whether it may
    /// write before it starts the script.
    pub(crate) fn declares_writes(&self) -> bool {
        self.code.starts_with(b"#!") && !declares_no_writes(&self.code)
    }

    /// Whether the first line declares that it may run while the server is out of memory.
    pub(crate) fn allows_oom(&self) -> bool {
        self.declares("allow-oom")
    }

    /// Whether the first line has a flag, whether or not servers know it.
    pub(crate) fn declares(&self, flag: &str) -> bool {
        declares(&self.code, flag)
    }

    /// Whether it may publish messages, which a replica allows before the script's first write. It is false only if the
    /// script names each command that it calls by a string literal.
    pub(crate) fn may_publish(&self) -> bool {
        may_call::may_call(&self.code, "publish")
    }

    /// Line `number` of the code, counted from one.
    pub fn line(&self, number: u32) -> Option<String> {
        line(&self.code, number)
    }
}

/// Line `number` of some code, counted from one.
pub(crate) fn line(code: &[u8], number: u32) -> Option<String> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    let line = code.split(|byte| *byte == b'\n').nth(index)?;
    Some(String::from_utf8_lossy(line).trim_end_matches('\r').to_owned())
}

/// The SHA1 of some code: 40 lower-case hexadecimal digits.
pub(crate) fn sha1_hex(code: &[u8]) -> String {
    Sha1::digest(code).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Whether the first line declares `no-writes`, as in `#!lua flags=no-writes`
/// ([script flags](https://valkey.io/topics/lua-api/#script_flags)).
pub fn declares_no_writes(code: &[u8]) -> bool {
    declares(code, "no-writes")
}

fn declares(code: &[u8], flag: &str) -> bool {
    let first = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(shebang) = first.strip_prefix(b"#!") else { return false };
    shebang
        .split(u8::is_ascii_whitespace)
        .filter_map(|word| word.strip_prefix(b"flags="))
        .any(|flags| flags.split(|byte| *byte == b',').any(|declared| declared == flag.as_bytes()))
}

/// The same code with the same flags; neither a name nor where it was made changes what a script does.
impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        let kind = |script: &Self| Options { name: None, made_at: None, ..script.options.clone() };
        self.code == other.code && kind(self) == kind(other)
    }
}

impl Eq for Script {}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("hash", &self.hash).field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_sha1_of_the_code() {
        let script = Script::new("return 1", Options::default());
        assert_eq!(script.hash(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }

    #[test]
    fn a_script_with_probes_is_known_by_the_one_without() {
        let known = Arc::new(Script::new("return 1", Options::default()));
        let sent = Arc::new(Script::with_probes(&known, "_probe[1]=1;return 1"));
        assert_eq!(sent.without_probes().hash(), known.hash());
        assert_eq!(known.without_probes().hash(), known.hash());
        let words = format!("ERR boom script: {}, on @user_script:1.", sent.hash());
        assert_eq!(sent.unprobed(&words), Some(words.replace(sent.hash(), known.hash())));
        assert_eq!(known.unprobed(&words), None);
    }

    #[test]
    fn a_shebang_declares_that_a_script_does_not_write() {
        assert!(declares_no_writes(b"#!lua flags=no-writes\nreturn 1"));
        assert!(declares_no_writes(b"#!lua name=x flags=allow-oom,no-writes\r\nreturn 1"));
        assert!(!declares_no_writes(b"#!lua flags=no-writes-at-all\nreturn 1"));
        assert!(!declares_no_writes(b"#!lua\nreturn 1 -- flags=no-writes"));
        assert!(!declares_no_writes(b"-- #!lua flags=no-writes"));
        assert!(!declares_no_writes(b""));
    }

    #[test]
    fn lines_are_counted_from_one() {
        let script = Script::new("first\r\nsecond\nthird", Options::default());
        assert_eq!(script.line(0), None);
        assert_eq!(script.line(1).as_deref(), Some("first"));
        assert_eq!(script.line(3).as_deref(), Some("third"));
        assert_eq!(script.line(4), None);
    }
}
