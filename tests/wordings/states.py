"""The states in which a server refuses something, and what it is asked in each."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.waiting import block_until
from tests.wordings.probes import (
    COMMANDS,
    FIRST_LINES,
    RELAYS,
    Probe,
    commands,
    late_library,
    library,
    script,
    scripts,
    sha,
)
from tests.wordings.recording import Asker, Log, Record

from glide_scripts.testing import ValkeyCluster, ValkeyServer
from glide_scripts.testing._wire import Reply, ServerReplyError

KEY = "k"
ENDLESS = "while true do end"
ENDLESS_LIBRARY = (
    f"#!lua name=endless\nredis.register_function('endless', function() {ENDLESS} end)"
)


@contextlib.contextmanager
def serving(record: Record, program: str, **config: str) -> Iterator[tuple[ValkeyServer, Asker]]:
    """A server with all scripts and functions, and a connection to it."""
    settings = {
        "lua-time-limit": "10",
        **{name.replace("_", "-"): value for name, value in config.items()},
    }
    with ValkeyServer(binary=program, config=settings) as server:
        asker = Asker(server, Log(server))
        load(record, asker)
        yield server, asker


def load(record: Record, asker: Asker) -> None:
    for kind in FIRST_LINES if record.has_flags else ["plain"]:
        for command in COMMANDS:
            for relay in RELAYS:
                asker("SCRIPT", "LOAD", script(kind, command, relay))
    if record.has_flags:
        loaded = asker("FUNCTION", "LOAD", library())
        assert loaded == b"recorded", loaded
        asker("FUNCTION", "LOAD", ENDLESS_LIBRARY)
    asker("SET", "text", "v")


def ask_all(
    record: Record,
    state: str,
    asker: Asker,
    calls: tuple[str, ...] = ("SET", "GET"),
    *,
    keys: tuple[str, ...] = (KEY,),
    flags: tuple[str, ...] = (),
    relays: tuple[str, ...] = ("pcall", "call"),
) -> None:
    """Asks by plain scripts, by flagged ones, and by those that declare one of `flags`."""
    kinds = ("plain", "flagged", *flags) if record.has_flags else ("plain",)
    probes = [*scripts(calls, keys, kinds, relays), *commands(keys, record.has_flags)]
    record.ask(state, asker, probes)
    record.ask_queued(state, asker, filter(is_for_transactions, probes))


def is_for_transactions(probe: Probe) -> bool:
    return not probe.runs_script or (
        probe.form in ("EVALSHA", "FCALL")
        and probe.what.endswith(("by pcall", "by call", "a command"))
    )


class Change(NamedTuple):
    """Brings a server into a state, and back."""

    enter: Callable[[], object]
    leave: Callable[[], object]

    @classmethod
    def by_commands(cls, asker: Asker, enter: tuple[str, ...], leave: tuple[str, ...]) -> Change:
        return cls(lambda: asker.aside(*enter), lambda: asker.aside(*leave))

    @classmethod
    def of_setting(cls, asker: Asker, name: str, value: str, usual: str) -> Change:
        change = ("CONFIG", "SET", name)
        return cls.by_commands(asker, (*change, value), (*change, usual))


def ask_before(
    record: Record, state: str, asker: Asker, change: Change, flags: tuple[str, ...] = ()
) -> None:
    """Queues first; the server comes into its state before EXEC."""
    kinds = ("plain", "flagged", *flags) if record.has_flags else ("plain",)
    for probe in [*scripts(("SET",), (KEY,), kinds), *commands((KEY,), record.has_flags)]:
        if is_for_transactions(probe):
            record.ask_queued(f"{state} before EXEC", asker, [probe], change.enter)
            change.leave()


def ask_late(record: Record, state: str, asker: Asker, change: Change) -> None:
    """Queues what the server does not have yet, and looks at only when it begins it."""
    if not record.has_flags:
        return
    state = f"{state} and loaded before EXEC"
    for kind in FIRST_LINES:
        code = f"{script(kind, 'SET', 'pcall')} -- {state}"
        probe = Probe(f"{kind}: SET by pcall", ("EVALSHA", sha(code), "1", KEY))

        def load_script(code: str = code) -> None:
            asker.aside("SCRIPT", "LOAD", code)
            change.enter()

        record.ask_queued(state, asker, [probe], load_script)
        change.leave()
        if kind != "plain":
            asker("FUNCTION", "DELETE", "late")

            def load_function(kind: str = kind) -> None:
                asker.aside("FUNCTION", "LOAD", late_library(kind))
                change.enter()

            probe = Probe(probe.what, ("FCALL", "late", "1", KEY))
            record.ask_queued(state, asker, [probe], load_function)
            change.leave()


def normal(record: Record, program: str) -> None:
    with serving(record, program) as (_, asker):
        ask_all(
            record, "normal", asker, tuple(COMMANDS), flags=("no-writes",), relays=tuple(RELAYS)
        )
        odd_requests(record, asker)
        own_errors(record, asker)
        record.add("normal, no transaction", "EXEC", asker("EXEC"), None, "EXEC")
        asker("MULTI")
        asker("NOSUCH")
        record.add("normal, unknown command queued", "EXEC", asker("EXEC"), None, "EXEC")


def odd_requests(record: Record, asker: Asker) -> None:
    def say(situation: str, *words: str, form: str | None = None) -> None:
        name = " ".join(words[:2]) if words[0] in ("SCRIPT", "FUNCTION") else words[0]
        ran = False if words[0].upper().startswith(("EVAL", "FCALL")) else None
        record.add(f"normal, {situation}", form or name, asker(*words), ran, *words)

    by_name = ["EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"]
    for name in [*by_name, "EVAL", "EVAL_RO"]:
        what = {"EVALSHA": "f" * 40, "FCALL": "nosuch", "EVAL": "return 1"}[
            name.removesuffix("_RO")
        ]
        say("no arguments", name)
        say("no number of keys", name, what)
        say("number of keys is no number", name, what, "x")
        say("number of keys is negative", name, what, "-1")
        say("number of keys is too great", name, what, "3", "a")
        say("not there", name, what, "0")
    say("not there with a short hash", "EVALSHA", "abc", "0")
    say("not there in lower case", "evalsha", "f" * 40, "0")
    say("unknown command", "NOSUCH", "a", "b c")
    say("unknown command without arguments", "NOSUCH")
    say("unknown subcommand", "SCRIPT", "NOSUCH")
    say("unknown subcommand", "FUNCTION", "NOSUCH")
    say("unknown subcommand", "CONFIG", "NOSUCH", "a")
    say("wrong arity", "SET", "a")
    say("wrong arity", "SCRIPT", "LOAD")
    say("wrong arity", "FUNCTION", "LOAD")
    say("wrong arity in the command's own words", "HSET", "hash", "f", "v", "g")
    say("nothing to kill", "SCRIPT", "KILL")
    say("nothing to kill", "FUNCTION", "KILL")
    for situation, code in {
        "does not compile": "return (",
        "does not compile on line 3": "local a\nlocal b\nfor",
        "engine is unknown": "#!nosuch\nreturn 1",
        "engine is missing": "#!\nreturn 1",
        "first line alone": "#!lua",
        "flag is unknown": "#!lua flags=nosuch\nreturn 1",
        "flags are none": "#!lua flags=\nreturn 1",
        "option is unknown": "#!lua nosuch=1\nreturn 1",
        "option has a name": "#!lua name=lib\nreturn 1",
    }.items():
        say(situation, "EVAL", code, "0")
        say(situation, "EVAL_RO", code, "0")
        say(situation, "SCRIPT", "LOAD", code)
        asker("MULTI")
        say(situation, "EVAL", code, "0", form="MULTI EVAL")
        outcome = asker("EXEC")
        assert isinstance(outcome, list)
        record.add(f"normal, {situation}", "EXEC EVAL", outcome[0], False, "EVAL", code, "0")
    name = "#!lua name=n\n"
    for situation, code in {
        "no first line": "return 1",
        "engine is unknown": "#!nosuch name=n\nreturn 1",
        "no name": "#!lua\nreturn 1",
        "bad name": "#!lua name=a-b\nreturn 1",
        "option is unknown": "#!lua name=n nosuch=1\nreturn 1",
        "does not compile": name + "return (",
        "fails while it is loaded": name + "error('no')",
        "fails with a table": name + "error({err='NOSCRIPT No matching script.'})",
        "calls a command": name + "redis.call('SET', 'a', 'b')",
        "calls nothing that there is": name + "nosuch()",
        "registers no function": name + "local a = 1",
        "registers badly": name + "redis.register_function('a')",
        "function's name is bad": name + "redis.register_function('a-b', function() end)",
        "function is there": name + "redis.register_function('endless', function() end)",
        "flag is unknown": name
        + "redis.register_function{function_name='a', callback=function() end, flags={'x'}}",
        "library is there": ENDLESS_LIBRARY,
    }.items():
        say(situation, "FUNCTION", "LOAD", code)
    say("library is not there", "FUNCTION", "DELETE", "nosuch")
    say("not a number", "INCR", "text")
    say("wrong type", "LPUSH", "text", "v")
    asker("MULTI")
    record.add("normal, nested", "MULTI", asker("MULTI"), None, "MULTI")
    record.add("normal, in a transaction", "WATCH", asker("WATCH", "k"), None, "WATCH", "k")
    asker("DISCARD")


def own_library(code: str) -> str:
    return f"#!lua name=own\nredis.register_function('own', function(KEYS, ARGV) {code} end)"


def own_errors(record: Record, asker: Asker) -> None:
    """Errors that a script makes up, also from a server's words."""
    words = [
        "NOPERM not yours",
        "MOVED 3 items",
        "ASK 5 friends",
        "CLUSTERDOWN Hash slot not served yet, says my app",
        "NOSCRIPT No matching script. Please use EVAL.",
        "NOSCRIPT No matching script.",
        "ERR Function not found",
        "BUSY",
        "MYCODE of its own",
        "no code",
    ]
    for text in words:
        for what, line in {
            "error_reply": f"return redis.error_reply('{text}')",
            "error_reply with dash": f"return redis.error_reply('-{text}')",
            "table": f"return {{err='{text}'}}",
            "raised": f"error('{text}')",
            "raised without place": f"error('{text}', 0)",
            "raised table": f"error({{err='{text}'}})",
        }.items():
            code = f"redis.log(redis.LOG_WARNING, ARGV[1]) {line}"
            record.ask("normal", asker, [Probe(f"plain: {text} by {what}", ("EVAL", code, "0"))])
            if record.has_flags:
                record.ask(
                    "normal",
                    asker,
                    [Probe(f"flagged: {text} by {what}", ("EVAL", "#!lua\n" + code, "0"))],
                )
                lib = own_library(code)
                asker("FUNCTION", "LOAD", "REPLACE", lib)
                record.ask(
                    "normal", asker, [Probe(f"flagged: {text} by {what}", ("FCALL", "own", "0"))]
                )
    for what, line in {
        "runtime error": "local a = nil\nreturn a.b",
        "assert": "assert(false)",
        "assert with text": "assert(false, 'no such thing')",
        "global": "return nosuch",
        "raised nil": "error()",
        "raised number": "error(7)",
        "compiles at run time": "return loadstring('return (')()",
        "too deep": "local function f() return 1 + f() end return f()",
    }.items():
        code = f"redis.log(redis.LOG_WARNING, ARGV[1]) {line}"
        record.ask("normal", asker, [Probe(f"plain: {what}", ("EVAL", code, "0"))])
        if record.has_flags:
            lib = own_library(code)
            asker("FUNCTION", "LOAD", "REPLACE", lib)
            record.ask("normal", asker, [Probe(f"flagged: {what}", ("FCALL", "own", "0"))])


def replica(record: Record, program: str) -> None:
    with serving(record, program) as (server, asker):
        primary = ("REPLICAOF", "NO", "ONE")
        change = Change.by_commands(asker, ("REPLICAOF", server.host, "1"), primary)
        flags = ("no-writes", "allow-oom", "allow-stale")
        change.enter()
        calls = ("SET", "GET", "PUBLISH")
        ask_all(record, "replica", asker, calls, flags=flags, relays=tuple(RELAYS))
        asker("CONFIG", "SET", "replica-serve-stale-data", "no")
        ask_all(record, "stale replica", asker, flags=flags)
        change.leave()
        ask_late(record, "stale replica", asker, change)
        asker("CONFIG", "SET", "replica-serve-stale-data", "yes")
        ask_late(record, "replica", asker, change)
        ask_before(record, "replica", asker, change, flags)


def setting(name: str, value: str, usual: str, state: str) -> Callable[[Record, str], None]:
    """A state that a setting makes."""

    def record_it(record: Record, program: str) -> None:
        with serving(record, program) as (_, asker):
            change = Change.of_setting(asker, name, value, usual)
            flags = ("no-writes", "allow-oom")
            change.enter()
            ask_all(record, state, asker, flags=flags)
            change.leave()
            ask_before(record, state, asker, change, flags)
            ask_late(record, state, asker, change)

    return record_it


def cannot_save(record: Record, program: str) -> None:
    with serving(record, program, dbfilename="saved") as (server, asker):
        listed = server.command("CONFIG", "GET", "dir")
        assert isinstance(listed, list)
        Path(os.fsdecode(listed[1]), "saved", "in the way").mkdir(parents=True)  # type: ignore[arg-type]
        server.command("CONFIG", "SET", "save", "900 1")
        server.command("BGSAVE")
        block_until(
            lambda: "rdb_last_bgsave_status:err" in as_text(server.command("INFO", "persistence"))
        )
        ask_all(record, "cannot save", asker, flags=("no-writes", "allow-oom"))
        change = Change.of_setting(asker, "stop-writes-on-bgsave-error", "yes", "no")
        ask_late(record, "cannot save", asker, change)


def cannot_append(record: Record, program: str) -> None:
    settings = {"lua-time-limit": "10", "appendonly": "yes"}
    with contextlib.ExitStack() as stack:
        server = ValkeyServer(binary=program, config=settings)
        # The server opens this file to append to it, and finds the disk full.
        folder = server._process.directory
        for name in ("appendonly.aof", "appendonlydir/appendonly.aof.1.incr.aof"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).symlink_to("/dev/full")
        stack.enter_context(server)
        asker = Asker(server, Log(server))
        load(record, asker)
        block_until(
            lambda: "aof_last_write_status:err" in as_text(server.command("INFO", "persistence"))
        )
        ask_all(record, "cannot append", asker, flags=("no-writes", "allow-oom"))
        ask_late(record, "cannot append", asker, Change(lambda: None, lambda: None))


USERS = {
    "no scripts": ["allkeys", "allchannels", "+@all", "-@scripting"],
    "no EVAL": ["allkeys", "allchannels", "+@all", "-eval", "-eval_ro"],
    "no EVALSHA": ["allkeys", "allchannels", "+@all", "-evalsha", "-evalsha_ro"],
    "no FCALL": ["allkeys", "allchannels", "+@all", "-fcall", "-fcall_ro"],
    "no SCRIPT": ["allkeys", "allchannels", "+@all", "-script"],
    "no SCRIPT LOAD": ["allkeys", "allchannels", "+@all", "-script|load", "-function|load"],
    "no SET": ["allkeys", "allchannels", "+@all", "-set", "-publish"],
    "no key": ["~mine:*", "allchannels", "+@all"],
    "no other key": ["~k", "allchannels", "+@all"],
    "no writing": ["%R~*", "allchannels", "+@all"],
    "no channel": ["allkeys", "resetchannels", "&mine", "+@all"],
    "no transactions": ["allkeys", "allchannels", "+@all", "-multi", "-exec"],
    "no database": ["allkeys", "allchannels", "+@all", "db=1"],
}


def without_rights(record: Record, program: str) -> None:
    with serving(record, program) as (server, asker):
        calls = ("SET", "GET", "SET of another key", "PUBLISH")
        for state, rights in USERS.items():
            rules = [
                rule
                for rule in rights
                if not (rule in ("-eval_ro", "-evalsha_ro") and not record.has_flags)
            ]
            if state == "no SCRIPT LOAD" and not record.has_flags:
                rules = ["allkeys", "allchannels", "+@all", "-script", "+script|exists"]
            set_ = asker("ACL", "SETUSER", "bob", "reset", "on", ">secret", *rules)
            if isinstance(set_, ServerReplyError):
                continue
            bob = Asker(server, asker.log, user="bob")
            ask_all(record, state, bob, calls)
        asker("ACL", "SETUSER", "bob", "reset", "on", ">secret", "allkeys", "allchannels", "+@all")
        bob = Asker(server, asker.log, user="bob")
        user = ("ACL", "SETUSER", "bob")
        fewer, all_ = ("-set", "-evalsha", "-get"), ("allkeys", "allchannels", "+@all")
        change = Change.by_commands(asker, (*user, *fewer), (*user, *all_))
        ask_before(record, "rights taken", bob, change)


def not_authenticated(record: Record, program: str) -> None:
    with serving(record, program) as (server, _):
        log = Log(server)
        server.command("CONFIG", "SET", "requirepass", "secret")
        asker = Asker(server, log)
        ask_all(record, "not authenticated", asker)
        record.add(
            "not authenticated, wrong password", "AUTH", asker("AUTH", "no"), None, "AUTH", "no"
        )
        record.add("not authenticated, greeting", "HELLO", asker("HELLO", "3"), None, "HELLO", "3")
        record.add("not authenticated, protocol", "HELLO", asker("HELLO", "9"), None, "HELLO", "9")


def loading(record: Record, program: str) -> None:
    # It answers each time that it has loaded a number of bytes: two million before Redis 7.
    settings, count, size = {"rdbcompression": "no"}, 100, 2_200_000
    if record.has_flags:
        settings |= {"enable_debug_command": "yes", "loading_process_events_interval_bytes": "1024"}
        count, size = 3000, 2_000
    with serving(record, program, **settings) as (server, asker):
        for number in range(count):
            server.command("SET", f"big{number}", "x" * size)
        server.command("CONFIG", "SET", "key-load-delay", "3000")
        reloader = threading.Thread(target=lambda: server.command("DEBUG", "RELOAD", timeout=120))
        reloader.start()

        def is_loading() -> bool:
            return str(asker("GET", KEY)).startswith("LOADING")

        block_until(is_loading)
        ask_all(record, "loading", asker, ("SET",), relays=("pcall",))
        assert is_loading(), "it has loaded before it was asked all"
        asker("CONFIG", "SET", "key-load-delay", "0")
        reloader.join()


def busy(record: Record, program: str) -> None:
    with serving(record, program) as (server, asker):
        kinds = {"busy with a script": (("EVAL", ENDLESS, "0"), "SCRIPT")}
        if record.has_flags:
            kinds["busy with a function"] = (("FCALL", "endless", "0"), "FUNCTION")
        for state, (words, kill) in kinds.items():
            running, replies = start(server, *words)
            block_until(lambda: str(asker("GET", KEY)).startswith("BUSY"))
            ask_all(record, state, asker)
            other = "FUNCTION" if kill == "SCRIPT" else "SCRIPT"
            record.add(
                f"{state}, kill of the other",
                f"{other} KILL",
                asker(other, "KILL"),
                None,
                other,
                "KILL",
            )
            for greeting in (
                ("HELLO", "2"),
                ("SELECT", "1"),
                ("CLIENT", "SETNAME", "n"),
                ("AUTH", "x"),
                ("INFO",),
                ("READONLY",),
            ):
                record.add(f"{state}, greeting", greeting[0], asker(*greeting), None, *greeting)
            asker(kill, "KILL")
            running.join()
            record.add(
                f"killed, {'flagged' if kill == 'FUNCTION' else 'plain'}",
                words[0],
                replies[0],
                True,
                *words,
            )
            asker("SELECT", "0")
    endless_writer = "redis.call('SET', KEYS[1], 'v') " + ENDLESS
    with serving(record, program) as (server, asker):
        running, _ = start(server, "EVAL", endless_writer, "1", KEY, dies=True)
        block_until(lambda: str(asker("GET", KEY)).startswith("BUSY"))
        record.add(
            "busy with a script that wrote",
            "SCRIPT KILL",
            asker("SCRIPT", "KILL"),
            None,
            "SCRIPT",
            "KILL",
        )
        server.kill()
        running.join()
    protected = f"local ok = pcall(function() {ENDLESS} end) return 1"
    with serving(record, program) as (server, asker):
        running, replies = start(server, "EVAL", protected, "0")
        block_until(lambda: str(asker("GET", KEY)).startswith("BUSY"))
        asker("SCRIPT", "KILL")
        running.join()
        record.add("killed, plain in a pcall", "EVAL", replies[0], True, "EVAL", protected, "0")


def start(
    server: ValkeyServer, *words: str, dies: bool = False
) -> tuple[threading.Thread, list[Reply]]:
    replies: list[Reply] = []

    def run() -> None:
        try:
            replies.append(server.command(*words, timeout=60))
        except ServerReplyError as refused:
            replies.append(refused)
        except OSError:
            assert dies

    thread = threading.Thread(target=run)
    thread.start()
    return thread, replies


SLOTS = 16384
LOST = "lost"


def cluster(record: Record, program: str) -> None:
    settings = {
        "cluster_enabled": "yes",
        "cluster_require_full_coverage": "no",
        "cluster_node_timeout": "500",
    }
    lost = ValkeyCluster.key_slot(LOST)
    half = SLOTS // 2
    elsewhere = next(f"e{n}" for n in range(100) if ValkeyCluster.key_slot(f"e{n}") >= half)
    moving = next(f"{{m{n}}}" for n in range(100) if ValkeyCluster.key_slot(f"m{n}") < half)
    assert ValkeyCluster.key_slot(KEY) < half
    with (
        serving(record, program, **settings) as (first, asker),
        serving(record, program, **settings) as (second, at_second),
        serving(record, program, **settings) as (third, at_third),
    ):
        for name, server in enumerate((first, second, third), 7001):
            record.name_port(server.port, name)
        asker("CLUSTER", "ADDSLOTS", *(str(slot) for slot in range(half) if slot != lost))
        ask_all(record, "cluster's slot is unknown", asker, keys=(elsewhere,))
        at_second(
            "CLUSTER", "ADDSLOTS", *(str(slot) for slot in range(half, SLOTS) if slot != lost)
        )
        asker("CLUSTER", "SET-CONFIG-EPOCH", "1")
        at_second("CLUSTER", "SET-CONFIG-EPOCH", "2")
        at_third("CLUSTER", "SET-CONFIG-EPOCH", "3")
        asker("CLUSTER", "MEET", second.host, str(second.port))
        asker("CLUSTER", "MEET", third.host, str(third.port))
        first_id, second_id = (
            as_text(asker("CLUSTER", "MYID")),
            as_text(at_second("CLUSTER", "MYID")),
        )
        every = (asker, at_second, at_third)
        block_until(
            lambda: all(
                "cluster_known_nodes:3" in as_text(node("CLUSTER", "INFO")) for node in every
            )
        )
        block_until(lambda: str(asker("GET", elsewhere)).startswith("MOVED"))
        block_until(lambda: "cluster_state:ok" in as_text(at_second("CLUSTER", "INFO")))
        block_until(lambda: "cluster_slots_assigned:16383" in as_text(at_third("CLUSTER", "INFO")))
        every_call = ("SET", "GET", "SET of another key", "SPUBLISH")
        ask_all(record, "cluster", asker, every_call, flags=("no-cluster",))
        ask_all(record, "slot moved", asker, keys=(elsewhere,))
        ask_all(record, "slot not served", asker, keys=(LOST,))
        ask_all(record, "keys of two slots", asker, keys=(KEY, elsewhere))
        slot = str(ValkeyCluster.key_slot(moving))
        asker("SET", moving + "here", "v")
        at_second("CLUSTER", "SETSLOT", slot, "IMPORTING", first_id)
        asker("CLUSTER", "SETSLOT", slot, "MIGRATING", second_id)
        ask_all(record, "slot migrating", asker, keys=(moving + "gone",))
        ask_all(
            record,
            "slot migrating, one of two keys",
            asker,
            keys=(moving + "here", moving + "gone"),
        )
        ask_all(record, "slot importing", at_second, keys=(moving + "gone",))
        ask_all(
            record,
            "slot importing after ASKING",
            Asking(at_second),
            keys=(moving + "gone", moving + "no"),
        )
        asker("CLUSTER", "SETSLOT", slot, "STABLE")
        at_second("CLUSTER", "SETSLOT", slot, "STABLE")
        at_third("CLUSTER", "REPLICATE", first_id)
        block_until(lambda: "master_link_status:up" in as_text(at_third("INFO", "replication")))
        ask_all(record, "replica in cluster", at_third, flags=("no-writes",))
        at_third("READONLY")
        ask_all(record, "replica in cluster after READONLY", at_third, flags=("no-writes",))
        asker("CONFIG", "SET", "cluster-require-full-coverage", "yes")
        # The node checks the coverage of the slots when a slot changes.
        asker("CLUSTER", "DELSLOTS", str(lost + 1))
        block_until(lambda: "cluster_state:fail" in as_text(asker("CLUSTER", "INFO")))
        ask_all(record, "cluster down", asker)
        asker("CONFIG", "SET", "cluster-allow-reads-when-down", "yes")
        ask_all(record, "cluster down for writes", asker, flags=("no-writes",))


class Asking(Asker):
    """Says ASKING before each request."""

    def __init__(self, asker: Asker) -> None:
        self.log, self._asker = asker.log, asker

    def __call__(self, *words: str) -> Reply:
        self._asker("ASKING")
        return self._asker(*words)


def as_text(reply: Reply) -> str:
    assert isinstance(reply, bytes), reply
    return reply.decode()


ALL: list[Callable[[Record, str], None]] = [
    normal,
    replica,
    setting("min-replicas-to-write", "1", "0", "too few replicas"),
    setting("maxmemory", "1", "0", "out of memory"),
    cannot_save,
    cannot_append,
    without_rights,
    not_authenticated,
    loading,
    busy,
    cluster,
]
