"""The class `Script`, alone and on a server."""

from __future__ import annotations

import copy
import hashlib
import pickle
from typing import Any
from unittest import mock

import pytest

from glide_scripts import GlideClient, NoScriptError, Script

NO_WRITES = "#!lua flags=no-writes\nreturn 1"
DIFFERENT: list[dict[str, Any]] = [
    {"code": "return 2"},
    {"code": "return 1 "},
    {"code": "return 1", "read_only": True},
    {"code": "return 1", "idempotent": True},
]


@pytest.mark.parametrize("code", ["return 1", "", "return 'grüße'", b"return '\xff\x00'"])
def test_the_code_is_kept_as_bytes_and_its_sha1_is_the_hash(code: str | bytes) -> None:
    script = Script(code)
    as_bytes = code.encode() if isinstance(code, str) else code
    assert script.code == as_bytes
    assert script.hash == script.get_hash() == hashlib.sha1(as_bytes).hexdigest()


def test_a_script_has_the_flags_and_the_name_that_it_was_given() -> None:
    plain, full = Script("return 1"), Script("x", name="x.lua", read_only=True, idempotent=True)
    assert (plain.name, plain.read_only, plain.idempotent) == (None, False, False)
    assert (full.name, full.read_only, full.idempotent) == ("x.lua", True, True)


def test_scripts_with_the_same_code_and_flags_are_equal() -> None:
    script, same = Script("return 1"), Script(b"return 1", read_only=False)
    assert script == same
    assert (script != same) is False
    assert {script: "found"}[same] == "found"


@pytest.mark.parametrize("other", DIFFERENT)
def test_scripts_that_differ_in_code_or_flags_are_not_equal(other: dict[str, Any]) -> None:
    script = Script("return 1")
    assert script != Script(**other)
    assert len({script, Script(**other)}) == 2


def test_the_name_is_no_part_of_what_makes_scripts_equal() -> None:
    first, second = Script("return 1", name="a.lua"), Script("return 1", name="b.lua")
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize("other", ["return 1", b"return 1", 1, None])
def test_a_script_is_not_equal_to_anything_else(other: object) -> None:
    assert Script("return 1") != other


def test_a_script_leaves_the_comparison_to_what_it_does_not_know() -> None:
    assert Script("return 1") == mock.ANY


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_script_comes_back_whole_from_a_pickle(protocol: int) -> None:
    script = Script(b"return '\xff'", name="x.lua", read_only=True, idempotent=True)
    back = pickle.loads(pickle.dumps(script, protocol))
    assert back == script
    assert (back.name, back.get_hash()) == ("x.lua", script.get_hash())


def test_an_override_of_the_first_line_survives_a_pickle() -> None:
    assert not pickle.loads(pickle.dumps(Script(NO_WRITES, read_only=False))).read_only


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_script_can_be_copied(duplicate: Any) -> None:
    script = Script("return 1", name="x.lua", idempotent=True)
    assert duplicate(script) == script
    assert duplicate([script])[0].name == "x.lua"


def test_the_repr_shows_what_tells_scripts_apart() -> None:
    script = Script("return 'grüße'", name="x.lua", read_only=True, idempotent=True)
    for part in ("Script(", "return 'grüße'", "x.lua", "read_only=True", "idempotent=True"):
        assert part in repr(script)
    assert script.get_hash() in repr(script)


@pytest.mark.parametrize("code", ["return 1 -- " + "ü" * 100_000, b"\xff\x00\n" * 100_000])
def test_the_repr_of_a_long_script_is_one_short_line(code: str | bytes) -> None:
    assert len(repr(Script(code))) < 500
    assert "\n" not in repr(Script(code))


@pytest.mark.parametrize(
    ("code", "read_only"),
    [
        (NO_WRITES, True),
        ("#!lua name=x flags=allow-stale,no-writes\r\nreturn 1", True),
        ("#!lua flags=no-writes", True),
        ("#!lua flags=allow-oom\nreturn 1", False),
        ("#!lua\n-- flags=no-writes\nreturn 1", False),
        ("-- #!lua flags=no-writes\nreturn 1", False),
        ("return 1", False),
    ],
)
def test_the_first_line_tells_whether_a_script_only_reads(code: str, read_only: bool) -> None:
    assert Script(code).read_only is Script(code.encode()).read_only is read_only


@pytest.mark.parametrize("code", [NO_WRITES, "return 1"])
@pytest.mark.parametrize("read_only", [True, False])
def test_read_only_has_the_last_word_over_the_first_line(code: str, read_only: bool) -> None:
    assert Script(code, read_only=read_only).read_only is read_only


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"code": 1}, "code is int; pass str or bytes"),
        ({"code": None}, "code is NoneType; pass str or bytes"),
        ({"code": bytearray(b"return 1")}, "code is bytearray; pass str or bytes"),
        ({"code": "", "name": 1}, "name"),
        ({"code": "", "name": b"x.lua"}, "name"),
        ({"code": "", "read_only": "yes"}, "read_only"),
        ({"code": "", "read_only": 1}, "read_only"),
        ({"code": "", "idempotent": None}, "idempotent"),
        ({"code": "", "idempotent": 1}, "idempotent"),
    ],
)
def test_an_argument_of_a_wrong_type_is_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        Script(**arguments)


def test_code_that_is_not_text_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^code is text that"):
        Script("return '\ud800'")


def test_all_but_the_code_is_given_by_name() -> None:
    with pytest.raises(TypeError):
        Script("return 1", "x.lua")  # type: ignore[call-arg]


@pytest.mark.parametrize("attribute", ["code", "hash", "name", "read_only", "idempotent"])
def test_a_script_cannot_be_changed(attribute: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Script("return 1"), attribute, None)


def test_a_released_script_still_knows_its_hash_and_its_code() -> None:
    script = Script("return 1")
    expected = script.get_hash()
    script.__del__()
    script.__del__()
    assert script.get_hash() == script.hash == expected
    assert script.code == b"return 1"
    assert script == Script("return 1")


async def test_a_released_script_does_not_bring_its_code_to_a_server(client: GlideClient) -> None:
    script = Script("return redis.call('INCR', KEYS[1])")
    script.__del__()
    with pytest.raises(NoScriptError) as caught:
        await client.invoke_script(script, keys=["n"])
    assert caught.value.may_have_executed is False
    assert await client.get("n") is None


async def test_a_released_script_runs_where_the_server_has_it(client: GlideClient) -> None:
    script = Script("return 'here'")
    await client.script_load(script)
    script.__del__()
    assert await client.invoke_script(script) == b"here"


async def test_releasing_one_script_leaves_its_equals_alone(client: GlideClient) -> None:
    released, dropped, other = Script("return 1"), Script("return 1"), Script("return 1")
    released.__del__()
    del dropped
    assert await client.invoke_script(other) == 1
    await client.script_flush()
    with pytest.raises(NoScriptError):
        await client.invoke_script(released)
    assert await client.invoke_script(other) == 1


async def test_a_script_that_is_deleted_while_its_call_waits_still_runs(
    client: GlideClient,
) -> None:
    script = Script("return 'done'")
    call = client.invoke_script(script)
    del script
    assert await call == b"done"


@pytest.mark.parametrize("again", [copy.copy, lambda s: pickle.loads(pickle.dumps(s))])
async def test_a_copy_of_a_script_brings_the_code(client: GlideClient, again: Any) -> None:
    assert await client.invoke_script(again(Script("return 'copied'"))) == b"copied"


async def test_a_subclass_of_script_runs_as_a_script(client: GlideClient) -> None:
    class Named(Script):
        pass

    assert await client.invoke_script(Named("return 1")) == 1
