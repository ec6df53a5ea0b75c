//! Calls with `once`: the core's wrapper, run by real servers, against what the model says it does.

use std::sync::Arc;

use glide_scripts_core::script::{Options, Script};
use glide_scripts_core::{Once, Packer};
use glide_scripts_sim::servers::scripts::{sha1_hex, text};
use glide_scripts_sim::servers::{Deployment, Layout};

use crate::generator::Speaker;
use crate::servers::{Program, programs};
use crate::{hold, seeds};

#[test]
fn the_wrapper_does_what_the_model_does() {
    hold(&programs(), seeds(6), Layout::Standalone, Program::standalone, scenario);
}

const TEMPLATES: [&str; 12] = [
    "count",
    "count-and-tell",
    "count-then-say",
    "count-then-say-table",
    "count-then-status",
    "count-then-raise",
    "raise-then-count",
    "read",
    "publish-then-count",
    "count-then-any",
    "try",
    "lua-count",
];

const CONDITIONS: [&[&str]; 12] = [
    &["CONFIG", "SET", "maxmemory", "1"],
    &["CONFIG", "SET", "maxmemory", "0"],
    &["CONFIG", "SET", "maxmemory", "0"],
    &["CONFIG", "SET", "min-replicas-to-write", "1"],
    &["CONFIG", "SET", "min-replicas-to-write", "0"],
    &["CONFIG", "SET", "min-replicas-to-write", "0"],
    &["ACL", "SETUSER", "bob", "-set"],
    &["ACL", "SETUSER", "bob", "+set"],
    &["ACL", "SETUSER", "bob", "-get"],
    &["ACL", "SETUSER", "bob", "+get"],
    &["ACL", "SETUSER", "bob", "resetkeys", "~key"],
    &["ACL", "SETUSER", "bob", "allkeys"],
];

fn scenario(model: &mut Deployment, chance: &mut fastrand::Rng) {
    let has_functions = model.version().has_functions();
    let templates = &TEMPLATES[..TEMPLATES.len() - usize::from(!has_functions)];
    let seed = chance.u64(..);
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut other = chance.fork();
    let mut speaker = Speaker::new(model, &mut other, &[0, 0]);
    speaker.say(0, &["ACL", "SETUSER", "bob", "on", ">secret", "+@all", "~*", "&*"]);
    speaker.say(1, &["AUTH", "bob", "secret"]);
    for _ in 0..120 {
        if chance.u8(..6) == 0 {
            let condition = CONDITIONS[chance.usize(..CONDITIONS.len())];
            speaker.say(0, condition);
            continue;
        }
        let name = templates[chance.usize(..templates.len())];
        let script = Arc::new(Script::new(text(name, ""), Options::default()));
        let once = Once::given(vec![b'a' + chance.u8(..8)], None);
        let mut words = vec![b"id".to_vec()];
        match name {
            "count-then-any" | "try" => words.extend(
                [
                    &["LRANGE", "list", "0", "-1"][..],
                    &["RPUSH", "list", "x"],
                    &["GET", "nothing"],
                    &["SET", "key", "text"],
                ][chance.usize(..4)]
                .iter()
                .map(|word| word.as_bytes().to_vec()),
            ),
            _ => words.push(b"OUT_OF_STOCK sku 7".to_vec()),
        }
        let mut packer = Packer::script_once(&script, 1, words.len(), once);
        packer.key(if chance.u8(..10) == 0 { b"list" } else { b"key" }).expect("one key");
        packer.record(false);
        words.iter().for_each(|word| packer.word(word));
        let request = packer.finish(true);
        let code = request.script().expect("a script").code();
        let sent: Vec<Vec<u8>> = request.words().map(<[u8]>::to_vec).collect();
        let connection = chance.usize(..2);
        assert_eq!(sent[1], sha1_hex(code).into_bytes());
        let command = [&[b"EVAL".to_vec(), code.to_vec()][..], &sent[2..]].concat();
        speaker.say(connection, &command);
        let record = sent.iter().find(|word| word.starts_with(b"once:")).expect("the record's name");
        speaker.say(0, &[b"GET".to_vec(), record.clone()]);
        if chance.u8(..4) == 0 {
            speaker.say(0, &["SET", &String::from_utf8_lossy(record), "1"]);
        }
        speaker.say(0, &["HGET", "key", "id"]);
    }
}
