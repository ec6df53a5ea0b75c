//! The words of a request, and what they show about it.

use super::{About, Request};
use crate::model::route::Slot;

impl Request {
    /// Whether it has no effect that anyone could notice on the server: it stores code, or looks for it.
    pub(crate) fn runs_nothing(&self) -> bool {
        self.is_command("SCRIPT", "LOAD") || self.is_command("SCRIPT", "EXISTS")
    }

    /// Whether it stores code. After an error, nothing is stored.
    pub(crate) fn stores_code(&self) -> bool {
        self.is_command("SCRIPT", "LOAD") || self.is_command("FUNCTION", "LOAD")
    }

    /// Whether it is that command and no script's call. It may name a script, for errors.
    fn is_command(&self, name: &str, subcommand: &str) -> bool {
        matches!(self.about, About::Command | About::Code { .. })
            && self.words > 1
            && self.word(0).eq_ignore_ascii_case(name)
            && self.word(1).eq_ignore_ascii_case(subcommand)
    }

    /// The command's name, in capital letters.
    pub(crate) fn command_name(&self) -> String {
        self.word(0).to_ascii_uppercase()
    }

    /// The number of keys of a command that runs Lua, from its third word.
    fn count_of_keys(&self) -> Option<usize> {
        std::str::from_utf8(self.words().nth(2)?).ok()?.parse().ok()
    }

    /// How many words, from the third on, there are up to the last key of a command that runs Lua: all of them, if its
    /// number of keys cannot be right.
    pub(crate) fn words_to_last_key(&self) -> usize {
        self.count_of_keys().filter(|_| self.counts_its_keys()).map_or(self.words, |count| 1 + count)
    }

    /// Whether a command that runs Lua has as many keys as its third word says.
    pub(crate) fn counts_its_keys(&self) -> bool {
        self.count_of_keys().is_some_and(|count| count <= self.words - 3)
    }

    /// The slots of the keys of a command that runs Lua.
    fn slots_of_script(&self) -> impl Iterator<Item = Slot> {
        self.words().skip(3).take(self.count_of_keys().unwrap_or_default()).map(Slot::of_key)
    }

    /// The slot of the first key of a command that runs Lua.
    pub(crate) fn slot_of_script(&self) -> Option<Slot> {
        self.slots_of_script().next()
    }

    /// Whether the keys of a command that runs Lua are in several slots.
    pub(crate) fn spans_slots(&self) -> bool {
        let first = self.slot_of_script();
        self.slots_of_script().any(|slot| Some(slot) != first)
    }

    /// The second word, where it names a subcommand.
    pub(crate) fn subcommand(&self) -> Option<String> {
        let has_one = self.words > 1 && CONTAINERS.contains(&self.command_name().as_str());
        has_one.then(|| self.word(1).to_ascii_uppercase())
    }

    /// Whether it makes servers forget their scripts.
    pub(crate) fn flushes_scripts(&self) -> bool {
        matches!(self.about, About::Command)
            && (2..=3).contains(&self.words)
            && self.word(0).eq_ignore_ascii_case("SCRIPT")
            && self.word(1).eq_ignore_ascii_case("FLUSH")
    }

    /// Whether it brings code that the server keeps for a while.
    pub(crate) fn is_eval(&self) -> bool {
        !self.has_forms() && matches!(self.word(0).to_ascii_uppercase().as_str(), "EVAL" | "EVAL_RO")
    }

    /// The name of the function that it calls.
    pub(crate) fn function_name(&self) -> String {
        self.word(1)
    }

    /// Whether it is FCALL or its read-only form.
    pub(crate) fn calls_function(&self) -> bool {
        self.library().is_some() || self.word(0).to_ascii_uppercase().starts_with("FCALL")
    }

    /// The command's name, with its subcommand or the script's name where it has one, for people to read.
    pub fn name(&self) -> String {
        let mut name = self.command_name();
        if let Some(subcommand) = self.subcommand() {
            name = format!("{name} {subcommand}");
        } else if let Some(script) = self.script().and_then(|script| script.options().name.as_ref()) {
            name = format!("{name} {script}");
        }
        name
    }

    /// One of the first words. They hold no secret if they are names.
    pub(super) fn word(&self, index: usize) -> String {
        String::from_utf8_lossy(self.words().nth(index).unwrap_or_default()).into_owned()
    }

    /// The command's name and its arguments.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        let words = line(&self.wire).map_or(&self.wire[..0], |(_, words)| words);
        words_of(words)
    }
}

/// The words of a packed command, without the line that counts them.
pub(super) fn words_of(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = line(rest)?;
        let length = length.iter().fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        let word = &after[..length];
        rest = &after[length + 2..];
        Some(word)
    })
}

/// What a packed command's line says, and what follows it.
fn line(wire: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', wire)?;
    Some((&wire[1..end - 1], &wire[end + 1..]))
}

/// Commands whose second word names what they do.
pub const CONTAINERS: [&str; 11] =
    ["ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MODULE", "PUBSUB", "SCRIPT", "SLOWLOG"];
