//! One command, packed once into the form in which it goes over the wire.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::model::cause::{CrossSlot, InSlot};
use crate::model::error::Error;
use crate::model::library::Library;
use crate::model::once::{self, Answer, Once, Recorded};
use crate::model::route::{Route, Slot};
use crate::model::script::Script;
use crate::model::used::CodeId;
use crate::model::wait::Wait;
use crate::wire::pack::{write_header, write_number, write_word};
use crate::wire::resp::{Reply, ServerError};

/// A command as the server will read it, and what may be done with it. It owns all its bytes.
#[derive(Clone)]
pub struct Request {
    wire: Bytes,
    words: usize,
    lane: LaneKind,
    read_only: bool,
    is_killed_on_timeout: bool,
    gather: Gather,
    about: About,
}

/// What the replies of several nodes, or to the parts of a command, make together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    /// A map from each node's `host:port` to its reply.
    ByNode,
    /// The first reply, if all succeeded.
    AllSucceeded,
    /// The first that succeeded, if any did.
    OneSucceeded,
    /// The sum of integers.
    Sum,
    /// For each position of lists of 0 and 1, whether all have 1.
    And,
    /// One list, in the order of the keys.
    InOrder,
    /// One list, of all.
    Joined,
    /// The least of integers.
    Least,
}

/// Which of a node's connections a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKind {
    Data,
    /// For what must reach a server that is running a script: it does not read the connection the script came by.
    Admin,
}

/// What the request runs.
#[derive(Clone)]
enum About {
    Command,
    /// A command that waits for what others do.
    Blocking {
        wait: Wait,
    },
    /// EVAL, FCALL and similar commands, given by the caller: errors are a script's, and nothing else is known.
    Code {
        script: Option<Arc<Script>>,
    },
    Script {
        script: Arc<Script>,
        /// Where the number of keys begins in `wire`.
        tail: usize,
        /// Whether the code may be sent to a server that lost it.
        carries_code: bool,
        /// It is called with `once`: then `script` is the one that keeps a record.
        record: Option<Box<Recorded>>,
    },
    /// FCALL of a function of that library.
    Function {
        library: Arc<Library>,
    },
}

impl Request {
    #[must_use]
    pub fn over(mut self, lane: LaneKind) -> Self {
        self.lane = lane;
        self
    }

    /// A replica may answer it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// If its deadline passes while it runs, it is to be killed.
    #[must_use]
    pub fn killed_on_timeout(mut self) -> Self {
        self.is_killed_on_timeout = true;
        self
    }

    /// It keeps none of the memory that others were packed into.
    pub(crate) fn apart(mut self) -> Self {
        self.wire = Bytes::copy_from_slice(&self.wire);
        self
    }

    pub(crate) fn is_killed_on_timeout(&self) -> bool {
        self.is_killed_on_timeout
    }

    /// It waits for so long for what others do, and has a connection of its own meanwhile.
    #[must_use]
    pub fn blocking(mut self, wait: Wait) -> Self {
        self.about = About::Blocking { wait };
        self
    }

    /// Its caller's deadline holds, however long it waits.
    pub(crate) fn hold_to_deadline(&mut self) {
        if let About::Blocking { wait } = &mut self.about {
            *wait = Wait::For(Duration::ZERO);
        }
    }

    /// How long it waits for what others do, if it does.
    pub(crate) fn wait(&self) -> Option<Wait> {
        match self.about {
            About::Blocking { wait } => Some(wait),
            _ => None,
        }
    }

    /// Whether no other call may be on its connection.
    pub(crate) fn needs_own_connection(&self) -> bool {
        self.is_killed_on_timeout || matches!(self.about, About::Blocking { .. })
    }

    /// It runs Lua: `script`, where its code is known.
    #[must_use]
    pub fn running(mut self, script: Option<Arc<Script>>) -> Self {
        self.about = About::Code { script };
        self
    }

    /// It calls a function of that library.
    #[must_use]
    pub fn calling(mut self, library: Arc<Library>) -> Self {
        self.about = About::Function { library };
        self
    }

    /// What several nodes' replies to it make together.
    #[must_use]
    pub fn gathered(mut self, gather: Gather) -> Self {
        self.gather = gather;
        self
    }

    pub fn gather(&self) -> Gather {
        self.gather
    }

    pub fn lane(&self) -> LaneKind {
        self.lane
    }

    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether errors come from Lua.
    pub fn runs_lua(&self) -> bool {
        !matches!(self.about, About::Command | About::Blocking { .. }) && !self.runs_nothing()
    }

    /// The script, where its code is known.
    pub fn script(&self) -> Option<&Arc<Script>> {
        match &self.about {
            About::Command | About::Blocking { .. } | About::Function { .. } => None,
            About::Code { script } => script.as_ref(),
            About::Script { script, .. } => Some(script),
        }
    }

    /// The script, as its caller knows it.
    pub(crate) fn callers_script(&self) -> Option<&Arc<Script>> {
        self.record().map(|record| &record.script).or_else(|| self.script()).map(Script::without_probes)
    }

    /// The record of a call with `once`.
    pub(crate) fn record(&self) -> Option<&Recorded> {
        match &self.about {
            About::Script { record, .. } => record.as_deref(),
            _ => None,
        }
    }

    fn record_mut(&mut self) -> Option<&mut Recorded> {
        match &mut self.about {
            About::Script { record, .. } => record.as_deref_mut(),
            _ => None,
        }
    }

    /// Whether a reply to it is not the script's own, but comes from the record of an earlier call.
    pub(crate) fn is_answered_from_record(&self, reply: &Reply) -> bool {
        self.record().is_some_and(|record| record.is_answered_by(reply))
    }

    /// The server's words, where it refused the record of a call with `once`: nothing of it has taken effect.
    pub(crate) fn refusal_of_record<'a>(&self, reply: &'a Reply) -> Option<&'a ServerError> {
        self.record().and_then(|record| record.refusal(reply))
    }

    /// What the record's wrapper answered; the reply itself where it is the script's own, or another request's.
    pub(crate) fn read_record(&self, reply: Reply) -> Result<Answer, Reply> {
        match self.record() {
            Some(record) => record.read(reply),
            None => Err(reply),
        }
    }

    /// Learns how long its call may take.
    pub(crate) fn bound(&mut self, timeout: Duration) {
        if let Some(record) = self.record_mut() {
            record.bound(timeout);
        }
    }

    /// Gives it a new id, if its client has made the one that it has.
    pub(crate) fn renew_id(&mut self, next: impl FnOnce() -> Vec<u8>) {
        if let Some(id) = self.record().filter(|record| record.is_own).map(|record| record.id.clone()) {
            let mut wire = BytesMut::from(&self.wire[..]);
            wire[id].copy_from_slice(&next());
            self.wire = wire.freeze();
        }
    }

    /// The id of a call with `once`, for people to read.
    pub(crate) fn shown_id(&self) -> String {
        const LONGEST: usize = 64;
        let id = self.record().map_or(&[][..], |record| &self.wire[record.id.clone()]);
        let shown = String::from_utf8_lossy(&id[..id.len().min(LONGEST)]).into_owned();
        format!("{shown:?}{}", if id.len() > LONGEST { "…" } else { "" })
    }

    /// Whether it is a script's, which has other forms.
    pub(crate) fn has_forms(&self) -> bool {
        matches!(self.about, About::Script { .. })
    }

    /// Whether a run on a replica, which ends at the first write, may have left anything behind: messages are not writes.
    pub(crate) fn may_publish(&self) -> bool {
        self.callers_script().is_none_or(|script| script.may_publish())
    }

    /// Whether a server does nothing for it that anybody could notice: it keeps code, or looks for it.
    pub(crate) fn runs_nothing(&self) -> bool {
        // It may name the script, for errors.
        matches!(self.about, About::Command | About::Code { .. })
            && self.words > 1
            && self.word(0).eq_ignore_ascii_case("SCRIPT")
            && ["LOAD", "EXISTS"].iter().any(|name| self.word(1).eq_ignore_ascii_case(name))
    }

    /// The command's name, in capital letters.
    pub(crate) fn command_name(&self) -> String {
        self.word(0).to_ascii_uppercase()
    }

    /// The slot of the keys of what runs Lua: its third word counts them.
    pub(crate) fn slot_of_script(&self) -> Option<Slot> {
        let mut words = self.words().skip(2);
        let has_keys = words.next()? != b"0";
        words.next().filter(|_| has_keys).map(Slot::of_key)
    }

    /// The second word, where it names a subcommand.
    pub(crate) fn subcommand(&self) -> Option<String> {
        let has_one = self.words > 1 && CONTAINERS.contains(&self.command_name().as_str());
        has_one.then(|| self.word(1).to_ascii_uppercase())
    }

    /// The script to bring to a server that does not have it.
    pub(crate) fn bringable_script(&self) -> Option<&Arc<Script>> {
        match &self.about {
            About::Script { script, carries_code: true, .. } => Some(script),
            _ => None,
        }
    }

    /// The library to bring to a server that does not have the function.
    pub(crate) fn library(&self) -> Option<&Arc<Library>> {
        match &self.about {
            About::Function { library } => Some(library),
            _ => None,
        }
    }

    /// The code that it runs, where that can be sent to a server that lacks it.
    pub(crate) fn code(&self) -> Option<CodeId> {
        match &self.about {
            About::Script { script, carries_code: true, .. } => Some(script.id),
            About::Function { library } => Some(library.id),
            _ => None,
        }
    }

    /// Whether servers forget their scripts by it.
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

    /// One of the first words, which hold no secret where they are names.
    fn word(&self, index: usize) -> String {
        String::from_utf8_lossy(self.words().nth(index).unwrap_or_default()).into_owned()
    }

    /// The command's name and its arguments.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        let words = line(&self.wire).map_or(&self.wire[..0], |(_, words)| words);
        words_of(words)
    }

    /// Whether it may be sent again when it may have run already.
    pub fn is_repeatable(&self) -> bool {
        match &self.about {
            About::Script { script, record, .. } => {
                script.is_repeatable() || record.as_ref().is_some_and(|record| record.outlives_call)
            }
            About::Function { .. } => self.read_only,
            About::Command | About::Code { .. } => self.runs_nothing(),
            About::Blocking { .. } => false,
        }
    }

    /// The request as it goes out first.
    pub(crate) fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The request with another command before its keys and arguments; itself, where it is no script's.
    pub(crate) fn wire_as(&self, form: Form) -> Bytes {
        let About::Script { script, tail, .. } = &self.about else {
            return self.wire.clone();
        };
        let mut wire = BytesMut::with_capacity(self.wire.len() + script.code().len() + 32);
        write_header(&mut wire, b'*', self.words);
        match form {
            Form::Sha => {
                write_word(&mut wire, b"EVALSHA");
                write_word(&mut wire, script.hash().as_bytes());
            }
            Form::Code | Form::CodeReadOnly => {
                write_word(&mut wire, if form == Form::Code { b"EVAL" } else { b"EVAL_RO" });
                write_word(&mut wire, script.code());
            }
        }
        wire.extend_from_slice(&self.wire[*tail..]);
        wire.freeze()
    }
}

/// The words of a packed command, less the line that counts them.
fn words_of(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
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
const CONTAINERS: [&str; 11] =
    ["ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MODULE", "PUBSUB", "SCRIPT", "SLOWLOG"];

impl fmt::Debug for Request {
    /// Shows the command's name alone: arguments may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, {} words)", self.word(0), self.words)
    }
}

pub(crate) fn asking() -> Bytes {
    Bytes::from_static(b"*1\r\n$6\r\nASKING\r\n")
}

/// How a script is named to the server, once the form it was packed in will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// EVALSHA, also of a read-only script: for servers that do not know `EVALSHA_RO`.
    Sha,
    Code,
    CodeReadOnly,
}

/// Packs a request word by word, straight into its wire form.
///
/// Requests of one thread are packed one after the other into blocks of memory, each of which is freed with the last
/// of its requests. One allocation for each, which another thread frees, would take longer than the packing.
#[derive(Debug)]
pub struct Packer {
    wire: BytesMut,
    words: usize,
    script: Option<(Arc<Script>, usize)>,
    /// The slot of the keys so far, and where in `wire` the first of them stands.
    slot: Option<(Slot, std::ops::Range<usize>)>,
    recording: Option<Box<Recording>>,
}

/// A call with `once` that is being packed.
#[derive(Debug)]
struct Recording {
    script: Arc<Script>,
    once: Once,
    /// Where in `wire` the name of the record stands, with its length, and the id in it.
    name: std::ops::Range<usize>,
    id: std::ops::Range<usize>,
}

impl Packer {
    /// A command of `words` words, its name included.
    pub fn command(words: usize) -> Self {
        let mut wire = take_block();
        write_header(&mut wire, b'*', words);
        Self { wire, words, script: None, slot: None, recording: None }
    }

    /// A command of one word.
    pub(crate) fn single(name: &str) -> Request {
        let mut packer = Self::command(1);
        packer.word(name.as_bytes());
        packer.finish(false)
    }

    /// EVALSHA (or `EVALSHA_RO`) of a script, with that many keys and arguments to come.
    pub fn script(script: &Arc<Script>, keys: usize, args: usize) -> Self {
        let words = 3 + keys + args;
        let mut wire = take_block();
        write_header(&mut wire, b'*', words);
        wire.extend_from_slice(&script.sha_head);
        let tail = wire.len();
        write_number(&mut wire, keys);
        Self { wire, words, script: Some((script.clone(), tail)), slot: None, recording: None }
    }

    /// The same of a call with `once`: after its keys, [`record`](Self::record) comes next.
    pub fn script_once(script: &Arc<Script>, keys: usize, args: usize, once: Once) -> Self {
        /// The record's key, and the wrapper's arguments.
        const ADDED: (usize, usize) = (1, 3);
        let mut packer = Self::script(script.once_form(), keys + ADDED.0, args + ADDED.1);
        packer.recording = Some(Box::new(Recording { script: script.clone(), once, name: 0..0, id: 0..0 }));
        packer
    }

    /// The key of the call's record, in the slot of its first key. Without keys the record is in a slot of its own,
    /// which is the call's then if it is for a cluster.
    pub fn record(&mut self, in_cluster: bool) {
        let (Some(recording), Some((_, tail))) = (&mut self.recording, &self.script) else { return };
        let first_key = words_of(&self.wire[*tail..]).nth(1);
        let (name, id) = once::record_name(first_key, &recording.once.id);
        let begin = self.wire.len();
        write_word(&mut self.wire, &name);
        let (end, name_begin) = (self.wire.len(), self.wire.len() - 2 - name.len());
        recording.name = begin..end;
        recording.id = name_begin + id.start..name_begin + id.end;
        if in_cluster && self.slot.is_none() {
            self.slot = Some((Slot::of_key(&name), name_begin..end - 2));
        }
    }

    pub fn word(&mut self, word: &[u8]) {
        write_word(&mut self.wire, word);
    }

    /// A word that is a key: all keys of a request must be in one slot.
    pub fn key(&mut self, key: &[u8]) -> Result<(), Error> {
        self.word(key);
        let slot = Slot::of_key(key);
        let end = self.wire.len() - 2;
        let (first_slot, first) = self.slot.get_or_insert_with(|| (slot, end - key.len()..end));
        if *first_slot == slot {
            return Ok(());
        }
        let first = InSlot::new(&self.wire[first.clone()], *first_slot);
        Err(Error::cross_slot(CrossSlot::Keys(first, InSlot::new(key, slot))))
    }

    /// Where the keys so far say that the request goes.
    pub fn route(&self) -> Route {
        self.slot.as_ref().map_or(Route::Any, |(slot, _)| Route::Slot(*slot))
    }

    /// The first key, where there is one.
    pub fn first_key(&self) -> Option<&[u8]> {
        self.slot.as_ref().map(|(_, at)| &self.wire[at.clone()])
    }

    /// The finished request. `carries_code`: whether a script's code may be sent where it is missing.
    pub fn finish(mut self, carries_code: bool) -> Request {
        let record = self.recording.take().map(|recording| Box::new(self.finish_recording(*recording)));
        let wire = self.wire.split().freeze();
        keep_block(self.wire, wire.len());
        let (read_only, about) = match self.script {
            None => (false, About::Command),
            Some((script, tail)) => (script.options().read_only, About::Script { script, tail, carries_code, record }),
        };
        Request {
            wire,
            words: self.words,
            lane: LaneKind::Data,
            read_only,
            is_killed_on_timeout: false,
            gather: Gather::ByNode,
            about,
        }
    }

    fn finish_recording(&mut self, recording: Recording) -> Recorded {
        let Recording { script, once, name, id } = recording;
        let tail = self.script.as_ref().map_or(0, |(_, tail)| *tail);
        let script = script.without_probes().clone();
        let digest = once::digest(&script, [&self.wire[tail..name.start], &self.wire[name.end..]]);
        self.word(&digest);
        self.word(script.hash().as_bytes());
        self.word(itoa::Buffer::new().format(once.ttl.as_millis().max(1)).as_bytes());
        Recorded { script, digest, id, is_own: once.is_own, ttl: once.ttl, outlives_call: false }
    }
}

thread_local! {
    /// The rest of the block that the last request was packed into.
    static BLOCK: Cell<BytesMut> = Cell::default();
}

/// So small that a request which waits for long keeps little memory from being freed.
const BLOCK_BYTES: usize = 4 << 10;

fn take_block() -> BytesMut {
    let block = BLOCK.take();
    if block.capacity() == 0 { BytesMut::with_capacity(BLOCK_BYTES) } else { block }
}

/// Keeps the rest of a block for the next request, unless it was made for this one, which was long.
fn keep_block(rest: BytesMut, used: usize) {
    if used < BLOCK_BYTES / 2 {
        BLOCK.set(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::script::Options;

    fn packed(request: &Request) -> &[u8] {
        request.wire()
    }

    #[test]
    fn a_command_is_packed_as_redis_rs_packs_it() {
        let mut packer = Packer::command(3);
        for word in [&b"SET"[..], b"key", &[0, 255, b'\r', b'\n']] {
            packer.word(word);
        }
        let mut command = redis::cmd("SET");
        command.arg("key").arg(&[0_u8, 255, b'\r', b'\n']);
        assert_eq!(packed(&packer.finish(false)), command.get_packed_command());
    }

    #[test]
    fn a_script_goes_out_by_hash_and_again_with_its_code() {
        let script = Arc::new(Script::new("return 1", Options::default()));
        let mut packer = Packer::script(&script, 1, 11);
        let words: Vec<String> = (0..12).map(|n| "w".repeat(n)).collect();
        words.iter().for_each(|word| packer.word(word.as_bytes()));
        let request = packer.finish(true);

        let mut by_hash = redis::cmd("EVALSHA");
        by_hash.arg(script.hash()).arg(1).arg(&words);
        assert_eq!(packed(&request), by_hash.get_packed_command());
        let mut by_code = redis::cmd("EVAL");
        by_code.arg("return 1").arg(1).arg(&words);
        assert_eq!(request.wire_as(Form::Code), by_code.get_packed_command());
    }

    fn called_once(once: Once, keys: &[&[u8]], args: &[&[u8]]) -> Request {
        let script = Arc::new(Script::new("return 1", Options::default()));
        let mut packer = Packer::script_once(&script, keys.len(), args.len(), once);
        keys.iter().try_for_each(|key| packer.key(key)).expect("one slot");
        packer.record(true);
        args.iter().for_each(|arg| packer.word(arg));
        packer.finish(true)
    }

    #[test]
    fn a_call_with_once_has_the_record_after_its_keys_and_what_the_record_needs_after_its_arguments() {
        let once = Once::given(b"order".to_vec(), Some(Duration::from_secs(60)));
        let request = called_once(once, &[b"{k}1", b"{k}2"], &[b"a"]);
        let words: Vec<_> = request.words().map(<[u8]>::to_vec).collect();
        assert_eq!(words[2..7], [&b"3"[..], b"{k}1", b"{k}2", b"once:{k}:order", b"a"].map(<[u8]>::to_vec));
        assert_eq!(words[7], request.record().expect("a record").digest);
        assert_eq!(words[8], request.callers_script().expect("a script").hash().as_bytes());
        assert_eq!(words[9..], [b"60000".to_vec()]);
        assert_ne!(words[1], words[8], "what is sent keeps the record");
        assert_eq!(request.shown_id(), "\"order\"");
    }

    #[test]
    fn the_digest_is_of_the_script_the_keys_and_the_arguments_and_of_nothing_else() {
        let digest = |id: &[u8], keys: &[&[u8]], args: &[&[u8]]| {
            let request = called_once(Once::given(id.to_vec(), None), keys, args);
            request.record().expect("a record").digest
        };
        let one = digest(b"a", &[b"{k}1"], &[b"x", b"y"]);
        assert_eq!(one, digest(b"another", &[b"{k}1"], &[b"x", b"y"]));
        for (keys, args) in [
            (&[&b"{k}2"[..]][..], &[&b"x"[..], b"y"][..]),
            (&[b"{k}1"], &[b"xy"]),
            (&[b"{k}1", b"{k}"], &[b"y"]),
            (&[b"{k}1"], &[b"y", b"x"]),
        ] {
            assert_ne!(one, digest(b"a", keys, args), "{keys:?} {args:?}");
        }
    }

    #[test]
    fn an_own_id_is_renewed_and_one_that_was_given_stays() {
        let own = Once::own(b"0000".to_vec(), None);
        let mut request = called_once(own, &[b"k"], &[]);
        let (before, digest) = (request.clone(), request.record().expect("a record").digest);
        request.renew_id(|| b"1234".to_vec());
        assert_eq!(request.words().nth(4), Some(&b"once:{k}:1234"[..]));
        assert_eq!(before.words().nth(4), Some(&b"once:{k}:0000"[..]));
        assert_eq!(request.record().expect("a record").digest, digest);
        let mut request = called_once(Once::given(b"0000".to_vec(), None), &[b"k"], &[]);
        request.renew_id(|| b"1234".to_vec());
        assert_eq!(request.words().nth(4), Some(&b"once:{k}:0000"[..]));
    }

    #[test]
    fn it_may_be_sent_again_only_while_its_record_lives() {
        let mut request = called_once(Once::given(b"id".to_vec(), Some(Duration::from_secs(10))), &[b"k"], &[]);
        assert!(!request.is_repeatable(), "nobody has said how long it may take");
        request.bound(Duration::from_secs(5));
        assert!(request.is_repeatable());
        request.bound(Duration::from_millis(5001));
        assert!(!request.is_repeatable());
    }

    #[test]
    fn debug_output_shows_no_argument() {
        let mut packer = Packer::command(2);
        packer.word(b"AUTH");
        packer.word(b"secret");
        let shown = format!("{:?}", packer.finish(false));
        assert_eq!(shown, "Request(AUTH, 2 words)");
    }
}
