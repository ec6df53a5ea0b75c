"""The account notices each mistake that a client can make."""

from __future__ import annotations

import pytest
from tests.faults.adapters import GlideScripts, Settings
from tests.faults.driver import Driver, Verdict

from glide_scripts.testing import ValkeyServer


class Wrong(GlideScripts):
    """Behaves correctly, except for one call."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        self._wrong, self._calls = wrong, 0

    async def invoke(self, code: str, keys: object, args: object) -> object:
        self._calls += 1
        if self._calls != 3:
            return await super().invoke(code, keys, args)  # type: ignore[arg-type]
        if self._wrong == "lost":
            return [args[0].encode(), 1]  # type: ignore[index]
        reply = await super().invoke(code, keys, args)  # type: ignore[arg-type]
        if self._wrong == "ran_twice":
            return await super().invoke(code, keys, args)  # type: ignore[arg-type]
        if self._wrong == "ran_though_denied":
            raise ValueError
        return [b"another", reply] if self._wrong == "wrong_replies" else reply

    def may_have_run(self, error: Exception) -> bool:
        return False


async def verdict_on(server: ValkeyServer, wrong: str) -> Verdict:
    adapter = Wrong(wrong)
    await adapter.connect([(server.host, server.port)], Settings())
    driver = Driver(adapter, [server], callers=1)
    for _ in range(5):
        await driver.call("t")
    await adapter.close()
    return driver.verdict()


@pytest.mark.parametrize("wrong", ["lost", "ran_twice", "ran_though_denied", "wrong_replies"])
async def test_a_wrong_is_found(server: ValkeyServer, wrong: str) -> None:
    verdict = await verdict_on(server, wrong)
    assert verdict.broken() == [f"{wrong}: 1"]
    assert verdict.calls == 5


async def test_where_nothing_is_wrong_nothing_is_found(server: ValkeyServer) -> None:
    verdict = await verdict_on(server, "nothing")
    assert verdict == Verdict(calls=5, acknowledged=5)
