//! Each command that servers know is sorted: shared, refused, or on a connection of its own.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use glide_scripts_core::resp::Reply;
use glide_scripts_core::{Packer, Placement};
use support::{Caller, Server};

/// What is recorded of the servers' commands.
const KNOWN: &str = include_str!("commands/known.tsv");

/// How each command is classified, and the flags that any server gives it.
fn known() -> BTreeMap<&'static str, (&'static str, BTreeSet<&'static str>)> {
    let rows = KNOWN.lines().filter(|line| !line.starts_with('#')).skip(1);
    let mut known = BTreeMap::new();
    for row in rows {
        let mut cells = row.split('\t');
        let (command, sorted) = (cells.next().expect("a name"), cells.next().expect("a sort"));
        let flags = cells.flat_map(|cell| cell.split(',')).collect();
        assert!(known.insert(command, (sorted, flags)).is_none(), "{command} stands there twice");
    }
    known
}

/// Where a command goes when its options ask it to wait for others, if they can.
fn sorted(command: &str) -> &'static str {
    let words: Vec<_> = command.split(' ').chain(["GROUP", "g", "c", "BLOCK", "1"]).collect();
    let mut packer = Packer::command(words.len());
    words.iter().for_each(|word| packer.word(word.as_bytes()));
    match Placement::of(&packer.finish(false), true) {
        Placement::Shared => "shared",
        Placement::Refused(_) => "refused",
        Placement::OwnConnection(_) => "own",
        Placement::Admin => "admin",
    }
}

#[test]
fn each_recorded_command_goes_where_it_was_sorted() {
    for (command, (wanted, flags)) in known() {
        assert_eq!(sorted(command), wanted, "{command}");
        assert_eq!(sorted(&command.to_lowercase()), wanted, "{command} in lower case");
        assert!(!flags.contains("blocking") || wanted != "shared", "{command} would keep all callers waiting");
    }
}

#[test]
fn the_server_knows_no_command_that_nobody_has_looked_at() {
    let server = Server::start();
    let caller = Caller::connect(server.port);
    let known = known();
    let mut unsorted = Vec::new();
    let mut see = |name: &str, flags: &[String]| match known.get(name) {
        None => unsorted.push(name.to_owned()),
        Some((wanted, _)) => {
            assert!(*wanted != "shared" || !flags.iter().any(|flag| flag == "blocking"), "{name} may block");
        }
    };
    for command in elements(caller.command(&["COMMAND"]).expect("a reply")) {
        let mut about = elements(command);
        let subcommands = if about.len() > 9 { elements(about.swap_remove(9)) } else { Vec::new() };
        see(&name(&about[0]), &flags(&about));
        for subcommand in subcommands {
            let about = elements(subcommand);
            see(&name(&about[0]), &flags(&about));
        }
    }
    assert!(unsorted.is_empty(), "sort these in tests/commands/known.tsv: {unsorted:?}");
}

fn elements(reply: Reply) -> Vec<Reply> {
    reply.into_elements().expect("a list")
}

fn name(reply: &Reply) -> String {
    let name = String::from_utf8_lossy(reply.as_bytes().expect("a name")).to_uppercase();
    name.replace('|', " ")
}

fn flags(about: &[Reply]) -> Vec<String> {
    let flags = elements(about[2].clone());
    flags.iter().map(|flag| String::from_utf8_lossy(flag.as_bytes().unwrap_or_default()).into_owned()).collect()
}
