"""Forks, interrupts and closing under load, to see that nothing hangs: `python -m tests.sync.soak`.

Each round has a client that threads call, a child that makes one of its own, an interrupt that
ends a call of the main thread, and the end of the client while the threads still call.
"""

import argparse

from tests.programs import run_program

from glide_scripts.testing import ValkeyServer

ROUNDS = """
from glide_scripts.sync import *

# An interrupt may come after a call's coroutine was made and before it began.
warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)

def call(client):
    while True:
        try:
            assert client.invoke_script(ECHO, args=["a"]) == b"a"
        except ClosingError:
            return

def in_child(client):
    process = os.fork()
    if process:
        return process
    try:
        with GlideClient.from_url(URL) as own:
            assert own.ping() == b"PONG"
        try:
            client.ping()
        except ClosingError:
            os._exit(0)
    finally:
        os._exit(1)

def one_round(number):
    client = GlideClient.from_url(URL)
    threads = [threading.Thread(target=call, args=[client]) for _ in range(4)]
    for thread in threads:
        thread.start()
    child = in_child(client)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001 + number % 7 / 1000)
        while True:
            client.custom_command(["BLPOP", "nothing", "0.05"])
    except KeyboardInterrupt:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.close()
    for thread in threads:
        thread.join()

signal.signal(signal.SIGALRM, signal.default_int_handler)
"""


def program(*, rounds: int) -> str:
    return f"""{ROUNDS}
for number in range({rounds}):
    one_round(number)
print({rounds}, "rounds")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of each program")
    parser.add_argument("--programs", type=int, default=10)
    arguments = parser.parse_args()
    with ValkeyServer() as server:
        for number in range(1, arguments.programs + 1):
            run_program(program(rounds=arguments.rounds), server.url)
            print(f"{number} of {arguments.programs} programs", flush=True)


if __name__ == "__main__":
    main()
