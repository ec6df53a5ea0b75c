"""The modules that programs for GLIDE import from."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import glide_scripts
import glide_scripts.sync

MODULES = {
    "config": "GlideClientConfiguration NodeAddress ReadFrom ServerCredentials ProtocolVersion "
    "BackoffStrategy TlsAdvancedConfiguration GlideClusterClientConfiguration "
    "PeriodicChecksStatus AdvancedGlideClientConfiguration",
    "constants": "OK TOK TEncodable TResult TClusterResponse TSingleNodeRoute "
    "TFunctionListResponse TFunctionStatsFullResponse TFunctionStatsSingleNodeResponse",
    "exceptions": "GlideError RequestError TimeoutError ConnectionError ClosingError "
    "ExecAbortError ConfigurationError LoggerError",
    "routes": "Route AllNodes AllPrimaries RandomNode SlotKeyRoute SlotIdRoute ByAddressRoute "
    "SlotType",
    "logger": "Logger",
    "glide_client": "GlideClient GlideClusterClient TGlideClient",
    "async_commands.batch": "Batch ClusterBatch Transaction ClusterTransaction TBatch",
    "async_commands.batch_options": "BatchOptions ClusterBatchOptions BatchRetryStrategy",
    "async_commands.command_args": "Limit ObjectType",
    "async_commands.core": "ConditionalChange ExpirySet ExpiryType ExpireOptions InfoSection "
    "UpdateOptions FlushMode FunctionRestorePolicy OnlyIfEqual",
    "async_commands.sorted_set": "InfBound LexBoundary RangeByIndex RangeByLex RangeByScore "
    "ScoreBoundary",
}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_the_package_s_own_objects(module: str) -> None:
    imported = importlib.import_module(f"glide_scripts.{module}")
    assert len(set(imported.__all__)) == len(imported.__all__)
    for name in MODULES[module].split():
        assert getattr(imported, name) is getattr(glide_scripts, name)
        assert name in imported.__all__
    for name in imported.__all__:
        assert hasattr(imported, name)


@pytest.mark.parametrize("module", MODULES)
def test_glide_shared_has_the_same_names(module: str) -> None:
    if module == "glide_client":
        return
    name = module.replace("async_commands.core", "async_commands.core_options")
    shared = importlib.import_module(
        f"glide_scripts.shared.{name.replace('async_commands', 'commands')}"
    )
    for each in MODULES[module].split():
        assert getattr(shared, each) is getattr(glide_scripts, each)
        assert getattr(importlib.import_module("glide_scripts.shared"), each) is getattr(
            glide_scripts, each
        )


def test_the_synchronous_package_has_modules_too() -> None:
    client = importlib.import_module("glide_scripts.sync.glide_client")
    assert client.GlideClient is glide_scripts.sync.GlideClient
    assert client.TGlideClient is glide_scripts.sync.TGlideClient
    logger = importlib.import_module("glide_scripts.sync.logger")
    assert logger.Logger is glide_scripts.Logger
    assert logger.Level is glide_scripts.LogLevel


def test_a_module_can_be_the_first_that_is_imported() -> None:
    for module in [*MODULES, "sync.glide_client", "sync.logger"]:
        program = f"from glide_scripts.{module} import *"
        subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=300)


def test_a_name_that_no_module_has_is_an_attribute_error() -> None:
    config = importlib.import_module("glide_scripts.config")
    with pytest.raises(AttributeError, match="no attribute 'PubSubSubscriptions'"):
        config.PubSubSubscriptions  # noqa: B018
