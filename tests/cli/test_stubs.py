"""Stub files of libraries: mypy lets right calls pass, and no wrong ones."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from glide_scripts import typed_script
from glide_scripts.cli import main
from glide_scripts.testing import ValkeyServer

SCRIPTS = {
    "rate_limit.lua": (
        "--@key user\n--@arg limit: int\n--@arg window: int\n--@returns bool\n"
        "local calls = redis.call('INCR', KEYS[1])\n"
        "if calls == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end\n"
        "return calls <= tonumber(ARGV[1])\n"
    ),
    "billing/total.lua": (
        "--@keys carts...\n--@arg factors: float...\n--@returns dict[str, int]\nreturn {'a', 1}\n"
    ),
    "billing/note.lua": (
        "--@arg about: dict[str, int]\n--@arg more: json\n--@returns str | None\nreturn ARGV[1]\n"
    ),
    "plain.lua": "return #ARGV\n",
    "named.lua": (
        "--@arg self: int\n--@arg client: str\n--@arg batch: str\n--@returns int\nreturn ARGV[1]\n"
    ),
    "kinds.lua": (
        "--@arg mode: Literal['a', 'b']\n--@arg at: datetime\n--@arg id: UUID | int\n"
        "--@arg rows: list[list[int]]\n--@returns Decimal\nreturn '1.5'\n"
    ),
    "billing_total.lua": "--@returns int\nreturn 7\n",
}

RIGHT = """\
from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from glide_scripts import (
    GlideClient, Json, Key, Script, ScriptError, ScriptLibrary, Secret, sync, typed_script
)

if TYPE_CHECKING:
    from scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory("scripts/"))


@scripts.error("OUT_OF_STOCK")
class OutOfStock(ScriptError):
    pass


@typed_script(Script("return ARGV[2]", name="first"))
def first(user: Key, token: Secret[str], numbers: Json[list[int]]) -> Json[list[int]]:
    raise NotImplementedError


@typed_script(Script("return #KEYS", name="several"))
def several(user: Key, carts: Sequence[Key], notes: Sequence[str]) -> int:
    raise NotImplementedError


async def main(url: str) -> None:
    async with await GlideClient.from_url(url) as client:
        allowed: bool = await scripts.rate_limit(client, user="u1", limit=10, window=60)
        assert allowed is True
        assert await scripts.rate_limit(client, b"u1", 10, 60) is True
        total = await scripts.billing.total(client, ["a", "b"], [1.5, 2])
        assert {name.upper(): count + 1 for name, count in total.items()} == {"A": 2}
        note = await scripts.billing.note(client, about={"a": 1}, more=[None])
        assert note is not None and note.startswith("{")
        assert await scripts.plain(client, args=["x"]) == 1
        assert await scripts.named(client, self=3, client="c", batch="b") == 3
        price: Decimal = await scripts.kinds(client, "a", datetime.now(), 1, [[1]])
        assert price == Decimal("1.5")
        seven: int = await scripts.billing_total(client)
        assert seven == 7
        carts: list[str] = ["a"]
        assert await several(client, "u1", carts, ["x"]) == 2
        assert sum(await first(client, "u1", "t", [1, 2])) == 3
        assert [script.name for script in scripts if script.name == "plain"] == ["plain"]
        reply = await client.invoke_script(scripts.rate_limit, *scripts.rate_limit.pack("u", 1, 2))
        assert scripts.rate_limit.decode(reply)


def work(url: str) -> None:
    with sync.GlideClient.from_url(url) as client:
        allowed: bool = scripts.rate_limit(client, user="u2", limit=10, window=60)
        assert allowed is True
        total = scripts.billing.total(client, ["a", "b"], [1.5, 2])
        assert {name.upper(): count + 1 for name, count in total.items()} == {"A": 2}
        seven: int = scripts.billing_total(client)
        assert seven == 7
        assert sum(first(client, "u1", "t", [1, 2])) == 3
        value = client.get("k")
        assert value is None or value.upper()


asyncio.run(main(sys.argv[1]))
work(sys.argv[1])
"""

# Each line marked with a code is wrong in just that way.
WRONG = """\
from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast

from glide_scripts import GlideClient, Key, Script, ScriptLibrary, sync, typed_script

if TYPE_CHECKING:
    from scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory("scripts/"))


@typed_script(Script("return ARGV"))
def first(user: Key, count: int) -> list[str]:
    raise NotImplementedError


@scripts.error("X")
class X(ValueError):  # type-var
    pass


async def main(client: GlideClient) -> None:
    await scripts.kinds(client, "c", datetime.now(), 1, [])  # arg-type
    await scripts.rate_limit(client, user="u1", limit="10", window=60)  # arg-type
    await scripts.rate_limit(client, user=1, limit=10, window=60)  # arg-type
    await scripts.rate_limit(client, user="u1", limit=10)  # call-arg
    await scripts.rate_limit(client, "u1", 10, 60, 1)  # call-arg
    await scripts.rate_limit(client, "u1", 10, 60, windw=1)  # call-arg
    await scripts.rate_limit("client", "u1", 10, 60)  # arg-type
    await scripts.rate_limt(client, "u1", 10, 60)  # attr-defined
    await scripts.billing.nope(client)  # attr-defined
    await scripts.billing.total(client, "abc", [1.0])  # arg-type
    await scripts.billing.total(client, ["a"], "1")  # arg-type
    await scripts.billing.note(client, {"a": "b"}, None)  # dict-item
    text: str = await scripts.rate_limit(client, "u1", 10, 60)  # arg-type
    (await scripts.billing.note(client, {}, None)).upper()  # union-attr
    scripts.rate_limit.add_to([], "u1", 10, 60)  # type-var
    await first(client, "u", "1")  # arg-type
    await first(client, "u")  # call-arg
    scripts.rate_limit(client, "u1", 10, 60).real  # attr-defined
    number: int = await first(client, "u", 1)  # arg-type


def work(client: sync.GlideClient) -> None:
    scripts.rate_limit(client, user="u1", limit="10", window=60)  # arg-type
    scripts.rate_limit(client, "u1", 10)  # call-arg
    number: list[int] = first(client, "u", 1)  # arg-type
    first(client, "u", 1).missing  # attr-defined

GlideClient()  # call-overload
GlideClient(host="localhost")  # call-overload
sync.GlideClient("valkey://localhost")  # call-overload
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in SCRIPTS.items():
        (tmp_path / "scripts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scripts" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mypy(folder: Path, program: str) -> tuple[int, str]:
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "program.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_folder_without_scripts_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stubs", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"glide-scripts: {tmp_path}: it has no .lua files\n"
    assert not list(tmp_path.iterdir())


def test_right_calls_pass_and_run(folder: Path) -> None:
    assert main(["stubs", "scripts"]) == 0
    assert mypy(folder, RIGHT) == (0, "")
    with ValkeyServer() as server:
        subprocess.run(
            [sys.executable, "-W", "error", "program.py", server.url], cwd=folder, check=True
        )


def test_a_file_that_was_written_earlier_goes_on_working(folder: Path) -> None:
    assert main(["stubs", "scripts"]) == 0
    file = folder / "scripts/library.pyi"
    text = (
        file.read_text().replace("TBatch, TCall, TypedLibrary, ", "TCall, ").replace("TBatch", "B")
    )
    private = (
        "from glide_scripts._library import TypedLibrary\nfrom glide_scripts._typed import B\n"
    )
    head, names, body = text.partition("from glide_scripts import ")
    assert names
    file.write_text(f"{head}{private}{names}{body}")
    assert mypy(folder, RIGHT) == (0, "")


def test_each_wrong_call_fails(folder: Path) -> None:
    assert main(["stubs", "scripts"]) == 0
    code, output = mypy(folder, WRONG)
    assert code == 1
    found = set(re.findall(r"^program\.py:(\d+): error: .*\[([\w-]+)\]$", output, re.MULTILINE))
    marked = {
        (str(number), line.rpartition("  # ")[2])
        for number, line in enumerate(WRONG.splitlines(), 1)
        if "  # " in line
    }
    assert found == marked, output


def test_the_example_of_typed_script_passes_with_the_plugin(folder: Path) -> None:
    (folder / "mypy.ini").write_text("[mypy]\nplugins = glide_scripts.mypy\n")
    documented = inspect.getdoc(typed_script) or ""
    example = documented.partition("::\n\n")[2].partition("    allowed =")[0]
    assert "@typed_script(" in example
    head = "from glide_scripts import Key, Script, typed_script\nfrom limits import USERS\n\n"
    program = head + textwrap.dedent(example)
    # mypy reads the unchanged program from its cache, and checks it again since USERS has changed.
    for users in ("USERS = 1", "USERS = 'u'"):
        (folder / "limits.py").write_text(users)
        assert mypy(folder, program) == (0, "")
    code, output = mypy(folder, f"{program}\ndef other() -> int: ...\n")
    assert code == 1
    assert output.count("error: ") == output.count("[empty-body]") == 1


def test_a_stub_file_says_what_is_declared(folder: Path) -> None:
    assert main(["stubs", "scripts"]) == 0
    text = (folder / "scripts/library.pyi").read_text()
    assert (
        "class _Library_rate_limit(TypedScript[..., bool]):\n"
        "    def __call__(\n"
        "        __self,\n"
        "        __client: AnyClient[bool, TCall],\n"
        "        /,\n"
        "        user: Key,\n"
        "        limit: int,\n"
        "        window: int,\n"
        "    ) -> TCall: ...\n"
    ) in text
    assert text.endswith(
        "class Library(TypedLibrary):\n"
        "    billing: _Library_billing\n"
        "    billing_total: _Library_billing_total_2\n"
        "    kinds: _Library_kinds\n"
        "    named: _Library_named\n"
        "    plain: _Library_plain\n"
        "    rate_limit: _Library_rate_limit\n"
    )


def test_the_same_scripts_give_the_same_file(folder: Path) -> None:
    assert main(["stubs", "scripts"]) == 0
    first = (folder / "scripts/library.pyi").read_text()
    assert main(["stubs", "scripts/", "--output", "other.pyi"]) == 0
    assert (folder / "other.pyi").read_text() == first


def test_a_stub_file_that_is_out_of_date_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stubs", "scripts", "--check"]) == 1
    again = "run glide-scripts stubs scripts\n"
    missing = f"glide-scripts: scripts/library.pyi does not exist; {again}"
    assert capsys.readouterr().err == missing
    assert not (folder / "scripts/library.pyi").exists()
    assert main(["stubs", "scripts"]) == 0
    assert main(["stubs", "scripts", "--check"]) == 0
    (folder / "scripts/rate_limit.lua").write_text("--@key user\nreturn 1")
    capsys.readouterr()
    assert main(["stubs", "scripts", "--check"]) == 1
    expected = f"glide-scripts: scripts/library.pyi is out of date; {again}"
    assert capsys.readouterr().err == expected
    (folder / "scripts/library.pyi").write_bytes(b"\xff")
    assert main(["stubs", "scripts", "--check"]) == 1
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], "nope: the folder does not exist; it was looked for at {here}/nope"),
        (["scripts", "--output", "nope/x.pyi"], "nope/x.pyi: No such file or directory"),
    ],
)
def test_what_cannot_be_done_ends_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["stubs", *arguments]) == 2
    assert capsys.readouterr().err == f"glide-scripts: {words.format(here=folder)}\n"


def test_a_declaration_that_cannot_be_ends_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "scripts/bad.lua").write_text("\n--@arg x")
    assert main(["stubs", "scripts"]) == 2
    assert capsys.readouterr().err.startswith("glide-scripts: scripts/bad.lua:2: --@arg takes")
