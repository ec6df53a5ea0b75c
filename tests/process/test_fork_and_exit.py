"""Clients when processes fork, and when programs end."""

import gc
import signal
import sys

import pytest
from tests.programs import rest, run_program, started
from tests.waiting import until

from glide_scripts import GlideClient, Script, sync
from glide_scripts.testing import ValkeyServer

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

# A call that the server never answers, without keeping it from serving others.
UNANSWERED = 'client.custom_command(["BLPOP", "nothing", "0"])'


def test_a_program_may_end_with_calls_under_way(server: ValkeyServer) -> None:
    program = f"""
async def main():
    global client
    client = await GlideClient.from_url(URL)
    tasks = [asyncio.create_task({UNANSWERED}) for _ in range(100)]
    await client.ping()

asyncio.run(main())
"""
    run_program(program, server.url)


def test_a_program_may_end_without_ending_its_loop(server: ValkeyServer) -> None:
    program = f"""
loop = asyncio.new_event_loop()
client = loop.run_until_complete(GlideClient.from_url(URL))

async def main():
    global task
    task = asyncio.create_task({UNANSWERED})
    task._log_destroy_pending = False  # asyncio's own complaint about such a program
    await client.ping()

loop.run_until_complete(main())
"""
    run_program(program, server.url)


def test_what_outlives_the_names_of_its_module_raises_nothing(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the interpreter, Python sets a module's names to None."""
    client = sync.GlideClient.from_url(server.url)
    replies = client.invoke_script_many(Script("return 1"), [([], [])])
    client.close()
    monkeypatch.setattr("glide_scripts.client.opening.UnopenedCore", None)
    for module in "opening", "blocking.replies":
        monkeypatch.setattr(f"glide_scripts.client.{module}.warnings", None)
    with pytest.warns(RuntimeWarning, match="nobody asked for the replies"):
        del replies
    # An exception is a warning of pytest's, which fails the test.
    del client
    gc.collect()


def test_a_program_may_exit_inside_a_coroutine(server: ValkeyServer) -> None:
    program = f"""
async def main():
    client = await GlideClient.from_url(URL)
    task = asyncio.create_task({UNANSWERED})
    await client.ping()
    sys.exit()

asyncio.run(main())
"""
    run_program(program, server.url)


@pytest.mark.parametrize("rounds", [1, 1_000_000])
@pytest.mark.parametrize("has_readers", [True, False])
def test_a_program_may_end_while_daemon_threads_make_clients_and_calls(
    server: ValkeyServer, has_readers: bool, rounds: int
) -> None:
    program = """
class Loop(asyncio.SelectorEventLoop):
    def add_reader(self, *arguments):
        if not HAS_READERS:
            raise NotImplementedError
        return super().add_reader(*arguments)

under_way = threading.Semaphore(0)

async def calls():
    while True:
        with contextlib.suppress(ClosingError, RuntimeError):
            async with await GlideClient.from_url(URL) as client:
                for _ in range(ROUNDS):
                    calls = (client.invoke_script(ECHO, args=["a"]) for _ in range(100))
                    await asyncio.gather(*calls)
                    under_way.release()

def work():
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(calls())

for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
for _ in range(10):
    assert under_way.acquire(timeout=300)
"""
    program = program.replace("HAS_READERS", str(has_readers)).replace("ROUNDS", str(rounds))
    for _ in range(10):
        run_program(program, server.url)


def test_a_program_may_end_while_a_daemon_thread_computes_after_a_reply(
    server: ValkeyServer,
) -> None:
    program = """
computing = threading.Event()

async def calls():
    async with await GlideClient.from_url(URL) as client:
        await client.ping()
        computing.set()
        while True:
            sum(range(1000))

threading.Thread(target=asyncio.run, args=[calls()], daemon=True).start()
assert computing.wait(30)
"""
    for _ in range(3):
        run_program(program, server.url)


def test_an_interrupted_program_ends_at_once(server: ValkeyServer) -> None:
    program = f"""
async def main():
    async with await GlideClient.from_url(URL) as client:
        task = asyncio.create_task({UNANSWERED})
        await client.ping()
        print("calling", flush=True)
        await task

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
    with started(program, server.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "calling\n"
        process.send_signal(signal.SIGINT)
        output, complaints = rest(process)
    assert (process.returncode, output, complaints) == (0, "interrupted\n", "")


def test_an_interrupted_program_may_go_on_with_its_client(server: ValkeyServer) -> None:
    program = f"""
async def main(client):
    task = asyncio.create_task({UNANSWERED})
    await client.ping()
    print("calling", flush=True)
    await task

client = asyncio.run(GlideClient.from_url(URL))
try:
    asyncio.run(main(client))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    print(asyncio.run(client.invoke_script(ECHO, args=["going on"], timeout=30_000)))
asyncio.run(client.close())
"""
    with started(program, server.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "calling\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        # Now the abandoned call gets a reply.
        server.command("RPUSH", "nothing", "late")
        output, complaints = rest(process)
    assert (process.returncode, output, complaints) == (0, "b'going on'\n", "")


def test_a_program_that_is_interrupted_again_and_again_ends_at_once(server: ValkeyServer) -> None:
    program = """
async def main():
    async with await GlideClient.from_url(URL) as client:
        print("calling", flush=True)
        while True:
            calls = (client.invoke_script(ECHO, args=["a"]) for _ in range(100))
            await asyncio.gather(*calls)

for _ in range(5):
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
    with started(program, server.url) as process:
        assert process.stdout is not None
        for _ in range(5):
            assert process.stdout.readline() == "calling\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
        output, complaints = rest(process)
    assert (process.returncode, output, complaints) == (0, "", "")


FORK = """
async def use(client, name):
    async with asyncio.timeout(30):
        sent = [f"{name}-{number}" for number in range(200)]
        replies = await asyncio.gather(*(client.invoke_script(ECHO, args=[arg]) for arg in sent))
        assert replies == [arg.encode() for arg in sent]

async def in_child():
    try:
        client.stats()
    except ClosingError as error:
        assert "fork" in str(error), error
    else:
        raise AssertionError("the parent's client told its stats in the child")
    for call in (client.get("key"), client.invoke_script(ECHO, args=["a"])):
        try:
            await call
        except ClosingError as error:
            assert "fork" in str(error) and not error.may_have_executed, error
        else:
            raise AssertionError
    await client.close()
    async with await GlideClient.from_url(URL) as own:
        await use(own, "child")

def run_child(end):
    global client
    code = 1
    try:
        asyncio.run(in_child())
        client = None
        gc.collect()
        code = 0
    finally:
        end(code)

def fork(end):
    if (pid := os.fork()) == 0:
        run_child(end)
    return pid

def check(pid):
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


@pytest.mark.parametrize("end", ["os._exit", "sys.exit"])
def test_parent_and_child_go_on_after_a_fork(server: ValkeyServer, end: str) -> None:
    program = """
client = asyncio.run(GlideClient.from_url(URL))
asyncio.run(use(client, "before"))
for _ in range(10):
    check(fork(END))
    asyncio.run(use(client, "parent"))
asyncio.run(client.close())
"""
    run_program(FORK + program.replace("END", end), server.url)


def test_parent_and_child_go_on_after_a_fork_among_calls(server: ValkeyServer) -> None:
    program = """
async def main():
    global client
    async with await GlideClient.from_url(URL) as client:
        for turn in range(10):
            using = asyncio.create_task(use(client, f"call-{turn}"))
            for _ in range(turn):
                await asyncio.sleep(0)
            pid = fork(os._exit)
            await using
            check(pid)
            await use(client, "parent")

asyncio.run(main())
"""
    run_program(FORK + program, server.url)


def test_a_child_may_fork_too(server: ValkeyServer) -> None:
    program = """
client = asyncio.run(GlideClient.from_url(URL))
if (pid := os.fork()) == 0:
    client = asyncio.run(GlideClient.from_url(URL))
    check(fork(os._exit))
    asyncio.run(use(client, "child"))
    os._exit(0)
check(pid)
asyncio.run(use(client, "parent"))
"""
    run_program(FORK + program, server.url)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_have_clients_of_their_own(
    server: ValkeyServer, method: str
) -> None:
    program = """
import multiprocessing

async def main(name):
    async with await GlideClient.from_url(URL) as own:
        await use(own, name)

def work(name):
    asyncio.run(main(name))
    return name

if __name__ == "__main__":
    client = asyncio.run(GlideClient.from_url(URL))
    with multiprocessing.get_context("METHOD").Pool(2) as pool:
        print(pool.map(work, ["a", "b", "c", "d"]))
        asyncio.run(use(client, "parent"))
        pool.close()
        pool.join()
    asyncio.run(client.close())
"""
    output = run_program(FORK + program.replace("METHOD", method), server.url)
    assert output == "['a', 'b', 'c', 'd']\n"


# As an error, the warning would hold the client by its traceback.
@pytest.mark.filterwarnings("ignore:.* was never closed:ResourceWarning")
async def test_a_client_that_nobody_holds_any_more_closes_its_connections(
    own_server: ValkeyServer,
) -> None:
    def connections() -> int:
        clients = own_server.command("CLIENT", "LIST")
        assert isinstance(clients, bytes)
        return clients.count(b"lib-name=glide_scripts")

    clients = [await GlideClient.from_url(own_server.url) for _ in range(20)]
    assert [await client.ping() for client in clients] == [b"PONG"] * 20
    await until(lambda: connections() == 20)
    del clients
    gc.collect()
    await until(lambda: connections() == 0)


@LINUX
def test_a_thousand_clients_leave_no_descriptor_and_no_thread(server: ValkeyServer) -> None:
    program = """
async def open_and_close():
    async with await GlideClient.from_url(URL) as client:
        await client.ping()

def resources():
    return count("/proc/self/fd"), count("/proc/self/task")

async def main():
    await open_and_close()
    before = resources()
    for _ in range(20):
        await asyncio.gather(*(open_and_close() for _ in range(50)))
    deadline = time.monotonic() + 10
    # The first client imports in a thread. The count before may include this thread.
    while any(now > then for now, then in zip(resources(), before)):
        assert time.monotonic() < deadline, f"{before} became {resources()}"
        await asyncio.sleep(0.01)

asyncio.run(main())
"""
    run_program(program, server.url)


def test_a_new_client_works_after_the_io_thread_was_stopped(server: ValkeyServer) -> None:
    program = f"""
async def must_be_closed(call):
    try:
        await call
    except ClosingError as error:
        return error
    raise AssertionError

async def main():
    client = await GlideClient.from_url(URL)
    under_way = asyncio.create_task({UNANSWERED})
    await client.ping()
    _core.stop_io_thread()
    _core.stop_io_thread()
    assert (await must_be_closed(under_way)).may_have_executed
    await must_be_closed(client.ping())
    await client.close()
    async with await GlideClient.from_url(URL) as client:
        assert await client.invoke_script(ECHO, args=["a"]) == b"a"

asyncio.run(main())
"""
    run_program(program, server.url)


def test_a_call_made_after_the_io_thread_was_stopped_did_not_run(server: ValkeyServer) -> None:
    program = """
async def main():
    client = await GlideClient.from_url(URL)
    _core.stop_io_thread()
    try:
        await client.ping()
    except ClosingError as error:
        assert not error.may_have_executed, error

asyncio.run(main())
"""
    run_program(program, server.url)
