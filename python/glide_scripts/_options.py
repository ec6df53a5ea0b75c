"""The options of commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from . import _check
from ._reply import TEncodable

_EPOCH = datetime.fromtimestamp(0, UTC)


class ConditionalChange(Enum):
    """A condition of ``set`` and ``zadd``."""

    ONLY_IF_EXISTS = "XX"
    """Only change what exists already."""

    ONLY_IF_DOES_NOT_EXIST = "NX"
    """Only add what does not exist yet."""


@dataclass(frozen=True, slots=True)
class OnlyIfEqual:
    """A condition of ``set``: only if the key holds this value. Needs Valkey 8.1.

    Args:
        comparison_value: The value that the key must hold.

    Raises:
        TypeError: It is not str or bytes.
    """

    comparison_value: TEncodable

    def __post_init__(self) -> None:
        _check.encodable("comparison_value", self.comparison_value)


class ExpiryType(Enum):
    """How ``ExpirySet`` means its value."""

    SEC = "EX"
    """A time from now: an int in seconds, or a timedelta."""

    MILLSEC = "PX"
    """A time from now: an int in milliseconds, or a timedelta."""

    UNIX_SEC = "EXAT"
    """A point in time: an int in seconds since 1970, or a datetime."""

    UNIX_MILLSEC = "PXAT"
    """A point in time: an int in milliseconds since 1970, or a datetime."""

    KEEP_TTL = "KEEPTTL"
    """The key keeps the time to live that it has; there is no value."""


@dataclass(frozen=True, slots=True)
class ExpirySet:
    """When the key that ``set`` writes expires.

    Args:
        expiry_type: How the value is meant.
        value: The value, as ``expiry_type`` says. A timedelta or a datetime becomes an int, rounded
            down to the type's unit; a datetime without a time zone is in local time.

    Raises:
        TypeError: The value's type is not what ``expiry_type`` asks for.
        ValueError: The value, in the type's unit, is less than 1, or has more than 64 bits.
    """

    expiry_type: ExpiryType
    value: int | timedelta | datetime | None = None

    def __post_init__(self) -> None:
        _check.member("expiry_type", self.expiry_type, ExpiryType)
        if self.expiry_type is not ExpiryType.KEEP_TTL:
            object.__setattr__(self, "value", self._count())
        elif self.value is not None:
            raise _check.wrong_type("value", self.value, "None for ExpiryType.KEEP_TTL")

    @property
    def cmd_arg(self) -> str:
        """The server's word for the type, such as ``"EX"``."""
        return self.expiry_type.value

    def get_cmd_args(self) -> list[str]:
        """The arguments of SET, such as ``["EX", "10"]``."""
        return [self.cmd_arg] if self.value is None else [self.cmd_arg, str(self.value)]

    def _count(self) -> int:
        in_seconds = self.expiry_type in (ExpiryType.SEC, ExpiryType.UNIX_SEC)
        unit = timedelta(seconds=1) if in_seconds else timedelta(milliseconds=1)
        absolute = self.expiry_type in (ExpiryType.UNIX_SEC, ExpiryType.UNIX_MILLSEC)
        count = self.value
        if absolute and isinstance(count, datetime):
            count = (count.astimezone(UTC) - _EPOCH) // unit
        elif not absolute and isinstance(count, timedelta):
            count //= unit
        if not isinstance(count, int) or isinstance(count, bool):
            right = "int or datetime" if absolute else "int or timedelta"
            raise _check.wrong_type("value", count, f"{right} for {self.expiry_type}")
        _check.integer("value", count)
        if count < 1:
            raise ValueError(f"value is less than 1 {'s' if in_seconds else 'ms'}; pass 1 or more")
        return count


class ExpireOptions(Enum):
    """A condition of ``expire``."""

    HasNoExpiry = "NX"
    """Only if the key does not expire yet."""

    HasExistingExpiry = "XX"
    """Only if the key expires already."""

    NewExpiryGreaterThanCurrent = "GT"
    """Only if the key then expires later; one that does not expire counts as the latest."""

    NewExpiryLessThanCurrent = "LT"
    """Only if the key then expires earlier; one that does not expire counts as the latest."""


class UpdateOptions(Enum):
    """A condition of ``zadd`` for members that exist already."""

    LESS_THAN = "LT"
    """Only if the new score is less than the current one."""

    GREATER_THAN = "GT"
    """Only if the new score is greater than the current one."""


class InfoSection(Enum):
    """A section of ``info``."""

    SERVER = "server"
    """General information about the server."""

    CLIENTS = "clients"
    """The connections of clients."""

    MEMORY = "memory"
    """What memory is used for."""

    PERSISTENCE = "persistence"
    """RDB and AOF."""

    STATS = "stats"
    """General counters."""

    REPLICATION = "replication"
    """The server's role, its primary and its replicas."""

    CPU = "cpu"
    """CPU time used."""

    COMMAND_STATS = "commandstats"
    """Counters of each command."""

    LATENCY_STATS = "latencystats"
    """Percentiles of each command's latency."""

    SENTINEL = "sentinel"
    """Sentinel; only of a Sentinel."""

    CLUSTER = "cluster"
    """The cluster."""

    MODULES = "modules"
    """The modules loaded."""

    KEYSPACE = "keyspace"
    """The keys of each database."""

    ERROR_STATS = "errorstats"
    """Counters of each kind of error."""

    ALL = "all"
    """All sections but those that modules add."""

    DEFAULT = "default"
    """The sections that come if none is named."""

    EVERYTHING = "everything"
    """All sections, with those that modules add."""


class FlushMode(Enum):
    """Whether a flush frees memory before it answers."""

    ASYNC = "ASYNC"
    """It answers first, and frees memory in the background."""

    SYNC = "SYNC"
    """It frees memory first, which may take long, and then answers."""


class FunctionRestorePolicy(Enum):
    """What FUNCTION RESTORE does about the libraries that the server has already."""

    APPEND = "APPEND"
    """Keep them; a library of the same name is an error."""

    FLUSH = "FLUSH"
    """Delete all of them first."""

    REPLACE = "REPLACE"
    """Replace those of the same name, and keep the others."""
