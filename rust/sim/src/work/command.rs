//! Makes a random command of a call: what is sent, and which answers are allowed.

use std::sync::Arc;

use glide_scripts_core::script::{Options, Script};
use glide_scripts_core::{Once, Packer, Request, Route, Slot};

use super::Callers;
use crate::ids::word_of;
use crate::oracle::{Effect, Order};
use crate::outcome::Expected;
use crate::servers::scripts;

/// The template of the scripts that are declared to read only.
const READ: &str = "read";

/// Where plain commands keep text: in the slot of the key under which scripts count.
pub(super) fn text_key(key: &str) -> String {
    format!("{key}text")
}

/// One command that a call consists of.
pub(super) struct Command {
    pub(super) id: u64,
    /// The id that its script counts.
    pub(super) counts: u64,
    pub(super) request: Request,
    pub(super) route: Route,
    pub(super) key: String,
    pub(super) expected: Expected,
    pub(super) what: &'static str,
    pub(super) effect: Effect,
    pub(super) is_killable: bool,
    pub(super) is_counted: bool,
}

/// A call of a script, before it is packed.
pub(super) struct ScriptCall {
    pub(super) template: &'static str,
    pub(super) variant: u32,
    pub(super) idempotent: bool,
    pub(super) key: String,
    pub(super) counts: u64,
    pub(super) extra: Vec<String>,
    pub(super) effect: Effect,
}

impl Callers {
    fn script(&self, template: &'static str, variant: u32, idempotent: bool) -> Arc<Script> {
        let mut known = self.scripts.borrow_mut();
        let script = known.entry((template, variant, idempotent)).or_insert_with(|| {
            let options = Options { read_only: template == READ, idempotent, ..Options::default() };
            Arc::new(Script::new(scripts::text(template, &variant.to_string()), options))
        });
        script.clone()
    }

    /// A random command with an id. `simple`: it takes no time and does not fail by itself; `key`: its key.
    pub(super) fn command(&self, simple: bool, key: Option<&str>) -> Command {
        let world = &self.world;
        let id = self.next_id();
        let argument = word_of(id);
        let key = key.map_or_else(|| format!("{{k{}}}", world.below(4)), str::to_owned);
        if world.once_in(8) {
            return self.order(id, key, simple);
        }
        let text_key = text_key(&key);
        let plain = |name: &'static str, words: &[&str], expected, is_counted| {
            let mut packer = Packer::command(words.len());
            packer.word(words[0].as_bytes());
            packer.key(words[1].as_bytes()).expect("one key");
            words[2..].iter().for_each(|word| packer.word(word.as_bytes()));
            let route = packer.route();
            let (request, key) = (packer.finish(false), key.clone());
            let (what, effect, is_killable) = (name, Effect::AtMostOnce, false);
            Command { id, counts: id, request, route, key, expected, what, effect, is_killable, is_counted }
        };
        let (template, extra) = match world.below(if simple { 70 } else { 100 }) {
            0..15 => return plain("SET", &["SET", &text_key, &argument], Expected::Okay, true),
            15..20 => return plain("GET", &["GET", &text_key], Expected::Anything, false),
            20..28 if self.has_functions => {
                let mut packer = Packer::command(5);
                [&b"FCALL"[..], b"count", b"1"].into_iter().for_each(|word| packer.word(word));
                packer.key(key.as_bytes()).expect("one key");
                packer.word(argument.as_bytes());
                let route = packer.route();
                let request = packer.finish(false).calling(self.library.clone());
                let (what, effect, is_killable, is_counted) = ("a function", Effect::AtMostOnce, false, true);
                let expected = Expected::Bulk(argument);
                return Command {
                    id,
                    counts: id,
                    request,
                    route,
                    key,
                    expected,
                    what,
                    effect,
                    is_killable,
                    is_counted,
                };
            }
            28..34 if self.has_functions => ("lua-count", Vec::new()),
            34..40 => (READ, Vec::new()),
            // On a rough network, the server may come to answer so between the run and the question about it.
            70..74 if self.has_functions && world.is_quiet.get() => {
                ("lua-say-code", vec!["You can't write against a read only replica.".to_owned()])
            }
            70..82 => {
                let template = world.pick(&["count-then-say", "count-then-say-table"]);
                (template, self.said_by(template, &key))
            }
            82..88 => ("publish-then-count", Vec::new()),
            88..92 => ("try", vec!["SET".to_owned(), text_key.clone(), "by a script".to_owned()]),
            92..100 => {
                let template = world.pick(&["spin", "spin-then-count", "count-then-spin"]);
                (template, vec![world.pick(&["5", "60", "400"]).to_owned()])
            }
            _ => (world.pick(&["count", "count-and-tell"]), Vec::new()),
        };
        let idempotent = template == "count" && world.once_in(2);
        let effect = match template {
            _ if idempotent => Effect::AnyTimes,
            READ => Effect::AnyTimes,
            "try" | "spin" | "lua-say-code" => Effect::AtMostOnce,
            _ if world.once_in(3) => Effect::Once,
            _ => Effect::AtMostOnce,
        };
        let variant = self.variant();
        self.pack(id, ScriptCall { template, variant, idempotent, key, counts: id, extra, effect })
    }

    fn variant(&self) -> u32 {
        u32::try_from(self.world.below(u64::from(self.variants))).unwrap_or(0)
    }

    /// A call under an id that other calls have, too, some of them of another client.
    fn order(&self, id: u64, key: String, simple: bool) -> Command {
        /// Others are too long ago.
        const OPEN: usize = 3;
        let world = &self.world;
        let known = self.oracle.borrow().orders.iter().rev().filter(|order| order.key == key).take(OPEN).count();
        let chosen = usize::try_from(world.below(OPEN as u64 + 1)).unwrap_or(0);
        if chosen >= known {
            let templates: &[&str] = if simple {
                &["count", "count-and-tell"]
            } else {
                &["count-and-tell", "count-then-say", "count-then-say-table", "publish-then-count", "spin-then-count"]
            };
            let template = world.pick(templates);
            let extra = match template {
                "spin-then-count" => vec!["60".to_owned()],
                _ if template.contains("say") => self.said_by(template, &key),
                _ => Vec::new(),
            };
            let order = Order { template, variant: self.variant(), key: key.clone(), extra, ids: [id, self.next_id()] };
            self.oracle.borrow_mut().orders.push(order);
        }
        let oracle = self.oracle.borrow();
        let back = if chosen >= known { 0 } else { chosen };
        let mut orders = oracle.orders.iter().enumerate().rev().filter(|(_, order)| order.key == key);
        let (number, order) = orders.nth(back).expect("an order of that key");
        // The id with another argument.
        let counts = order.ids[usize::from(world.once_in(6))];
        let Order { template, variant, extra, .. } = order.clone();
        drop(oracle);
        let effect = Effect::OnceFor(number);
        self.pack(id, ScriptCall { template, variant, idempotent: false, key, counts, extra, effect })
    }

    pub(super) fn pack(&self, id: u64, call: ScriptCall) -> Command {
        let ScriptCall { template, variant, idempotent, key, counts, extra, effect } = call;
        let script = self.script(template, variant, idempotent);
        let once = match effect {
            Effect::AtMostOnce | Effect::AnyTimes => None,
            Effect::Once => Some(Once::own(self.client.borrow().own_ids().next(), None)),
            Effect::OnceFor(order) => Some(Once::given(format!("order-{order}").into_bytes(), None)),
        };
        let words = 1 + extra.len();
        let mut packer = match once {
            None => Packer::script(&script, 1, words),
            Some(once) => Packer::script_once(&script, 1, words, once),
        };
        packer.key(key.as_bytes()).expect("one key");
        if matches!(effect, Effect::Once | Effect::OnceFor(_)) {
            packer.record(self.world.deployment.borrow().is_cluster());
        }
        packer.word(word_of(counts).as_bytes());
        extra.iter().for_each(|word| packer.word(word.as_bytes()));
        let route = packer.route();
        let mut request = packer.finish(true);
        let is_killable = template.contains("spin") && self.world.once_in(2);
        if is_killable {
            request = request.killed_on_timeout();
        }
        let expected = match template {
            READ => Expected::Anything,
            "try" => Expected::Okay,
            "count-and-tell" => Expected::Int(1),
            "lua-say-code" => Expected::Words { words: format!("READONLY {}", extra.concat()), is_a_servers: true },
            "count-then-say" | "count-then-say-table" => {
                let words = extra.concat();
                Expected::Words { is_a_servers: is_a_servers(&words, &key), words }
            }
            _ => Expected::Bulk(word_of(counts)),
        };
        let is_counted = template != READ;
        Command { id, counts, request, route, key, expected, what: template, effect, is_killable, is_counted }
    }

    /// The arguments of which a script makes an error. Where it puts the words together itself, the client does not find
    /// them in the call. So no server is asked, and such words must not be a server's exact line.
    fn said_by(&self, template: &str, key: &str) -> Vec<String> {
        let words = self.words(key);
        if template != "count-then-say-table" || is_a_servers(&words, key) || self.world.once_in(2) {
            return vec![words];
        }
        let (first, rest) = words.split_at(words.len() / 2);
        vec![first.to_owned(), rest.to_owned()]
    }

    /// An error of a script's own, that looks much like a server's.
    fn words(&self, key: &str) -> String {
        let slot = Slot::of_key(key.as_bytes()).number();
        let others = [
            "NOPERM not yours".to_owned(),
            "NOPERM User bob has no permissions to run the 'refund' command".to_owned(),
            "NOPERM User bob has no permissions to run the 'evalsha' command".to_owned(),
            "CLUSTERDOWN Hash slot not served yet, says my app".to_owned(),
            "MOVED 3 items to the basket".to_owned(),
            format!("MOVED {} 127.0.0.1:7000", (slot + 1) % 16_384),
            format!("MOVED {slot} 127.0.0.1:7000 please"),
            "ASK 5 friends".to_owned(),
            "TRYAGAIN later".to_owned(),
            "LOADING my things".to_owned(),
            "READONLY You can't write against a read only file.".to_owned(),
            "NOSCRIPT No such thing.".to_owned(),
            "BUSY my lock is held".to_owned(),
            "NOREPLICAS of my own".to_owned(),
            "OUT_OF_STOCK sku 7".to_owned(),
        ];
        if self.world.once_in(4) {
            return self.world.pick(&states());
        }
        // On a rough network, a server may come to answer so between the run and the question about it.
        if self.world.is_quiet.get() && self.world.once_in(4) {
            return self.world.pick(&answers(slot));
        }
        self.world.pick(&others)
    }
}

/// Lines of servers about their state.
fn states() -> [String; 9] {
    [
        "READONLY You can't write against a read only replica.".to_owned(),
        "READONLY You can't write against a read only replica. script: on @user_script:1.".to_owned(),
        "LOADING Valkey is loading the dataset in memory".to_owned(),
        "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.".to_owned(),
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.".to_owned(),
        "CLUSTERDOWN Hash slot not served".to_owned(),
        "TRYAGAIN Multiple keys request during rehashing of slot".to_owned(),
        "OOM command not allowed when used memory > 'maxmemory'.".to_owned(),
        "NOREPLICAS Not enough good replicas to write.".to_owned(),
    ]
}

/// Lines of servers about one call.
fn answers(slot: u16) -> [String; 4] {
    [
        "NOPERM this user has no permissions to run the 'evalsha' command or its subcommand".to_owned(),
        "NOSCRIPT No matching script.".to_owned(),
        format!("MOVED {slot} 127.0.0.1:7000"),
        format!("ASK {slot} 127.0.0.1:7000"),
    ]
}

/// Whether a script's words are exactly a server's line, so that nobody can tell who wrote them.
fn is_a_servers(words: &str, key: &str) -> bool {
    let slot = Slot::of_key(key.as_bytes()).number();
    states().iter().chain(&answers(slot)).any(|line| line == words)
}
