"""Measured scripts over the libraries' classes: the program sees no difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.transport.conftest import Connect
from tests.transport.kinds import done

from glide_scripts.coverage import measure
from glide_scripts.testing import ValkeyServer

CODE = "local n = tonumber(ARGV[1])\nif n > 5 then\n  return n\nend\nreturn n + KEYS[1]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "script.lua").write_text(CODE)
    return tmp_path / "script.lua"


async def by_eval(client: Any, arg: int) -> Any:
    return await done(client.eval(CODE, 0, arg))


async def by_pipeline(client: Any, arg: int) -> Any:
    pipeline = client.pipeline(transaction=False)
    pipeline.eval(CODE, 0, arg)
    (reply,) = await done(pipeline.execute(raise_on_error=False))
    if isinstance(reply, Exception):
        raise reply
    return reply


async def by_script(client: Any, arg: int) -> Any:
    return await done(client.register_script(CODE)(args=[arg]))


async def _error(client: Any, call: Any) -> str:
    with pytest.raises(Exception, match="attempt to perform arithmetic") as caught:
        await call(client, 1)
    return str(caught.value)


@pytest.mark.parametrize("call", [by_eval, by_pipeline, by_script])
async def test_lines_are_measured_and_errors_stay(
    connect: Connect, valkey_server: ValkeyServer, file: Path, call: Any
) -> None:
    client = connect(valkey_server)
    assert await done(client.ping())
    plain = await _error(client, call)
    with measure(source=[file.parent]) as coverage:
        assert await call(client, 9) == 9
        assert coverage._analyze(str(file)).missing_formatted(branches=True) == "5"
        assert await _error(client, call) == plain
    assert coverage._analyze(str(file)).missing_formatted(branches=True) == ""


async def test_lines_are_measured_in_a_cluster(cluster_client: Any, file: Path) -> None:
    with measure(source=[file.parent]) as coverage:
        assert await done(cluster_client.eval(CODE, 1, "k", 9)) == 9
    assert coverage._analyze(str(file)).missing_formatted(branches=True) == "5"
