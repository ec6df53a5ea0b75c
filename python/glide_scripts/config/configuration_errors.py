"""What a wrong setting raises."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ConfigurationError


@contextmanager
def configuration_errors() -> Iterator[None]:
    """Make ``ConfigurationError`` of what ``checks`` raises. It also decorates functions."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
