//! The records of calls with `once`: what the core's wrapper around a script (`once.lua`) does on a server.

use super::commands::{self, Lookup};
use super::connection::Connection;
use super::data::Value;
use super::deployment::Deployment;
use super::events::Event;
use super::execution::{Execution, Record};
use super::ids::NodeId;
use super::wire::{Reply, integer, text};

impl Record {
    /// What each record of the call begins with. A record with nothing more has no reply.
    fn head(&self) -> Vec<u8> {
        [b"1", &self.digest[..]].concat()
    }

    fn answer(&self, word: &str, rest: Option<Reply>) -> Reply {
        Reply::Array([Reply::Bulk(self.digest.clone()), Reply::bulk(word)].into_iter().chain(rest).collect())
    }

    /// The call is answered from the record.
    fn read(&self, kept: &[u8]) -> Reply {
        let head = self.head();
        match kept.strip_prefix(&head[..]) {
            None => self.answer("conflict", None),
            Some([]) => self.answer("unknown", None),
            // The protocol that the script had chosen: none of the model's does.
            Some([_, reply @ ..]) => self.answer("reply", Some(decode(&mut &*reply))),
        }
    }
}

impl Deployment {
    /// The wrapper's answer without a run of the script; `None`: the script runs.
    pub(super) fn answer_from_record(&mut self, c: &mut Connection, execution: &mut Execution) -> Option<Reply> {
        let mut record = execution.record.clone()?;
        match self.call(c, execution, &vec![b"GET".to_vec(), record.key.clone()]) {
            Reply::Error(error) => return Some(self.refuse_record(c, execution, &record, &error)),
            Reply::Bulk(kept) => return Some(record.read(&kept)),
            _ => {}
        }
        record.is_noted_first |= !self.options.version.has_functions() || !self.may_keep(c, &record);
        execution.record = Some(record.clone());
        if record.is_noted_first
            && let Reply::Error(error) = self.keep(c, execution, &record, record.head())
        {
            return Some(self.refuse_record(c, execution, &record, &error));
        }
        None
    }

    /// Keeps a script's reply, and says what the call is answered.
    pub(super) fn keep_reply(
        &mut self,
        c: &mut Connection,
        execution: &mut Execution,
        reply: Reply,
        is_done: bool,
    ) -> Reply {
        let Some(record) = execution.record.clone() else { return reply };
        let mut kept = record.head();
        kept.push(b'2');
        encode(&reply, &mut kept);
        match self.keep(c, execution, &record, kept) {
            // The script may have been stopped by what refuses the record, too.
            Reply::Error(error)
                if !record.is_noted_first
                    && (is_done || matches!(&reply, Reply::Error(words) if words.starts_with(&error))) =>
            {
                self.refuse_record(c, execution, &record, &error)
            }
            _ => reply,
        }
    }

    /// `redis.acl_check_cmd` of what keeps the record.
    fn may_keep(&self, c: &Connection, record: &Record) -> bool {
        let users = &self.nodes[c.node].users;
        let user = c.user.as_deref().unwrap_or("default");
        let words = vec![b"SET".to_vec(), record.key.clone(), record.head()];
        let Lookup::Known(command) = commands::look_up(self.options.version, &words) else { return false };
        users.may_run(user, command) && users.may_touch(user, &record.key)
    }

    fn keep(&mut self, c: &mut Connection, execution: &mut Execution, record: &Record, kept: Vec<u8>) -> Reply {
        let words = vec![b"SET".to_vec(), record.key.clone(), kept, b"PX".to_vec(), record.ttl.clone()];
        self.call(c, execution, &words)
    }

    fn refuse_record(&mut self, c: &Connection, execution: &Execution, record: &Record, error: &[u8]) -> Reply {
        let (at, node, connection) = (self.now, c.node, c.id);
        self.events.push(Event::Refused { at, node, connection, commands: vec![execution.args.clone()] });
        record.answer("refused", Some(Reply::error(without_place(&text(error)))))
    }

    /// The record of some call loses its reply, as if the script's end had not been recorded. `false`: the node has no
    /// record.
    pub fn forget_reply(&mut self, node: NodeId, which: usize) -> bool {
        /// With the digest after it.
        const HEAD: usize = 21;
        let is_record = |key: &&Vec<u8>| key.starts_with(b"once:");
        let records: Vec<_> = self.nodes[node].data.keys(0).filter(is_record).cloned().collect();
        let Some(key) = records.get(which % records.len().max(1)).cloned() else { return false };
        let Some(Value::Text(kept)) = self.nodes[node].data.value(0, &key) else { return false };
        let words = vec![b"SET".to_vec(), key.clone(), kept[..HEAD].to_vec()];
        self.write(node, words);
        self.commit(node);
        self.events.push(Event::Forgotten { at: self.now, node, key });
        true
    }
}

/// Before Redis 7 the command's place precedes the server's words.
fn without_place(error: &str) -> String {
    let words = || {
        let (line, words) = error.strip_prefix("@user_script: ")?.split_once(": ")?;
        line.parse::<usize>().ok()?;
        Some(words.strip_prefix('-').unwrap_or(words))
    };
    words().unwrap_or(error).to_owned()
}

fn encode(reply: &Reply, kept: &mut Vec<u8>) {
    let mut text = |kind: char, text: &[u8]| {
        kept.extend(format!("{kind}{}\n", text.len()).bytes());
        kept.extend(text);
    };
    match reply {
        Reply::Bulk(bytes) => text('$', bytes),
        Reply::Error(error) => text('-', error),
        Reply::Simple(status) => text('+', status),
        Reply::Int(number) => kept.extend(format!(":{number}\n").bytes()),
        Reply::Array(elements) => {
            kept.extend(format!("*{}\n", elements.len()).bytes());
            elements.iter().for_each(|element| encode(element, kept));
        }
        // Lua sees nil as `false`.
        _ => kept.extend(b"F0\n"),
    }
}

fn decode(kept: &mut &[u8]) -> Reply {
    let line = kept.iter().position(|&byte| byte == b'\n').expect("a record is whole");
    let (kind, number) = (kept[0], integer(&kept[1..line]).expect("a record has numbers"));
    *kept = &kept[line + 1..];
    let length = usize::try_from(number).unwrap_or(0);
    let mut text = || {
        let (text, rest) = kept.split_at(length);
        *kept = rest;
        text.to_vec()
    };
    match kind {
        b'$' => Reply::Bulk(text()),
        b'-' => Reply::Error(text()),
        b'+' => Reply::Simple(text()),
        b':' => Reply::Int(number),
        b'*' => Reply::Array((0..length).map(|_| decode(kept)).collect()),
        _ => Reply::Nil,
    }
}
