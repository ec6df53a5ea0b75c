"""`once` and `once_ttl`: what is refused before anything is sent."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from glide_scripts import Batch, ClusterBatch, CrossSlotError, Script, ScriptSourceError

SCRIPT = Script("return redis.call('INCR', KEYS[1])")


def add(script: Script = SCRIPT, args: list[str] | None = None, **settings: Any) -> Batch:
    return Batch(is_atomic=False).invoke_script(script, ["k"], args, **settings)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"once": 5}, TypeError("once is int; pass True, or an id as str or bytes")),
        ({"once": ["a"]}, TypeError("once is list; pass True, or an id as str or bytes")),
        ({"once": ""}, ValueError("once is empty")),
        ({"once": b""}, ValueError("once is empty")),
        ({"once": "x" * 513}, ValueError("once is 513 bytes long")),
        ({"once": "é" * 257}, ValueError("once is 514 bytes long")),
        ({"once": "\ud800"}, ValueError("once is text that cannot be encoded")),
        ({"once_ttl": 5}, ValueError("once_ttl is given without once")),
        ({"once": False, "once_ttl": 5}, ValueError("once_ttl is given with once=False")),
        ({"once": "a", "once_ttl": 0}, ValueError("once_ttl is 0;")),
        ({"once": "a", "once_ttl": -1}, ValueError("once_ttl is -1;")),
        ({"once": "a", "once_ttl": float("nan")}, ValueError("once_ttl is nan;")),
        ({"once": "a", "once_ttl": 1e300}, ValueError("once_ttl is 1e")),
        ({"once": "a", "once_ttl": "5"}, TypeError("once_ttl is str; pass seconds")),
        ({"once": "a", "once_ttl": True}, TypeError("once_ttl is bool; pass seconds")),
    ],
)
def test_a_wrong_id_or_time_is_named(settings: dict[str, Any], error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        add(**settings)
    assert str(caught.value).startswith(str(error))


def test_the_longest_id_is_taken() -> None:
    assert len(add(once="x" * 512)) == 1


@pytest.mark.parametrize("once", ["order", True])
def test_a_script_that_may_run_twice_is_refused(once: Any) -> None:
    for script, what in (
        (Script("return 1", read_only=True), "read-only"),
        (Script("#!lua flags=no-writes\nreturn 1"), "read-only"),
        (Script("return 1", idempotent=True), "declared idempotent"),
    ):
        with pytest.raises(ValueError, match=f"once is given, and the script is {what}"):
            add(script, once=once)
    with pytest.raises(ValueError, match="is read-only"):
        Script("return 1", read_only=True, once=True)
    with pytest.raises(ValueError, match="is declared idempotent"):
        Script("return 1", idempotent=True, once=True)


def test_a_function_is_no_script() -> None:
    with pytest.raises(TypeError, match="script is str; pass a Script"):
        add("a function", once="order")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="once"):
        Batch(is_atomic=False).fcall("f", ["k"], once="order")  # type: ignore[call-arg]


def test_keys_of_several_slots_are_refused() -> None:
    with pytest.raises(CrossSlotError, match='"a"'):
        ClusterBatch(is_atomic=False).invoke_script(SCRIPT, ["a", "b"], once="order")


def test_what_a_script_declares_is_checked() -> None:
    with pytest.raises(TypeError, match="once is str; pass a bool"):
        Script("return 1", once="order")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="once is tuple"):
        Script("return 1", once=("arguments", 0))
    with pytest.raises(ValueError, match="once_ttl is given without once"):
        Script("return 1", once_ttl=5)
    with pytest.raises(ValueError, match=r"args\[1\], which the script declares .* missing"):
        add(Script("return 1", once=("args", 1)), ["x"])
    with pytest.raises(ValueError, match=r"args\[0\], which .* is empty"):
        add(Script("return 1", once=("args", 0)), [""])


def test_what_a_script_declares_is_part_of_it() -> None:
    script = Script("return 1", once=("args", 0), once_ttl=1.5)
    assert (script.once, script.once_ttl) == (("args", 0), 1.5)
    assert script != Script("return 1")
    assert script.hash == Script("return 1").hash
    copy = pickle.loads(pickle.dumps(script))
    assert (copy, copy.once, copy.once_ttl) == (script, ("args", 0), 1.5)
    assert "once=('args', 0), once_ttl=1.5" in repr(script)
    assert (SCRIPT.once, SCRIPT.once_ttl) == (False, None)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (
            "--@once order",
            ":1: --@once takes the parameter that is the id: 'order' is not declared",
        ),
        ("--@once order\n--@arg other: str", "there are other"),
        ("--@once items\n--@keys items...", "'items' takes several values, but an id is one value"),
        ("--@once token\n--@arg token: str\n--@secret token", "'token' is secret"),
        ("--@once\n--@readonly", "--@once and --@readonly exclude each other"),
        ("--@idempotent\n--@once", ":2: --@once and --@idempotent exclude each other"),
        ("--@once\n--@once", ":2: --@once is there twice"),
        ("--@once_ttl 5", "--@once_ttl stands without --@once"),
        ("--@once\n--@once_ttl soon", ":2: --@once_ttl takes seconds"),
        ("#!lua flags=no-writes\n--@once", "the script is read-only"),
    ],
)
def test_wrong_declarations_are_named_with_their_line(tmp_path: Path, head: str, why: str) -> None:
    file = tmp_path / "a.lua"
    file.write_text(f"{head}\nreturn 1\n")
    with pytest.raises(ScriptSourceError) as caught:
        Script.from_file(file)
    assert why in str(caught.value)


def test_declarations_in_a_file_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.lua"
    file.write_text("--@once order\n--@once_ttl 1.5\n--@key k\n--@arg order: str\nreturn 1\n")
    script = Script.from_file(file)
    assert (script.once, script.once_ttl) == (("args", 0), 1.5)
    copy = pickle.loads(pickle.dumps(script))
    assert (copy.once, copy.once_ttl) == (("args", 0), 1.5)
    file.write_text("--@once\nreturn 1\n")
    assert Script.from_file(file).once is True
