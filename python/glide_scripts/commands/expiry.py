"""The expiry of a written key: an option of ``set``."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from .. import checks
from ..public import show_as_public

_EPOCH = datetime.fromtimestamp(0, UTC)


class ExpiryType(Enum):
    """The unit and meaning of an ``ExpirySet``'s value."""

    SEC = "EX"
    """A time from now: an int in seconds, or a timedelta."""

    MILLSEC = "PX"
    """A time from now: an int in milliseconds, or a timedelta."""

    UNIX_SEC = "EXAT"
    """A point in time: an int in seconds since 1970, or a datetime."""

    UNIX_MILLSEC = "PXAT"
    """A point in time: an int in milliseconds since 1970, or a datetime."""

    KEEP_TTL = "KEEPTTL"
    """The key keeps its expiry; there is no value."""


@dataclass(frozen=True, slots=True)
class ExpirySet:
    """The expiry of the key that ``set`` writes.

    Args:
        expiry_type: The unit and meaning of the value.
        value: The value. A timedelta or datetime is rounded down to the unit; a datetime without a
            time zone is in local time.

    Raises:
        TypeError: The value's type is not what ``expiry_type`` asks for.
        ValueError: The value, in the type's unit, is less than 1, or has more than 64 bits.
    """

    expiry_type: ExpiryType
    value: int | timedelta | datetime | None = None

    def __post_init__(self) -> None:
        checks.member("expiry_type", self.expiry_type, ExpiryType)
        if self.expiry_type is not ExpiryType.KEEP_TTL:
            object.__setattr__(self, "value", self._count())
        elif self.value is not None:
            raise checks.wrong_type("value", self.value, "None for ExpiryType.KEEP_TTL")

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
            raise checks.wrong_type("value", count, f"{right} for {self.expiry_type}")
        checks.integer("value", count)
        if count < 1:
            raise ValueError(f"value is less than 1 {'s' if in_seconds else 'ms'}; pass 1 or more")
        return count


show_as_public(globals())
