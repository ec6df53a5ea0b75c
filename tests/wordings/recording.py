"""Asks a server, and keeps its answers."""

from __future__ import annotations

import re
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
        assert isinstance(listed, list)
        assert isinstance(listed[1], bytes)
        self._path = Path(listed[1].decode(), "server.log")
        self._read = 0

    def has(self, marker: str) -> bool:
        """Whether it has been logged since the last question."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            logged = file.read()
            self._read = file.tell()
        return re.search(rb"\b%s\b" % marker.encode(), logged) is not None


class Asker:
    """A connection that answers with errors, too, and the server's log."""

    def __init__(self, server: ValkeyServer, log: Log, *, user: str | None = None) -> None:
        self.log = log
        self._server = server
        self._connection = Connection(
            server.host, server.port, user=user, password=user and "secret"
        )

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
        version = lines.get("valkey_version", lines["redis_version"])
        self.server = f"{lines.get('server_name', 'redis')}-{version}"
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
            reply = asker(*words)
            self._tell(asker, state, probe, words)(probe.form, reply)

    def ask_queued(
        self,
        state: str,
        asker: Asker,
        probes: Iterable[Probe],
        before_exec: Callable[[], object] = lambda: None,
    ) -> None:
        """Asks in a transaction each."""
        for probe in probes:
            words = self._words(probe)
            tell = self._tell(asker, state, probe, words)
            asker("MULTI")
            tell(f"MULTI {probe.form}", asker(*words))
            before_exec()
            outcome = asker("EXEC")
            if isinstance(outcome, ServerReplyError):
                tell("EXEC", outcome)
            elif isinstance(outcome, list) and outcome:
                tell(f"EXEC {probe.form}", outcome[0])

    def add(self, situation: str, form: str, reply: Reply, ran: bool | None, *words: str) -> None:
        if not isinstance(reply, ServerReplyError):
            return
        line = str(reply)
        for port, name in self._ports.items():
            line = re.sub(rf"{port}\b", name, line)
        # One is kept of those that differ in nothing but what was made up for them.
        plain = re.sub(
            r"marker\d+|\b(f_)?[0-9a-f]{40}\b|(?<=with args beginning with: ).*", "", line
        )
        of_form = ("FCALL" in form) if ran else form
        sent = " ".join(_escaped(word).replace(" ", "\\s") for word in words)
        row = (
            self.server,
            situation,
            form,
            _escaped(line),
            {True: "yes", False: "no", None: "-"}[ran],
            sent,
        )
        self._rows.setdefault((situation, of_form, plain), row)

    def _tell(
        self, asker: Asker, state: str, probe: Probe, words: tuple[str, ...]
    ) -> Callable[[str, Reply], None]:
        """Takes the answers to a probe, each with the form of what it answers."""

        def tell(form: str, reply: Reply) -> None:
            ran = asker.log.has(words[-1]) if probe.runs_script else None
            # If a script did not run, it does not matter what it would have done.
            what = probe.what if ran else probe.what.partition(":")[0]
            # The same holds for EXECABORT.
            self.add(f"{state}, {'any' if form == 'EXEC' else what}", form, reply, ran, *words)

        return tell

    def _words(self, probe: Probe) -> tuple[str, ...]:
        if not probe.runs_script:
            return probe.words
        self._markers += 1
        return (*probe.words, f"marker{self._markers}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
