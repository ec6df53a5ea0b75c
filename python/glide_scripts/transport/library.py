"""A client library whose classes this package extends: redis-py, or its fork valkey-py."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from types import ModuleType
from typing import Any


class Library:
    """The parts of redis-py or valkey-py that this package builds on."""

    def __init__(self, package: str, title: str, versions: range) -> None:
        """
        Args:
            package: The package's name, also that of the extra.
            title: The library's name.
            versions: The supported major versions.

        Raises:
            ModuleNotFoundError: The library is not installed.
            ImportError: Its version is not supported.
        """
        self.package = package
        self.title = title
        install = f'pip install "glide-scripts[{package}]"'
        try:
            found = import_module(package)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            raise ModuleNotFoundError(
                f"{title} is not installed: {install}", name=package
            ) from None
        version = str(getattr(found, "__version__", "unknown"))
        major = version.split(".", 1)[0]
        if not major.isdigit() or int(major) not in versions:
            raise ImportError(
                f"{title} {version} is not supported, only versions "
                f"{versions.start} to {versions.stop - 1}: {install}",
                name=package,
            )
        client = import_module(f"{package}.client")
        self.exceptions: ModuleType = import_module(f"{package}.exceptions")
        self.base_error: type[Exception] = (
            getattr(self.exceptions, "RedisError", None) or self.exceptions.ValkeyError
        )
        self.cluster_error: type[Exception] = (
            getattr(self.exceptions, "RedisClusterException", None)
            or self.exceptions.ValkeyClusterException
        )
        # A transaction's is a cluster's error. Old versions have only that.
        of_transaction = getattr(self.exceptions, "CrossSlotTransactionError", self.cluster_error)
        # The library raises the first for a server's answer, and the second before it sends.
        self.cross_slot_error: type[Exception] = type(
            "ClusterCrossSlotError", (self.exceptions.ClusterCrossSlotError, of_transaction), {}
        )
        self.empty_response: str = client.EMPTY_RESPONSE
        self.never_decode: str = client.NEVER_DECODE
        self.parse_error: Any = import_module(f"{package}._parsers.base").BaseParser.parse_error
        self.default_protocol: int = _default_protocol(package)
        self.sets_are_lists = _sets_are_lists(package)

    @property
    def checks_host_names(self) -> bool:
        """Whether a certificate must bear the host's name, unless an option says otherwise."""
        kind: Any = import_module(f"{self.package}.connection").SSLConnection
        found = signature(kind).parameters.get("ssl_check_hostname")
        return bool(found and found.default)


def _default_protocol(package: str) -> int:
    """The protocol that the library's callbacks expect, unless the caller names one."""
    for module in ("utils", "connection"):
        found = getattr(import_module(f"{package}.{module}"), "DEFAULT_RESP_VERSION", None)
        if found is not None:
            return int(found)
    return 2


def _sets_are_lists(package: str) -> bool:
    """Whether the library's parsers return a set as a list."""
    parser: Any = import_module(f"{package}._parsers.resp3")
    # Faster than inspect.getsource, which is a tenth of the time to import this package's part.
    source: str | None = parser.__loader__.get_source(parser.__name__)
    return "return sets as list" in (source or "")
