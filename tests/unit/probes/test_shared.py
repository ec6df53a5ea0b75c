"""Which statements share a probe with others."""

from __future__ import annotations

import pytest

from glide_scripts.probes.insertion import DEBUGGED, Form, Probe, insertions
from glide_scripts.probes.program import program


def own_probes(code: str, form: Form | None = None) -> list[int]:
    """Return the lines of the statements that have a probe of their own."""
    return [each.line for each in probes(code, form) if each.outcome is None]


def probes(code: str, form: Form | None = None) -> list[Probe]:
    found = program(code.encode())
    assert found is not None
    return insertions(code.encode(), found, "id", form).probes


def test_the_first_statement_of_a_block_has_that_of_the_condition() -> None:
    code = "if f() then\n  g()\n  h()\nelseif i() then\n  j()\nelse\n  k()\nend"
    assert own_probes(code) == [1, 3]
    assert [(each.line, each.others) for each in probes(code) if each.outcome is not None] == [
        (1, (2,)),
        (1, (4,)),
        (4, (5,)),
        (4, (7,)),
    ]


def test_the_first_statement_of_a_loop_has_that_of_the_loop() -> None:
    assert own_probes("for i = 1, 2 do\n  f()\nend\nwhile g() do\n  h()\nend") == [1, 4]


def test_a_condition_that_is_a_constant_has_no_probe_to_share() -> None:
    assert own_probes("while true do\n  f()\nend") == [1, 2]


def test_a_block_in_a_block_has_probes_of_its_own() -> None:
    assert own_probes("if f() then\n  do\n    g()\n  end\nend") == [1, 3]


@pytest.mark.parametrize(
    "statement",
    [
        "local a",
        "local a = 1",
        "local a, b = 'x', nil",
        "local a = {}",
        "local a = KEYS[1]",
        "local a, b = KEYS[1], ARGV[12]",
        "local function a() end",
        "local a = function() end",
    ],
)
def test_what_cannot_fail_has_the_probe_of_the_next_statement(statement: str) -> None:
    code = f"{statement} -- a comment\n-- another\nf()"
    assert [each.others for each in probes(code) if each.line == 3] == [(1,)]
    assert 1 not in own_probes(code)


@pytest.mark.parametrize(
    "statement",
    [
        "local a = b",
        "local a = {b}",
        "local a = KEYS[b]",
        "local a = b[1]",
        "local a = #KEYS + b",
        "local a = 1 + {}",
        "a = 1",
        "function a() end",
        "f()",
    ],
)
def test_what_may_fail_has_its_own(statement: str) -> None:
    assert 1 in own_probes(f"{statement}\nf()")


@pytest.mark.parametrize(
    "code",
    [
        "local function f(KEYS)\n  local a = KEYS[1]\n  g()\nend",
        "local KEYS = f()\nlocal a = KEYS[1]\ng()",
        "for _, KEYS in f() do\n  g()\n  local a = KEYS[1]\n  g()\nend",
    ],
)
def test_keys_of_its_own_may_be_no_table(code: str) -> None:
    line = next(n for n, text in enumerate(code.splitlines(), 1) if "KEYS[1]" in text)
    assert line in own_probes(code)


def test_a_library_has_no_keys_but_what_its_functions_are_given() -> None:
    assert 2 in own_probes("#!lua name=x\nlocal a = KEYS[1]\nf()")


def test_the_last_statement_of_a_block_has_its_own() -> None:
    assert own_probes("do\n  local a = 1\nend\nf()\nlocal b = 2") == [2, 4, 5]


def test_the_debugger_may_leave_a_run_at_any_line() -> None:
    assert own_probes("local a = 1\nif a then\n  f()\nend", DEBUGGED) == [1, 2, 3]
