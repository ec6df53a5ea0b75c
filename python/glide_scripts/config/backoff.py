"""The waits between attempts to reconnect."""

from ..checks import MAX_UINT32, optional, within
from ..public import show_as_public
from ..records import Record, record
from .configuration_errors import configuration_errors

_DEFAULT_JITTER_PERCENT = 20
# Waits of at most a third of a second: a server that is back is found in that time.
DEFAULT_BACKOFF = (5, 10, 2, _DEFAULT_JITTER_PERCENT)


@record(frozen=True, slots=True)
class BackoffStrategy(Record):
    """The waits between attempts to reconnect.

    Before attempt N, the client waits ``factor * exponent_base ** N`` milliseconds, minus a random
    part. After ``num_of_retries`` attempts the wait stops growing. The attempts continue until one
    succeeds.

    Args:
        num_of_retries: The number of attempts after which the wait stops growing.
        factor: The base of the waits in milliseconds, at least 1.
        exponent_base: The factor from one wait to the next, at least 1.
        jitter_percent: The random part of each wait in percent, from 0 to 100; None means 20.

    Raises:
        ConfigurationError: A value has a wrong type or is out of range.
    """

    num_of_retries: int
    factor: int
    exponent_base: int
    jitter_percent: int | None = None

    @configuration_errors()
    def __post_init__(self) -> None:
        within("num_of_retries", self.num_of_retries, 0, MAX_UINT32)
        within("factor", self.factor, 1, MAX_UINT32)
        within("exponent_base", self.exponent_base, 1, MAX_UINT32)
        optional(within, "jitter_percent", self.jitter_percent, 0, 100)

    def _settings(self) -> tuple[int, int, int, int]:
        return (
            self.num_of_retries,
            self.factor,
            self.exponent_base,
            _DEFAULT_JITTER_PERCENT if self.jitter_percent is None else self.jitter_percent,
        )


show_as_public(globals())
