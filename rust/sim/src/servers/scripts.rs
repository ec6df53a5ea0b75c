//! The scripts that the model can run: a fixed set, each with its text in Lua and what it does.
//!
//! Both come from the same list of steps, one a line, so that they cannot differ. The text begins with
//! `-- sim:<name>`, after a `#!` line where there is one; what follows the name there distinguishes copies of a
//! script. The first of a script's ARGV is its call's id.

use std::collections::BTreeMap;
use std::time::Duration;

use sha1::{Digest, Sha1};

/// What one line of a script does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `redis.call` of these; its result is kept.
    Call(&'static [Word]),
    /// The same of whatever stands in ARGV from the second on.
    CallArguments,
    /// With `redis.pcall`.
    TryArguments,
    /// Loops for as many milliseconds as ARGV[2] says; on a real server about as many, as Lua has no clock there.
    Spin,
    ReturnId,
    ReturnResult,
    /// `redis.error_reply(ARGV[2])`.
    ReturnError,
    /// `redis.error_reply` of a code of the script's and the words in ARGV[2].
    ReturnCodedError,
    /// `{err = ARGV[2]}`; with ARGV[3], the two in one.
    ReturnErrorTable,
    ReturnStatus,
    /// `error(ARGV[2])`.
    Raise,
    /// `error({err = ARGV[2]})`.
    RaiseTable,
    ReturnOne,
    /// Returns whether ARGV[1] compiles.
    ReturnCompiles,
    /// A line that Lua cannot compile.
    Nonsense,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Is(&'static str),
    Key,
    Id,
}

use Word::{Id, Is, Key};

const COUNT: Step = Step::Call(&[Is("HINCRBY"), Key, Id, Is("1")]);

/// One script of the set.
#[derive(Debug)]
pub struct Template {
    pub name: &'static str,
    /// The `#!` line, if any.
    shebang: Option<&'static str>,
    steps: &'static [Step],
}

const fn plain(name: &'static str, steps: &'static [Step]) -> Template {
    Template { name, shebang: None, steps }
}

const fn flagged(name: &'static str, shebang: &'static str, steps: &'static [Step]) -> Template {
    Template { name, shebang: Some(shebang), steps }
}

/// All templates. `KEYS[1]` holds a hash of counts by id, or for `append` a list.
pub static TEMPLATES: &[Template] = &[
    plain("count", &[COUNT, Step::ReturnId]),
    plain("count-twice", &[COUNT, COUNT, Step::ReturnId]),
    plain("append", &[Step::Call(&[Is("RPUSH"), Key, Id]), Step::ReturnId]),
    plain("read", &[Step::Call(&[Is("HGET"), Key, Id]), Step::ReturnResult]),
    plain("id", &[Step::ReturnId]),
    plain("publish", &[Step::Call(&[Is("PUBLISH"), Is("sim"), Id]), Step::ReturnId]),
    plain("publish-then-count", &[Step::Call(&[Is("PUBLISH"), Is("sim"), Id]), COUNT, Step::ReturnId]),
    plain("count-and-tell", &[COUNT, Step::ReturnResult]),
    plain("count-then-say", &[COUNT, Step::ReturnError]),
    plain("count-then-say-table", &[COUNT, Step::ReturnErrorTable]),
    plain("count-then-status", &[COUNT, Step::ReturnStatus]),
    plain("count-then-raise", &[COUNT, Step::Raise]),
    plain("count-then-raise-table", &[COUNT, Step::RaiseTable]),
    plain("say", &[Step::ReturnError]),
    plain("raise", &[Step::Raise]),
    plain("raise-then-count", &[Step::Call(&[Is("NOSUCH"), Id]), COUNT]),
    plain("count-then-fail", &[COUNT, Step::Call(&[Is("RPUSH"), Key, Id]), Step::ReturnId]),
    plain("arity-then-count", &[Step::Call(&[Is("HGET"), Key]), COUNT]),
    plain("forbidden-then-count", &[Step::Call(&[Is("MULTI")]), COUNT]),
    plain("read-then-count", &[Step::Call(&[Is("HGET"), Key, Id]), COUNT, Step::ReturnId]),
    plain("count-then-any", &[COUNT, Step::CallArguments, Step::ReturnResult]),
    plain("any", &[Step::CallArguments, Step::ReturnResult]),
    plain("try", &[Step::TryArguments, Step::ReturnResult]),
    plain("spin", &[Step::Spin, Step::ReturnId]),
    plain("spin-then-count", &[Step::Spin, COUNT, Step::ReturnId]),
    plain("count-then-spin", &[COUNT, Step::Spin, Step::ReturnId]),
    plain("broken", &[Step::Nonsense]),
    flagged("lua-count", "#!lua", &[COUNT, Step::ReturnId]),
    flagged("lua-say", "#!lua", &[COUNT, Step::ReturnError]),
    flagged("lua-say-code", "#!lua", &[COUNT, Step::ReturnCodedError]),
    flagged("lua-read", "#!lua flags=no-writes", &[Step::Call(&[Is("HGET"), Key, Id]), Step::ReturnResult]),
    flagged("lua-read-then-count", "#!lua flags=no-writes", &[COUNT, Step::ReturnId]),
    flagged("lua-count-anyhow", "#!lua flags=allow-oom,allow-stale", &[COUNT, Step::ReturnId]),
    flagged("lua-no-cluster", "#!lua flags=no-cluster", &[COUNT, Step::ReturnId]),
    flagged("lua-cross-slot", "#!lua flags=allow-cross-slot-keys", &[Step::CallArguments, Step::ReturnResult]),
    flagged("lua-any", "#!lua", &[Step::CallArguments, Step::ReturnResult]),
    flagged("lua-spin-then-count", "#!lua", &[Step::Spin, COUNT, Step::ReturnId]),
    flagged("lua-bad-flag", "#!lua flags=swift", &[COUNT, Step::ReturnId]),
    flagged("lua-bad-option", "#!lua speed=high", &[COUNT, Step::ReturnId]),
    flagged("lua-bad-engine", "#!perl", &[COUNT, Step::ReturnId]),
];

/// The client's own scripts, which ask a server something, by their text.
static QUESTIONS: [(&str, Template); 2] = [
    ("return 1", plain("nothing", &[Step::ReturnOne])),
    ("return loadstring(ARGV[1]) and 1 or 0", plain("compiles", &[Step::ReturnCompiles])),
];

/// The template of that name.
pub fn template(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.name == name)
}

/// The Lua text of a template. Copies with different words in `copy` are different scripts to a server.
///
/// # Panics
/// If there is no such template.
pub fn text(name: &str, copy: &str) -> String {
    let template = template(name).unwrap_or_else(|| panic!("no script is named {name}"));
    let mut text = String::new();
    if let Some(shebang) = template.shebang {
        text.push_str(shebang);
        text.push('\n');
    }
    text.push_str(&format!("-- sim:{name}"));
    if !copy.is_empty() {
        text.push(' ');
        text.push_str(copy);
    }
    for step in template.steps {
        text.push('\n');
        text.push_str(&step.lua());
    }
    text
}

/// The text of a library of that name, with a function for each of these templates, named like them with underscores.
/// One that begins with `#!lua flags=` declares the same flags.
///
/// # Panics
/// If there is no such template.
pub fn library(library: &str, names: &[&str], copy: &str) -> String {
    let mut text = format!("#!lua name={library}\n-- sim:{}", names.join(","));
    if !copy.is_empty() {
        text.push(' ');
        text.push_str(copy);
    }
    for name in names {
        let template = template(name).unwrap_or_else(|| panic!("no script is named {name}"));
        let function = function_name(name);
        text.push_str(&format!("\nlocal function {function}(KEYS, ARGV)"));
        for step in template.steps {
            text.push('\n');
            text.push_str(&step.lua());
        }
        let flags: Vec<String> = template.flags().map(|flag| format!("'{flag}'")).collect();
        text.push_str(&format!(
            "\nend\nredis.register_function{{function_name='{function}', callback={function}, flags={{{}}}}}",
            flags.join(", ")
        ));
    }
    text
}

/// The name of the function for a template.
pub fn function_name(template: &str) -> String {
    template.replace('-', "_")
}

pub fn sha1_hex(code: &[u8]) -> String {
    Sha1::digest(code).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

impl Template {
    fn flags(&self) -> impl Iterator<Item = &'static str> {
        let flags = self.shebang.and_then(|line| line.split_once("flags=")).map_or("", |(_, flags)| flags);
        flags.split(',').filter(|flag| !flag.is_empty())
    }
}

impl Step {
    /// A return is the last line of a block in Lua, so that it stands in one of its own.
    fn lua(&self) -> String {
        match self {
            Self::Call(words) => {
                let words: Vec<String> = words
                    .iter()
                    .map(|word| match word {
                        Is(word) => format!("'{word}'"),
                        Key => "KEYS[1]".to_owned(),
                        Id => "ARGV[1]".to_owned(),
                    })
                    .collect();
                format!("local result = redis.call({})", words.join(", "))
            }
            Self::CallArguments => "local result = redis.call(unpack(ARGV, 2))".to_owned(),
            Self::TryArguments => "local result = redis.pcall(unpack(ARGV, 2))".to_owned(),
            Self::Spin => "for _ = 1, ARGV[2] * 100000 do end".to_owned(),
            Self::ReturnId => "do return ARGV[1] end".to_owned(),
            Self::ReturnResult => "do return result end".to_owned(),
            Self::ReturnError => "do return redis.error_reply(ARGV[2]) end".to_owned(),
            Self::ReturnCodedError => "do return redis.error_reply('READONLY ' .. (ARGV[2] or 'now')) end".to_owned(),
            Self::ReturnErrorTable => "do return {err = ARGV[3] and ARGV[2] .. ARGV[3] or ARGV[2]} end".to_owned(),
            Self::ReturnStatus => "do return redis.status_reply(ARGV[2]) end".to_owned(),
            Self::Raise => "error(ARGV[2])".to_owned(),
            Self::RaiseTable => "error({err = ARGV[2]})".to_owned(),
            Self::ReturnOne => QUESTIONS[0].0.to_owned(),
            Self::ReturnCompiles => QUESTIONS[1].0.to_owned(),
            Self::Nonsense => "this is no Lua".to_owned(),
        }
    }
}

/// A script as a server has it: what `#!` declares, and each step with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) declared: Option<Declared>,
    /// It is wrapped for a call with `once`.
    pub(super) wrapped: Option<Wrapped>,
    pub(super) steps: Vec<(usize, Step)>,
}

/// The flags after `#!`, or a function's flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "flags, as servers have them")]
pub(super) struct Declared {
    pub(super) no_writes: bool,
    pub(super) allow_oom: bool,
    pub(super) allow_stale: bool,
    pub(super) no_cluster: bool,
    pub(super) allow_cross_slot: bool,
}

/// How a script is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrapped {
    /// The record is written before it runs, too.
    pub(super) is_noted_first: bool,
}

impl Wrapped {
    /// Removes the wrapper's text before the script; `None`: the script is not wrapped.
    pub(super) fn parse(code: &mut &str) -> Option<Self> {
        let rest = code.strip_prefix("local is_noted_first, run = ")?;
        let (is_noted_first, rest) = rest.split_once(", function(...) ")?;
        *code = rest;
        Some(Self { is_noted_first: is_noted_first == "true" })
    }
}

/// Why a script cannot be compiled. The server words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    UnknownEngine(String),
    UnknownOption(String),
    UnknownFlag(String),
    Syntax {
        line: usize,
    },
    /// `#!` is no comment to servers before Redis 7.
    Shebang,
}

/// Reads a script's text as a server would.
///
/// # Panics
/// If it is none of the set.
pub(super) fn parse(code: &[u8], knows_shebang: bool) -> Result<Program, Unfit> {
    let code = String::from_utf8_lossy(code);
    let mut line = 1;
    let mut rest: &str = &code;
    let mut declared = None;
    if rest.starts_with("#!") {
        if !knows_shebang {
            return Err(Unfit::Shebang);
        }
        let (shebang, after) = rest.split_once('\n').unwrap_or((rest, ""));
        declared = Some(declaration(shebang)?);
        (line, rest) = (2, after);
    }
    let wrapped = Wrapped::parse(&mut rest);
    let question = QUESTIONS.iter().find_map(|(text, template)| (*text == rest).then_some(template));
    let template = question.or_else(|| template(marker(rest)));
    let template = template.unwrap_or_else(|| panic!("a script that the model does not know: {code}"));
    let steps: Vec<_> = template.steps.iter().cloned().enumerate().map(|(at, step)| (line + 1 + at, step)).collect();
    match steps.iter().find(|(_, step)| *step == Step::Nonsense) {
        Some(&(line, _)) => Err(Unfit::Syntax { line }),
        None => Ok(Program { name: template.name, declared, wrapped, steps }),
    }
}

fn declaration(shebang: &str) -> Result<Declared, Unfit> {
    let mut parts = shebang[2..].split(' ');
    let engine = parts.next().unwrap_or_default();
    if !engine.eq_ignore_ascii_case("lua") {
        return Err(Unfit::UnknownEngine(engine.to_owned()));
    }
    let mut declared = Declared::default();
    for part in parts {
        let Some(flags) = part.strip_prefix("flags=") else { return Err(Unfit::UnknownOption(part.to_owned())) };
        for flag in flags.split(',') {
            declared.add(flag)?;
        }
    }
    Ok(declared)
}

impl Declared {
    pub(super) fn names(&self) -> Vec<&'static str> {
        let flags = [
            (self.no_writes, "no-writes"),
            (self.allow_oom, "allow-oom"),
            (self.allow_stale, "allow-stale"),
            (self.no_cluster, "no-cluster"),
            (self.allow_cross_slot, "allow-cross-slot-keys"),
        ];
        flags.into_iter().filter_map(|(is_set, name)| is_set.then_some(name)).collect()
    }

    fn add(&mut self, flag: &str) -> Result<(), Unfit> {
        let place = match flag {
            "no-writes" => &mut self.no_writes,
            "allow-oom" => &mut self.allow_oom,
            "allow-stale" => &mut self.allow_stale,
            "no-cluster" => &mut self.no_cluster,
            "allow-cross-slot-keys" => &mut self.allow_cross_slot,
            _ => return Err(Unfit::UnknownFlag(flag.to_owned())),
        };
        *place = true;
        Ok(())
    }
}

/// What follows `-- sim:` on the first line, up to a space.
fn marker(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("-- sim:").and_then(|rest| rest.split(' ').next()).unwrap_or_default()
}

/// Reads a library's text: its name, and its functions by their names.
///
/// # Panics
/// If it is no library of templates.
pub(super) fn parse_library(code: &[u8]) -> (String, BTreeMap<String, Program>) {
    let code = String::from_utf8_lossy(code);
    let known = "a library that the model does not know";
    let (shebang, rest) = code.split_once('\n').expect(known);
    let name = shebang.strip_prefix("#!lua name=").expect(known);
    let mut line = 2;
    let mut functions = BTreeMap::new();
    for template in marker(rest).split(',').map(|name| template(name).expect(known)) {
        let steps: Vec<_> =
            template.steps.iter().cloned().enumerate().map(|(at, step)| (line + 2 + at, step)).collect();
        line += steps.len() + 3;
        let mut declared = Declared::default();
        template.flags().for_each(|flag| declared.add(flag).expect(known));
        let program = Program { name: template.name, declared: Some(declared), wrapped: None, steps };
        functions.insert(function_name(template.name), program);
    }
    (name.to_owned(), functions)
}

/// How long `Step::Spin` takes, by ARGV[2].
pub(super) fn spin(argument: Option<&Vec<u8>>) -> Duration {
    let milliseconds = argument.and_then(|word| std::str::from_utf8(word).ok()?.parse().ok()).unwrap_or(0);
    Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_text() {
        for template in TEMPLATES.iter().filter(|template| !template.steps.contains(&Step::Nonsense)) {
            let code = text(template.name, "copy 7");
            let Ok(program) = parse(code.as_bytes(), true) else { continue };
            for (line, step) in program.steps {
                assert_eq!(code.lines().nth(line - 1), Some(step.lua().as_str()), "{code}");
            }
        }
        let code = library("sim", &["count", "lua-read", "count-then-fail"], "2");
        let (name, functions) = parse_library(code.as_bytes());
        assert_eq!(name, "sim");
        for program in functions.values() {
            for (line, step) in &program.steps {
                assert_eq!(code.lines().nth(line - 1), Some(step.lua().as_str()), "{code}");
            }
        }
    }
}
