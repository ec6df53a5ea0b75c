"""Which texts of Lua have room for probes."""

from __future__ import annotations

import pytest

from glide_scripts.probes.program import program
from glide_scripts.probes.variable_limits import too_many


def found(code: str) -> str | None:
    parsed = program(code.encode())
    assert parsed is not None
    return too_many(parsed.root, locals=2, upvalues=2)


def names(count: int) -> str:
    return ", ".join(f"v{number}" for number in range(count))


def test_local_variables_are_limited_to_200() -> None:
    assert found(f"local {names(198)}\nreturn v1") is None
    assert found(f"local {names(199)}\nreturn v1") == "199 local variables outside of functions"


@pytest.mark.parametrize(
    "code",
    [
        f"local {names(190)}\nfor i = 1, 2 do local a, b, c, d, e end",
        f"local {names(190)}\nfor k, v in pairs({{}}) do local a, b, c, d end",
        f"local {names(190)}\nif v1 then local a, b, c, d, e, f, g, h, i end",
        f"local {names(190)}\nrepeat local a, b, c, d, e, f, g, h, i until i",
        f"local {names(198)}\nlocal function f() end",
        "local _, _ = 1, 2 " * 99 + "\nlocal _",
    ],
)
def test_those_of_blocks_count_too(code: str) -> None:
    assert found(code) == "199 local variables outside of functions"


def test_those_of_blocks_that_have_ended_and_of_functions_do_not_count() -> None:
    assert found(f"do local {names(190)} end\nlocal {names(190)}") is None
    other = names(99).replace("v", "w")
    assert found(f"local {names(190)}\nlocal function f(a, b) local {other} end") is None


def test_variables_of_functions_around_are_limited_to_60() -> None:
    def used(count: int) -> str:
        return f"local {names(100)}\nlocal function f()\n  return {names(count)}\nend"

    assert found(used(58)) is None
    why = "variables of functions around it in the function of line"
    assert found(used(59)) == f"59 {why} 2"
    # One around a function hands them on to it.
    inner = f"function() return {names(59)} end"
    assert (
        found(f"local {names(100)}\nlocal f = function()\n  return {inner}\nend") == f"59 {why} 2"
    )


def test_a_chain_of_operators_may_be_long() -> None:
    assert found("return " + " + ".join(["1"] * 3000)) is None
