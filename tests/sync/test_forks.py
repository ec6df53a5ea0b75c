"""Synchronous clients in processes that fork, and in programs that end."""

from __future__ import annotations

import sys

import pytest
from tests.programs import run_program

from glide_scripts.testing import ValkeyServer

PRELUDE = """
from glide_scripts.sync import *

def in_child(work):
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return process

def ended(process):
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
"""

THREADS = """
stopping = threading.Event()

def work():
    while not stopping.is_set():
        assert client.invoke_script(ECHO, args=["a"]) == b"a"

threads = [threading.Thread(target=work) for _ in range(4)]
"""


def test_a_parents_client_names_the_fork(server: ValkeyServer) -> None:
    program = f"""{PRELUDE}
client = GlideClient.from_url(URL)
client.ping()

def work():
    try:
        client.ping()
    except ClosingError as error:
        assert "made in the parent process, before the fork; make a new one here" in str(error)
    else:
        raise AssertionError("it answered")
    client.close()

ended(in_child(work))
assert client.ping() == b"PONG"
client.close()
"""
    run_program(program, server.url)


def test_workers_that_are_forked_make_clients_of_their_own(server: ValkeyServer) -> None:
    """As gunicorn and Celery do it: the parent loads the program, and may have used a client."""
    program = f"""{PRELUDE}
client = GlideClient.from_url(URL)
client.set("calls", "0")

def work():
    with GlideClient.from_url(URL) as own:
        for _ in range(100):
            own.incr("calls")

for process in [in_child(work) for _ in range(4)]:
    ended(process)
print(client.get("calls"))
"""
    assert run_program(program, server.url) == "b'400'\n"


LAZY = f"""{PRELUDE}
host, port = URL.removeprefix("valkey://").rstrip("/").split(":")
config = GlideClientConfiguration([NodeAddress(host, int(port))], lazy_connect=True)
client = GlideClient(config)
"""


@pytest.mark.parametrize("is_used", [False, True])
@pytest.mark.parametrize(
    "made",
    ["client", "GlideClient.create(config)", 'GlideClient.from_url(URL + "?lazy_connect=1")'],
)
def test_workers_that_are_forked_share_a_client_that_connects_with_its_first_call(
    server: ValkeyServer, made: str, is_used: bool
) -> None:
    """As of a module that the parent imports: each process has connections of its own."""
    program = f"""{LAZY}
client = {made}
if {is_used}:
    client.ping()

def work():
    def calls(_):
        return [client.incr("calls") for _ in range(100)]

    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(calls, range(8)))
    assert client.custom_command(["CLIENT", "LIST"]).count(b"lib-name=") <= 5
    client.close()

for process in [in_child(work) for _ in range(4)]:
    ended(process)
print(client.get("calls"))
client.close()
"""
    assert run_program(program, server.url) == "b'3200'\n"


def test_such_a_client_serves_a_child_of_whose_fork_python_was_not_told(
    server: ValkeyServer,
) -> None:
    """A fork as in uWSGI, where ``os.register_at_fork`` has no effect."""
    program = f"""{LAZY}
import ctypes

process = ctypes.PyDLL(None).fork()
if process == 0:
    try:
        assert client.incr("calls") == 1
    finally:
        os._exit(client.get("calls") != b"1")
ended(process)
print(client.incr("calls"))
client.close()
"""
    assert run_program(program, server.url) == "2\n"


def test_of_such_a_client_a_child_has_neither_the_watch_nor_the_end(server: ValkeyServer) -> None:
    program = f"""{LAZY}
change = Batch(is_atomic=True).set("k", "v")
client.watch(["k"])

def work():
    assert client.exec(change, True) is not None
    client.watch(["k"])
    with GlideClient.from_url(URL) as other:
        other.set("k", "changed")
    assert client.exec(change, True) is None
    client.close()
    ended(in_child(closed))

def closed():
    try:
        client.ping()
    except ClosingError:
        return
    raise AssertionError("it answered")

ended(in_child(work))
print(client.exec(change, True))
client.close()
ended(in_child(closed))
"""
    assert run_program(program, server.url) == "None\n"


def test_a_child_that_does_not_use_such_a_client_has_nothing_to_close(server: ValkeyServer) -> None:
    program = f"""{LAZY}
client.ping()
if os.fork() == 0:
    assert repr(client) == "<GlideClient open>"
    sys.exit()
os.wait()
client.close()
"""
    run_program(program, server.url)


def test_a_fork_among_threads_that_call_harms_neither(server: ValkeyServer) -> None:
    program = f"""{PRELUDE}
client = GlideClient.from_url(URL)
{THREADS}
def child():
    with GlideClient.from_url(URL) as own:
        assert own.ping() == b"PONG"
    with contextlib.suppress(ClosingError):
        client.ping()

for thread in threads:
    thread.start()
for _ in range(20):
    ended(in_child(child))
stopping.set()
for thread in threads:
    thread.join()
"""
    run_program(program, server.url)


@pytest.mark.parametrize(
    ("module", "fetch"),
    [
        ("failures.explanation", "import_now(import_explanation)"),
        ("client.blocking.cluster", "glide_scripts.sync.GlideClusterClient"),
    ],
)
def test_a_fork_waits_for_what_another_thread_imports(
    server: ValkeyServer, module: str, fetch: str
) -> None:
    """A module whose import the thread has begun would never be there in the child."""
    program = f"""
import glide_scripts.sync
from glide_scripts.client.late_imports import import_explanation
from glide_scripts.importing import import_now
{PRELUDE.replace("import *", "import GlideClient")}
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "glide_scripts.{module}":
            begun.set()
            forked.wait(0.5)

def fetch():
    {fetch}

def child():
    signal.alarm(20)
    fetch()
    with GlideClient.from_url(URL) as client:
        assert client.ping() == b"PONG"

begun, forked = threading.Event(), threading.Event()
sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=fetch)
thread.start()
begun.wait()
process = in_child(child)
forked.set()
ended(process)
thread.join()
"""
    run_program(program, server.url)


def test_a_child_connects_wherever_another_thread_was_with_the_first_client(
    server: ValkeyServer,
) -> None:
    """The child has no such thread, which would finish what it began to make for the process."""
    program = f"""{PRELUDE}
def connect():
    with GlideClient.from_url(URL) as client:
        assert client.invoke_script(ECHO, args=["a"]) == b"a"

def child():
    signal.alarm(20)
    connect()

sys.setswitchinterval(1e-6)
thread = threading.Thread(target=connect)
thread.start()
processes = [in_child(child)]
while thread.is_alive() and len(processes) < 50:
    processes.append(in_child(child))
for process in processes:
    ended(process)
thread.join()
print(len(processes))
"""
    assert int(run_program(program, server.url)) > 1


def test_a_child_that_a_thread_forked_handles_signals(server: ValkeyServer) -> None:
    program = f"""{PRELUDE}
def child():
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    with GlideClient.from_url(URL) as own:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            own.custom_command(["BLPOP", "nothing", "0"])
        except KeyboardInterrupt:
            return
    raise AssertionError("it went on")

client = GlideClient.from_url(URL)
client.ping()
thread = threading.Thread(target=lambda: ended(in_child(child)))
thread.start()
thread.join()
"""
    run_program(program, server.url)


def test_a_handler_that_forks_while_a_call_waits_has_a_child_that_goes_on(
    server: ValkeyServer,
) -> None:
    program = f"""{PRELUDE}
client = GlideClient.from_url(URL)
main = os.getpid()

def fork(*_):
    global child
    child = os.fork()

signal.signal(signal.SIGALRM, fork)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    print(client.custom_command(["BLPOP", "list", "1"]))
    ended(child)
except ClosingError as error:
    assert os.getpid() != main
    assert "before the fork" in str(error)
    os._exit(0)
"""
    assert run_program(program, server.url) == "None\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(server: ValkeyServer, method: str) -> None:
    program = f"""{PRELUDE}
def work(number):
    with GlideClient.from_url(URL) as own:
        return own.incrby("sum", number)

if __name__ == "__main__":
    import multiprocessing
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        pool.map(work, range(10))
        pool.close()
        pool.join()
    print(GlideClient.from_url(URL).get("sum"))
"""
    assert run_program(program, server.url) == "b'45'\n"


def test_a_program_may_end_while_daemon_threads_call(server: ValkeyServer) -> None:
    program = f"""{PRELUDE}
client = GlideClient.from_url(URL)
under_way = threading.Semaphore(0)

def work():
    while True:
        with contextlib.suppress(ClosingError, RuntimeError):
            client.invoke_script(ECHO, args=["a"])
            under_way.release()

def wait():
    client.custom_command(["BLPOP", "nothing", "0"])

def make():
    while True:
        with contextlib.suppress(ClosingError, RuntimeError), GlideClient.from_url(URL) as own:
            own.ping()

threading.excepthook = lambda _: None
for target in (work, work, wait, make):
    threading.Thread(target=target, daemon=True).start()
for _ in range(20):
    assert under_way.acquire(timeout=300)
"""
    for _ in range(5):
        run_program(program, server.url)


def test_a_program_may_end_without_closing(server: ValkeyServer) -> None:
    run_program(f"{PRELUDE}\nclient = GlideClient.from_url(URL)\nclient.ping()\n", server.url)


@pytest.mark.skipif(sys.platform == "win32", reason="it forks")
def test_forks_interrupts_and_closing_under_load_never_hang(server: ValkeyServer) -> None:
    """The short form: some rounds; `python -m tests.sync.soak` goes on for minutes."""
    from tests.sync.soak import program

    assert run_program(program(rounds=25), server.url) == "25 rounds\n"
