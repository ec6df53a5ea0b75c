"""Wrong arguments of public classes and methods: the error says what to pass."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import glide_scripts
from glide_scripts import Batch, ClusterBatch, NodeAddress, ServerCredentials, Transaction


@pytest.mark.parametrize("kind", [Batch, ClusterBatch])
def test_a_batch_says_what_is_atomic_means(kind: Any) -> None:
    with pytest.raises(TypeError) as caught:
        kind()
    assert str(caught.value) == (
        f"{kind.__name__}(): missing a required argument: 'is_atomic'; "
        "pass True for a transaction, or False for a pipeline"
    )
    assert list(inspect.signature(kind).parameters) == ["is_atomic"]


@pytest.mark.parametrize(
    ("kind", "args", "kwargs", "said"),
    [
        ("ServerCredentials", (), {"pasword": "x"}, "did you mean 'password'?"),
        (
            "GlideClientConfiguration",
            ([],),
            {"request_timout": 5},
            "did you mean 'request_timeout'?",
        ),
        ("GlideClientConfiguration", (), {}, "missing a required argument: 'addresses'; it takes "),
        ("NodeAddress", (), {"url": "x"}, "'url'; it takes host, port"),
        ("NodeAddress", ("h", 1, 2), {}, "takes at most 2 by position, and 3 were given"),
        ("BackoffStrategy", (1,), {}, "missing a required argument: 'factor'; it takes "),
        ("TlsAdvancedConfiguration", (), {"x": True}, "it takes use_insecure_tls, "),
        ("Batch", (), {"atomic": True}, "did you mean 'is_atomic'?"),
    ],
)
def test_a_class_says_which_arguments_it_takes(
    kind: str, args: tuple[Any, ...], kwargs: dict[str, Any], said: str
) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(glide_scripts, kind)(*args, **kwargs)
    text = str(caught.value)
    assert text.startswith(f"{kind}(): ")
    assert said in text


def test_errors_of_values_are_not_changed() -> None:
    with pytest.raises(glide_scripts.ConfigurationError, match=r"^port is str; pass an int "):
        NodeAddress("localhost", "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^is_atomic is int"):
        Batch(1)  # type: ignore[arg-type]


def test_classes_with_clear_errors_work_as_before() -> None:
    with pytest.warns(DeprecationWarning, match="use Batch"):
        assert Transaction().is_atomic
    assert NodeAddress("localhost", 1) == NodeAddress(port=1)
    assert list(inspect.signature(ServerCredentials).parameters)[:2] == ["password", "username"]


def test_a_command_names_the_parameter_that_was_meant() -> None:
    batch: Any = Batch(is_atomic=False)
    with pytest.raises(TypeError, match=r"did you mean 'expiry'\?$"):
        batch.set("k", "v", expire=3)
    with pytest.raises(TypeError, match="its parameters are key, value, "):
        batch.set("k", "v", 1, 2, 3, zzz=3)
