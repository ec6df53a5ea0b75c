"""The package exports exactly what it says that it exports."""

import copy
import dataclasses
import inspect
import pickle
import re
import subprocess
import sys
import traceback
import typing
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from tests.docs_page import ROOT

import glide_scripts
import glide_scripts.otel
import glide_scripts.sync
import glide_scripts.testing
from glide_scripts import for_core


def test_every_exported_name_is_there_once() -> None:
    for module in (glide_scripts, glide_scripts.testing):
        assert len(set(module.__all__)) == len(module.__all__)
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_nothing_public_is_left_out() -> None:
    public = {
        name
        for name in dir(glide_scripts)
        if not name.startswith("_") and not isinstance(getattr(glide_scripts, name), ModuleType)
    }
    assert public | {"__version__"} == set(glide_scripts.__all__)


def test_what_few_programs_need_is_imported_when_it_is_asked_for() -> None:
    program = """
import sys, glide_scripts
later = {f"glide_scripts.{module}" for module in glide_scripts._LATER.values()}
assert len(later) > 5
assert not later & sys.modules.keys(), later & sys.modules.keys()
from glide_scripts import Batch, ByAddressRoute, GlideClusterClient
assert glide_scripts.Batch is Batch
from glide_scripts import *
assert not later - sys.modules.keys(), later - sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Scripts'"):
        glide_scripts.Scripts  # type: ignore[attr-defined]  # noqa: B018


def test_every_error_is_exported() -> None:
    errors = vars(glide_scripts.errors).values()
    defined = {
        error.__name__
        for error in errors
        if inspect.isclass(error) and error.__module__ == "glide_scripts"
    }
    assert defined <= set(glide_scripts.__all__)


def test_every_exported_class_and_its_public_methods_are_documented() -> None:
    bare = []
    for name in glide_scripts.__all__:
        value = getattr(glide_scripts, name)
        if not inspect.isclass(value):
            continue
        members = {name: value} | {
            f"{name}.{method}": function
            for method, function in inspect.getmembers(value, inspect.isroutine)
            if not method.startswith("_") and value.__module__.startswith("glide_scripts")
        }
        bare += [label for label, member in members.items() if not inspect.getdoc(member)]
    assert bare == []


@pytest.mark.parametrize("client", [glide_scripts.GlideClient, glide_scripts.GlideClusterClient])
def test_the_docstring_of_a_client_s_method_has_all_sections(client: type) -> None:
    bare = []
    for name, method in inspect.getmembers(client, inspect.isroutine):
        if name.startswith("_"):
            continue
        docs = inspect.getdoc(method) or ""
        signature = inspect.signature(method)
        parameters = [each for each in signature.parameters if each not in ("self", "cls")]
        bare += [f"{name}: {each}" for each in parameters if f"    {each}: " not in docs]
        if parameters:
            bare += [f"{name}: {each}" for each in ("Args:", "Raises:") if each not in docs]
        if signature.return_annotation not in ("None", "Self", "glide_scripts.Stats"):
            bare += [name] if "Returns:" not in docs else []
    assert bare == []


def test_a_method_says_what_it_returns() -> None:
    for client in (glide_scripts.GlideClient, glide_scripts.GlideClusterClient):
        for name, method in inspect.getmembers(client, inspect.isfunction):
            if not name.startswith("_"):
                assert "Command[" not in str(inspect.signature(method)), name
                assert not method.__module__.startswith("glide_scripts.commands"), name
    hints = typing.get_type_hints(glide_scripts.GlideClient.get)
    assert hints["return"] == bytes | None


def test_the_signature_of_a_method_is_copied_pickled_and_changed() -> None:
    signature = inspect.signature(glide_scripts.GlideClient.lrange)
    assert (
        str(signature) == "(self, /, key: 'TEncodable', start: 'int', end: 'int') -> 'list[bytes]'"
    )
    assert signature == copy.copy(signature) == pickle.loads(pickle.dumps(signature))
    assert hash(signature) == hash(copy.copy(signature))
    assert str(signature.replace(return_annotation=int)).endswith(" -> int")
    assert list(signature.bind(None, "key", 0, end=1).arguments) == ["self", "key", "start", "end"]


def test_a_method_of_a_batch_says_that_it_returns_the_batch() -> None:
    for batch in (glide_scripts.Batch, glide_scripts.ClusterBatch):
        for name, method in inspect.getmembers(batch, inspect.isfunction):
            if not name.startswith("_"):
                returns = str(inspect.signature(method)).rpartition(" -> ")[2]
                assert returns.strip("'") == "Self", name
                assert not method.__module__.startswith("glide_scripts.commands"), name
    assert typing.get_type_hints(glide_scripts.Batch.get)["return"] is typing.Self


def test_a_client_is_not_made_without_connecting() -> None:
    config = glide_scripts.GlideClientConfiguration([glide_scripts.NodeAddress()])
    with pytest.raises(TypeError, match=r"GlideClient\.create"):
        glide_scripts.GlideClient(config)


def test_the_hints_of_a_configuration_can_be_resolved() -> None:
    for config in (
        glide_scripts.GlideClientConfiguration,
        glide_scripts.GlideClusterClientConfiguration,
    ):
        assert typing.get_type_hints(config)["observer"] == glide_scripts.Observer | None


def public_classes() -> list[type]:
    values = (getattr(glide_scripts, name) for name in glide_scripts.__all__)
    return [value for value in values if inspect.isclass(value) and value is not glide_scripts.TOK]


def test_public_classes_say_that_they_are_of_the_package() -> None:
    wrong = {cls: cls.__module__ for cls in public_classes() if cls.__module__ != "glide_scripts"}
    assert wrong == {}
    assert glide_scripts.typed_script.__module__ == "glide_scripts"


def test_public_classes_can_be_pickled_and_copied() -> None:
    for value in [*public_classes(), glide_scripts.typed_script, glide_scripts.OK]:
        assert pickle.loads(pickle.dumps(value)) is value
        assert copy.copy(value) is value
        assert copy.deepcopy(value) is value


def test_the_hints_of_public_dataclasses_can_be_resolved() -> None:
    found = [cls for cls in public_classes() if dataclasses.is_dataclass(cls)]
    assert len(found) > 10
    for cls in found:
        typing.get_type_hints(cls)


def public_functions() -> dict[str, Any]:
    """Functions, classes and their methods and properties, those with double underscores, too."""
    found: dict[str, Any] = {}
    for module in (glide_scripts, glide_scripts.testing, glide_scripts.otel):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isroutine(value):
                found[name] = value
            if inspect.isclass(value):
                found[name] = value
                for attribute, member in inspect.getmembers(value):
                    function = getattr(member, "fget", member)
                    is_private = attribute.startswith("_") and not attribute.endswith("__")
                    if inspect.isfunction(function) and not is_private:
                        found[f"{name}.{attribute}"] = function
    return found


PROGRAM_OF_HINTS = """
import inspect, sys, typing
module, _, path = sys.argv[1].partition(":")
value = __import__(module, fromlist=["*"])
for name in path.split("."):
    value = inspect.getattr_static(value, name) if inspect.isclass(value) else getattr(value, name)
typing.get_type_hints(getattr(value, "__func__", value))
"""


def test_every_public_hint_can_be_resolved() -> None:
    functions = public_functions()
    assert len(functions) > 300
    for function in functions.values():
        typing.get_type_hints(function)
        typing.get_type_hints(function, include_extras=True)


@pytest.mark.parametrize("module", ["redis", "redis.sync", "valkey", "valkey.sync", "coverage"])
def test_the_hints_of_other_modules_functions_can_be_resolved(module: str) -> None:
    functions = inspect.getmembers(import_module(f"glide_scripts.{module}"), inspect.isfunction)
    assert functions
    for _, function in functions:
        typing.get_type_hints(function)


@pytest.mark.parametrize(
    "path",
    ["GlideClient.exec", "GlideClient.fcall", "GlideClusterClient.stats", "ScriptError.__init__"],
)
def test_a_hint_can_be_resolved_before_anything_else_is_imported(path: str) -> None:
    program = [sys.executable, "-c", PROGRAM_OF_HINTS, f"glide_scripts:{path}"]
    subprocess.run(program, check=True, timeout=300)


def test_what_the_core_takes_of_python_is_there() -> None:
    raised = re.findall(r'=> "(\w+Error)"', (ROOT / "rust/py/src/errors.rs").read_text())
    assert len(raised) > 15
    assert [name for name in raised if not hasattr(for_core.errors, name)] == []
    assert [name for name in for_core.__all__ if not hasattr(for_core, name)] == []
    assert "glide_scripts.for_core" in sys.modules


@pytest.mark.parametrize(
    "make",
    [
        lambda: glide_scripts.GlideClient(host="h"),  # type: ignore[call-overload]
        glide_scripts.GlideClusterClient,
        lambda: glide_scripts.sync.GlideClient("h"),  # type: ignore[call-overload]
        lambda: glide_scripts.ClusterScanCursor("x"),
        lambda: glide_scripts.FunctionLibrary("return 1"),
        glide_scripts.ScriptLibrary,
        lambda: glide_scripts.testing.ValkeyCluster(0),
        lambda: glide_scripts.testing.ValkeyServer(start_timeout=-1),
    ],
)
def test_a_traceback_can_show_an_object_that_could_not_be_made(make: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    for frame, _ in traceback.walk_tb(caught.value.__traceback__):
        for value in frame.f_locals.values():
            # Python 3.11 calls this itself, and then shows no traceback if it fails.
            repr(value)


def test_a_client_that_could_not_be_made_is_deleted_without_a_word() -> None:
    program = """
import sys
from glide_scripts import GlideClient
try:
    GlideClient(host="h")
except TypeError as error:
    sys.modules["__main__"].kept = error
"""
    made = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=300
    )
    assert made.stderr == ""
