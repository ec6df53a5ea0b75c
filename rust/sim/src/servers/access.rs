//! Users, their passwords and what they may do.

use std::collections::BTreeMap;

use super::commands::Command;
use super::wire::text;

/// All users of a server, by name.
#[derive(Clone, Debug)]
pub(super) struct Users(BTreeMap<String, User>);

#[derive(Clone, Debug, Default)]
struct User {
    is_on: bool,
    needs_no_password: bool,
    passwords: Vec<Vec<u8>>,
    /// What may and may not be run, in the order of the rules: the last that names a command counts.
    commands: Vec<(bool, Vec<u8>)>,
    /// Keys that it may touch: patterns of which only a last `*` is one.
    keys: Vec<Vec<u8>>,
}

impl Default for Users {
    fn default() -> Self {
        let mut users = Self(BTreeMap::new());
        for rule in ["on", "nopass", "+@all", "~*"] {
            users.set("default", rule.as_bytes());
        }
        users
    }
}

impl Users {
    /// The user of a new connection, if it needs no password.
    pub(super) fn without_password(&self) -> Option<String> {
        let user = self.0.get("default")?;
        (user.is_on && user.needs_no_password).then(|| "default".to_owned())
    }

    pub(super) fn log_in(&self, name: &[u8], password: &[u8]) -> Option<String> {
        let name = text(name);
        let user = self.0.get(&name)?;
        let fits = user.needs_no_password || user.passwords.iter().any(|known| known == password);
        (user.is_on && fits).then_some(name)
    }

    pub(super) fn may_run(&self, name: &str, command: &Command) -> bool {
        let rules = self.0.get(name).map_or(&[][..], |user| &user.commands);
        rules.iter().rev().find(|(_, rule)| command.is_named(rule)).is_some_and(|&(allows, _)| allows)
    }

    pub(super) fn may_touch(&self, name: &str, key: &[u8]) -> bool {
        let patterns = self.0.get(name).map_or(&[][..], |user| &user.keys);
        patterns.iter().any(|pattern| match pattern.strip_suffix(b"*") {
            Some(start) => key.starts_with(start),
            None => key == pattern,
        })
    }

    /// One rule of [ACL SETUSER](https://valkey.io/commands/acl-setuser/); `false` if the model does not know it.
    pub(super) fn set(&mut self, name: &str, rule: &[u8]) -> bool {
        let user = self.0.entry(name.to_owned()).or_default();
        match rule {
            b"on" => user.is_on = true,
            b"off" => user.is_on = false,
            b"nopass" => {
                user.needs_no_password = true;
                user.passwords.clear();
            }
            b"resetpass" => {
                user.needs_no_password = false;
                user.passwords.clear();
            }
            b"resetkeys" => user.keys.clear(),
            b"allkeys" => user.keys = vec![b"*".to_vec()],
            b"allcommands" => user.commands = vec![(true, b"@all".to_vec())],
            [b'>', password @ ..] => {
                user.needs_no_password = false;
                user.passwords.push(password.to_vec());
            }
            [b'<', password @ ..] => user.passwords.retain(|known| known != password),
            [b'~', pattern @ ..] => user.keys.push(pattern.to_vec()),
            // Channels and what one may do with keys are not modelled.
            [b'&', ..] => {}
            [sign @ (b'+' | b'-'), command @ ..] => user.commands.push((*sign == b'+', command.to_vec())),
            _ => return false,
        }
        true
    }
}
