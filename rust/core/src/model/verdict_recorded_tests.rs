//! The verdicts on all recorded answers of five servers, compared with what each script did: `tests/wordings`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::model::request::Packer;
use crate::model::script::{Options, Script};

/// What a server said once, and what it was asked.
struct Row {
    server: String,
    situation: String,
    form: String,
    line: String,
    ran: String,
    sent: Vec<String>,
}

fn rows() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wordings");
    let files = fs::read_dir(folder).expect("the recorded wordings").map(|file| file.expect("a file").path());
    files.flat_map(|file| of_text(&fs::read_to_string(file).expect("a text"))).collect()
}

fn of_text(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let fields: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [server, situation, form, line, ran, sent] = fields.try_into().expect("six fields");
        let sent = sent.split(' ').map(unescaped).collect();
        Row { server, situation, form, line: unescaped(&line), ran, sent }
    };
    text.lines().skip(1).map(row).collect()
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next().expect("what is escaped") {
                's' => ' ',
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            },
            other => other,
        });
    }
    plain
}

impl Row {
    /// What was sent at last: `EVALSHA`, also as part of a transaction.
    fn command(&self) -> &str {
        self.form.strip_prefix("MULTI ").or_else(|| self.form.strip_prefix("EXEC ")).unwrap_or(&self.form)
    }

    fn runs_script(&self) -> bool {
        self.command().starts_with("EVAL") || self.command().starts_with("FCALL")
    }

    /// The server's state, and the kind of script.
    fn state_and_kind(&self) -> (&str, &str) {
        let (state, what) = self.situation.split_once(", ").expect("a state and a kind");
        (state, what.split(": ").next().unwrap_or(what))
    }

    /// A script may make up a server's exact line, and is taken for the server then; and a number of keys that is none
    /// is refused in the words of INCR and others.
    fn is_ambiguous(&self) -> bool {
        (self.ran == "yes" && self.situation.contains(&self.line))
            || self.situation.ends_with("number of keys is no number")
    }

    /// A function that declares not to write relays it from Valkey 9.1 on. The server is asked what a function declares.
    fn may_be_relayed(&self) -> bool {
        self.command().starts_with("FCALL") && self.line == "OOM command not allowed when used memory > 'maxmemory'."
    }

    fn request(&self) -> Request {
        let words: Vec<_> = self.sent.iter().map(String::as_bytes).collect();
        let by_hash = self.command().starts_with("EVALSHA");
        let given = words.len().saturating_sub(3);
        let keys = self.sent.get(2).and_then(|count| count.parse().ok()).filter(|count| *count <= given);
        let Some(keys) = keys.filter(|_| by_hash || self.command().starts_with("EVAL")) else {
            let mut packer = Packer::command(words.len());
            words.iter().for_each(|word| packer.word(word));
            let request = packer.finish(false);
            return if self.runs_script() { request.running(None) } else { request };
        };
        let first_line = match self.state_and_kind().1 {
            "flagged" => "#!lua\n".to_owned(),
            kind @ ("no-writes" | "allow-oom" | "allow-stale" | "no-cluster") => format!("#!lua flags={kind}\n"),
            _ => String::new(),
        };
        let code = if by_hash { format!("{first_line}return 1") } else { self.sent[1].clone() };
        let options = Options { read_only: self.command().ends_with("_RO"), ..Options::default() };
        let mut packer = Packer::script(&Arc::new(Script::new(code, options)), keys, words.len() - 3 - keys);
        words[3..].iter().for_each(|word| packer.word(word));
        packer.finish(true)
    }

    fn judge(&self) -> Verdict {
        let request = self.request();
        let (state, _) = self.state_and_kind();
        let in_cluster =
            ["cluster", "slot", "keys of two slots", "replica in cluster"].iter().any(|it| state.starts_with(it));
        let key = if self.runs_script() { self.sent.get(3) } else { self.sent.get(1) };
        let route = match key {
            Some(key) if in_cluster => Route::Slot(Slot::of_key(key.as_bytes())),
            _ => Route::Any,
        };
        let form = match self.command() {
            "EVALSHA" => Some(Form::Sha),
            "EVAL" => Some(Form::Code),
            "EVAL_RO" => Some(Form::CodeReadOnly),
            _ => None,
        };
        let node = Address::new("127.0.0.1", 7000);
        let asked = Asked {
            form: form.filter(|_| request.has_forms()),
            node: Some(&node),
            in_cluster,
            is_queued: self.form.starts_with("MULTI "),
            ..Asked::plainly(&request, &route)
        };
        let mut line = self.line.clone();
        if let Some(script) = request.script().filter(|_| self.command().starts_with("EVALSHA")) {
            line = line.replace(&self.sent[1], script.hash());
        }
        of_error(&ServerError::new(line.into_bytes()), &asked)
    }
}

#[test]
fn whether_a_script_ran_is_known_from_every_server_s_words() {
    let mut wrong = String::new();
    let mut count = 0;
    for row in rows() {
        if !row.runs_script() || row.is_ambiguous() {
            continue;
        }
        count += 1;
        let verdict = row.judge();
        let is_right = match verdict.ran {
            Ran::No => row.ran == "no" || row.may_be_relayed(),
            Ran::Yes | Ran::Unknown => row.ran == "yes",
        };
        if !is_right {
            let Row { server, situation, form, line, ran, .. } = &row;
            writeln!(wrong, "{server}\t{situation}\t{form}\t{line}\tran: {ran}, judged {verdict:?}").expect("a text");
        }
    }
    assert!(count > 1000, "{count} rows");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_is_next_follows_from_every_server_s_refusal() {
    for row in rows() {
        let request = row.request();
        if row.ran != "no" || !request.has_forms() {
            continue;
        }
        let next = row.judge().next;
        let is_right = match row.line.split(' ').next().expect("a code") {
            "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "NOREPLICAS" | "READONLY" | "TRYAGAIN" => next == Next::Later,
            "MOVED" => matches!(next, Next::Moved(..)),
            "ASK" => matches!(next, Next::Ask(_)),
            "NOSCRIPT" => next == Next::SendCode,
            "NOPERM" if row.line.contains("run the 'eval") && !row.line.contains("'evalsha") => {
                next == Next::LoadScript
            }
            "NOPERM" if row.line.contains("run the 'evalsha") || row.line.contains("ACLs rules changed") => {
                next == Next::ByCode
            }
            "ERR" if row.line.starts_with("ERR unknown command") && request.is_read_only() => {
                next == Next::Deliver || next == Next::PlainForm
            }
            _ => next == Next::Deliver,
        };
        assert!(
            is_right,
            "{} of {}: {} in answer to {} is followed by {next:?}",
            row.situation, row.server, row.line, row.form
        );
    }
}
