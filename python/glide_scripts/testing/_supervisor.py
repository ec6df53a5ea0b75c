"""The process between an owner and its server. It ends the server when the owner is gone.

Run by path, never imported: ``python -I -S _supervisor.py DIRECTORY PROGRAM [ARGUMENT ...]``.

Its standard input is a pipe whose other end only the owner holds, so that its closing says that
the owner ended, however it ended (SIGKILL runs no handlers). Being the server's parent, it knows
that the id it kills is still the server's. It writes that id to its standard output; what the
server prints goes to its standard error.
"""

import os
import select
import shutil
import signal
import sys


def main(directory: str, command: list[str]) -> int:
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)

    server = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, 2, 1),
        ],
        # This also ends its forks: a debugging session outlives a killed server.
        setpgroup=0,
        # Python ignores these, and what is ignored is inherited.
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )
    print(server, flush=True)

    while True:
        ready, _, _ = select.select([0, woken], [], [])
        owner_gone = 0 in ready or set(os.read(woken, 64)) != {signal.SIGCHLD}
        # Until it is waited for, its id is that of no other process group.
        ended = os.waitid(os.P_PID, server, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if not owner_gone and ended is None:
            continue
        try:
            os.killpg(server, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # Some systems raise this if no process is left.
            pass
        _, status = os.waitpid(server, 0)
        if owner_gone:
            shutil.rmtree(directory, ignore_errors=True)
            return 0
        return os.waitstatus_to_exitcode(status) % 256


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except OSError as error:
        sys.exit(f"cannot run {sys.argv[2]}: {error}")
