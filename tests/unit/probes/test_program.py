"""Which lines and branches a text of Lua has."""

from __future__ import annotations

import pytest

from glide_scripts.probes.program import program


def lines(code: str) -> list[int]:
    found = program(code.encode())
    assert found is not None
    return [each.line for each in found.statements]


def arcs(code: str) -> list[tuple[int, int]]:
    found = program(code.encode())
    assert found is not None
    return [(each.line, each.to) for each in found.outcomes]


def test_statements_are_lines_and_their_ends_are_not() -> None:
    code = "local a\nif a then\n  a = 1\nelse\n  a = 2\nend\ndo\n  a()\nend\n-- end\nreturn a"
    assert lines(code) == [1, 2, 3, 5, 8, 11]


def test_conditions_of_elseif_and_until_are_lines() -> None:
    assert lines("if a then\nelseif b then\nend\nrepeat\n  c()\nuntil d") == [1, 2, 4, 5, 6]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\r", "\r"])
def test_lines_are_counted_as_lua_counts_them(end: str) -> None:
    assert lines(f"#!lua\nlocal a{end}local b{end}{end}return a") == [2, 3, 5]


@pytest.mark.parametrize(
    ("code", "outcomes"),
    [
        ("if a then\n  b()\nend\nc()", [(1, 2), (1, 4)]),
        ("if a then\n  b()\nelse\n  c()\nend", [(1, 2), (1, 4)]),
        ("if a then\n  b()\nelseif c then\n  d()\nend\ne()", [(1, 2), (1, 3), (3, 4), (3, 6)]),
        ("while a do\n  b()\nend\nc()", [(1, 2), (1, 4)]),
        ("repeat\n  a()\nuntil b\nc()", [(3, 4), (3, 2)]),
        ("for i = 1, 2 do\n  a()\nend\nb()", [(1, 2), (1, 4)]),
        ("for _ in pairs(a) do\n  b()\nend", [(1, 2), (1, -1)]),
        # The last statement of a loop leads to its head.
        ("while a do\n  if b then\n    c()\n  end\nend", [(1, 2), (1, -1), (2, 3), (2, 1)]),
        ("local function f()\n  if a then\n    b()\n  end\nend", [(2, 3), (2, -1)]),
        # What the compiler decides is no branch.
        ("while true do\n  a()\nend", []),
        # Of outcomes on one line, each has a number of its own.
        ("if a then b() end\nc()", [(1, -1), (1, 2)]),
        ("if a then b() elseif c then d() end", [(1, -1), (1, -2), (1, -3), (1, -4)]),
    ],
)
def test_outcomes_lead_to_lines(code: str, outcomes: list[tuple[int, int]]) -> None:
    assert arcs(code) == outcomes


def test_functions_within_expressions_count() -> None:
    assert lines("return pcall(function()\n  return 1\nend)") == [1, 2]


@pytest.mark.parametrize(
    "code",
    [
        b"if then",
        b"return 1 local x",
        # Later versions of Lua take it.
        b"while true do break local x end",
        b"while true do break; do end end",
    ],
)
def test_what_does_not_parse_has_no_program(code: bytes) -> None:
    assert program(code) is None


def test_a_break_may_be_followed_by_what_is_no_statement() -> None:
    assert lines("while true do break; --[[ local x ]] end\nreturn 1") == [1, 1, 2]


@pytest.mark.parametrize(
    "escape", [r"'\d'", r'"\."', r"'\\\-\''", "'\\é'", r"'\x'", r"'\z', [[C:\]], '--', '\q'"]
)
def test_a_string_may_have_any_escape(escape: str) -> None:
    code = f"local s = {escape}\nif s then\n  return '\\/' -- [[\\]]\nend\nreturn 1"
    assert lines(code) == [1, 2, 3, 5]


def test_an_escape_outside_of_strings_is_no_lua() -> None:
    assert program(rb"return \d") is None
    assert program(rb"return '\d' + [[\]] .. \d") is None
