"""One server process in a directory of its own, neither of which outlives its owner."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ..forks import notify_of_forks
from ..probes import logs

_SUPERVISOR = Path(__file__).with_name("_supervisor.py")
_LOG = "server.log"
_LOG_TAIL = 10


class ServerStartError(RuntimeError):
    """A server or a cluster did not become ready. The text ends with its log."""


class ServerProcess:
    """A directory, and the process that runs in it: at most one at a time.

    The server is a supervisor's child (see `_supervisor`), and the supervisor is ours.
    """

    def __init__(self) -> None:
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None
        self._pid: int | None = None
        self._launched_at = 0
        self._last_log = ""
        notify_of_forks(self)

    @property
    def directory(self) -> Path:
        """Where the server runs; made when first asked for, removed by `discard`."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="glide-scripts-server-"))
            logs.add(self._directory / _LOG)
            self._last_log = ""
        return self._directory

    @property
    def pid(self) -> int | None:
        """The server's process id, None when it does not run."""
        return self._pid if self.running else None

    @property
    def running(self) -> bool:
        supervisor = self._supervisor
        return supervisor is not None and supervisor.poll() is None

    @property
    def log(self) -> str:
        """All that the server printed, over restarts; kept when the directory is gone."""
        if (directory := self._directory) is not None:
            with contextlib.suppress(FileNotFoundError):
                text = (directory / _LOG).read_text(errors="replace")
                self._last_log = logs.without_probes(text)
        return self._last_log

    @property
    def log_of_launch(self) -> str:
        """What the newest launch printed."""
        return self.log[self._launched_at :]

    @property
    def log_tail(self) -> str:
        """The last lines of that."""
        return "\n".join(self.log_of_launch.splitlines()[-_LOG_TAIL:])

    def launch(self, program: Path, *arguments: str | Path) -> None:
        """Start `program` in the directory.

        Raises `ServerStartError` when it cannot be run.
        """
        self.kill()
        directory = self.directory
        self._launched_at = len(self.log)
        with (directory / _LOG).open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", _SUPERVISOR, directory, program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=directory,
                # A Ctrl-C in the terminal is for the owner, which stops the server properly. And
                # Linux divides the CPU by sessions: in one session with busy tests, servers waited
                # up to 10 seconds for their turn.
                start_new_session=True,
                bufsize=0,
            )
        assert self._supervisor.stdout is not None
        with self._supervisor.stdout as announced:
            pid = announced.readline()
        if not pid:
            self.kill()
            raise ServerStartError(f"cannot start {program}:\n{self.log_tail}")
        self._pid = int(pid)

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal; nothing when it does not run."""
        if (pid := self.pid) is not None:
            # Not found: it ended, and its supervisor is about to say so.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def terminate(self, timeout: float) -> None:
        """End the server with SIGTERM, after `timeout` seconds with SIGKILL."""
        if self._supervisor is None:
            return
        self.signal(signal.SIGTERM)
        # A paused server would not see it.
        self.signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._supervisor.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End the server with SIGKILL; return when it is gone. The directory stays."""
        if (supervisor := self._supervisor) is None:
            return
        if self._pid is None:
            # Interrupted in `launch`: only the supervisor knows whom to kill.
            _hang_up(supervisor)
        self.signal(signal.SIGKILL)
        supervisor.wait()
        _hang_up(supervisor)
        self._supervisor = self._pid = None

    def discard(self) -> None:
        """Kill what runs and remove the directory."""
        self.kill()
        self._last_log = self.log
        if self._directory is not None:
            logs.remove(self._directory / _LOG)
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _forked(self) -> None:
        """Forget server and directory, which belong to the process that this one was forked from.

        While a copy of the pipe is open here, the supervisor would not see its owner end.
        """
        if self._supervisor is not None:
            _hang_up(self._supervisor)
            self._supervisor.returncode = 0
        if self._directory is not None:
            logs.forget(self._directory / _LOG)
        self._supervisor = self._pid = self._directory = None


def _hang_up(supervisor: subprocess.Popen[bytes]) -> None:
    assert supervisor.stdin is not None
    supervisor.stdin.close()
