"""What a typed script asks of a batch: one method, which also gives it the reply."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glide_scripts import Key, ReplyTypeError, Script, ScriptError, Secret, typed_script


class Batch:
    """A batch as far as typed scripts know one."""

    def __init__(self) -> None:
        self.calls: list[tuple[Script, Any, Any, Callable[[Any], Any] | None]] = []

    def _invoke(  # noqa: PLR0917 - as the batches have it
        self,
        script: Script,
        keys: Any,
        args: Any,
        decode: Callable[[Any], Any] | None,
        route: Any = None,
        once: Any = None,
        once_ttl: Any = None,
    ) -> Batch:
        self.calls.append((script, keys, args, decode))
        return self


@typed_script(Script("return 1", name="limit"))
def limit(user: Key, count: int, token: Secret[str] = "hunter2") -> dict[str, int]:
    raise NotImplementedError


@typed_script(Script("return 1", name="raw"))
def raw(user: Key) -> Any: ...


def test_a_call_is_added_with_its_decoder() -> None:
    batch = Batch()
    assert limit.add_to(batch, "u1", count=3) is batch
    ((script, keys, args, decode),) = batch.calls
    assert script is limit
    assert (list(keys), list(args)) == (["u1"], ["3", "hunter2"])
    assert decode is not None
    assert decode([b"a", b"1"]) == {"a": 1}


def test_a_reply_of_any_type_stays_what_it_is() -> None:
    batch = Batch()
    raw.add_to(batch, "u1")
    decode = batch.calls[0][3]
    assert decode is not None
    assert decode([1, b"a"]) == [1, b"a"]


def test_an_error_gets_the_text_and_the_class_of_a_call_s() -> None:
    batch = Batch()
    limit.add_to(batch, "u1", 3)
    decode: Any = batch.calls[0][3]
    error = decode.explain(ScriptError("NO hunter2 script: on @user_script:1.", code="NO", line=1))
    assert error.script is limit
    place = rf"{re.escape(Path(__file__).name)}:\d+"
    assert re.match(rf"{place}: NO <secret>\n  --> limit, line 1\n", str(error))


def test_a_reply_that_does_not_fit_is_an_error_with_the_call_s_keys() -> None:
    batch = Batch()
    limit.add_to(batch, "u1", 3)
    decode = batch.calls[0][3]
    assert decode is not None
    with pytest.raises(ReplyTypeError) as caught:
        decode(b"hunter2")
    assert caught.value.script is limit
    assert caught.value.keys == ("u1",)
    assert "user = 'u1'" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_call_that_does_not_fit_is_not_added() -> None:
    batch = Batch()
    with pytest.raises(
        TypeError, match="limit: count is str; pass int\n  limit\\(client, user: Key"
    ):
        limit.add_to(batch, "u1", "3")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="limit: missing 'count'"):
        limit.add_to(batch, "u1")  # type: ignore[call-arg]
    assert batch.calls == []


def test_what_is_no_batch_is_refused() -> None:
    with pytest.raises(TypeError, match="batch is list; pass a Batch or a ClusterBatch"):
        limit.add_to([], "u1", 3)  # type: ignore[type-var]
