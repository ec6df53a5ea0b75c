"""The tree of errors, and what each error carries."""

import builtins
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import glide_scripts
from glide_scripts import (
    ClosingError,
    ConfigurationError,
    CrossSlotError,
    ExecAbortError,
    GlideError,
    LoggerError,
    NoScriptError,
    NotBusyError,
    ReplyTypeError,
    RequestError,
    Script,
    ScriptBusyError,
    ScriptError,
    ScriptKilledError,
    ScriptSourceError,
    ScriptSyntaxError,
    UnkillableError,
)

PLAIN: list[type[GlideError]] = [
    GlideError,
    ConfigurationError,
    LoggerError,
    ClosingError,
    ScriptSourceError,
]
SCRIPT: list[type[ScriptError]] = [
    ScriptError,
    ScriptSyntaxError,
    NoScriptError,
    ScriptKilledError,
    ScriptBusyError,
    UnkillableError,
    NotBusyError,
    ReplyTypeError,
]
REQUEST: list[type[RequestError]] = [
    RequestError,
    glide_scripts.TimeoutError,
    glide_scripts.ConnectionError,
    ExecAbortError,
    CrossSlotError,
    *SCRIPT,
]


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (ConfigurationError, GlideError),
        (ClosingError, GlideError),
        (LoggerError, GlideError),
        (ScriptSourceError, GlideError),
        (RequestError, GlideError),
        (glide_scripts.TimeoutError, RequestError),
        (glide_scripts.TimeoutError, builtins.TimeoutError),
        (glide_scripts.ConnectionError, RequestError),
        (glide_scripts.ConnectionError, builtins.ConnectionError),
        (ExecAbortError, RequestError),
        (CrossSlotError, RequestError),
        (ScriptError, RequestError),
        *((error, ScriptError) for error in SCRIPT[1:]),
    ],
)
def test_each_error_is_one_of_its_parent(error: type, parent: type) -> None:
    assert issubclass(error, parent)


@pytest.mark.parametrize(
    "error", [ConfigurationError, ClosingError, LoggerError, ScriptSourceError]
)
def test_what_no_request_caused_is_no_request_error(error: type) -> None:
    assert not issubclass(error, RequestError)


@pytest.mark.parametrize("error", [*PLAIN, *REQUEST])
def test_the_text_is_the_message(error: type[GlideError]) -> None:
    made = error("it broke")
    assert str(made) == "it broke"
    assert made.args == ("it broke",)
    assert made.name() == error.__name__


def test_an_error_without_a_message_says_so() -> None:
    assert str(GlideError()) == "No error message provided"


@pytest.mark.parametrize("error", REQUEST)
def test_a_request_error_has_the_safe_defaults(error: type[RequestError]) -> None:
    made = error("it broke")
    assert made.code is None
    assert made.may_have_executed is False


@pytest.mark.parametrize("error", SCRIPT)
def test_a_script_error_need_not_know_its_script(error: type[ScriptError]) -> None:
    made = error("it broke")
    assert (made.script, made.line, made.source_line) == (None, None, None)
    assert (made.file, made.message, made.keys) == (None, None, ())


@pytest.mark.parametrize("error", REQUEST)
def test_attributes_are_given_by_name_only(error: Callable[..., RequestError]) -> None:
    with pytest.raises(TypeError):
        error("it broke", "ERR")


COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda error, version=version: pickle.loads(pickle.dumps(error, version))
        for version in range(6)
    ),
]


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("error", REQUEST)
def test_a_copy_of_a_request_error_keeps_everything(
    error: type[RequestError], copied: Callable[[RequestError], RequestError]
) -> None:
    made = error("it broke", code="ERR", may_have_executed=True)
    if isinstance(made, ScriptError):
        made.script = Script("return 1")
        made.line = 3
        made.source_line = "  return 1"
        made.file, made.message, made.keys = "a.lua", "broke", ("k",)
    again = copied(made)
    assert type(again) is error
    assert (str(again), again.args) == ("it broke", ("it broke",))
    assert vars(again) == vars(made)


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_of_a_closing_error_keeps_everything(
    copied: Callable[[ClosingError], ClosingError],
) -> None:
    again = copied(ClosingError("closed", may_have_executed=True))
    assert type(again) is ClosingError
    assert str(again) == "closed"
    assert again.may_have_executed is True


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_of_a_source_error_keeps_everything(
    copied: Callable[[ScriptSourceError], ScriptSourceError],
) -> None:
    again = copied(ScriptSourceError("it is empty", file="a.lua", line=3))
    assert str(again) == "a.lua:3: it is empty"
    assert (again.file, again.line) == ("a.lua", 3)


def test_a_script_error_carries_where_it_happened() -> None:
    script = Script("local x\nerror('no')")
    made = ScriptError("no", code="ERR", script=script, line=2, source_line="error('no')")
    assert (made.script, made.line, made.source_line) == (script, 2, "error('no')")


@pytest.mark.parametrize("error", [glide_scripts.TimeoutError, glide_scripts.ConnectionError])
def test_errors_that_are_os_errors_have_no_errno(error: type[OSError]) -> None:
    made = error("it broke")
    assert (made.errno, made.strerror) == (None, None)
