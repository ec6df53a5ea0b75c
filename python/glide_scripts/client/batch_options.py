"""The options of ``exec``."""

from dataclasses import dataclass

from .. import checks
from ..commands.routes import AllNodes, AllPrimaries, Route
from ..errors import RequestError
from ..public import show_as_public


@dataclass(frozen=True, slots=True)
class BatchRetryStrategy:
    """What of a cluster's non-atomic batch is sent again.

    What was certainly not executed always is, whether this says so or not.

    Args:
        retry_server_error: Whether to send again what the server refused for now, such as
            ``TRYAGAIN``. That is always done, so it changes nothing here; GLIDE asks for it.
        retry_connection_error: Whether to send again what was under way when its connection was
            lost. **It may then be executed twice.**

    Raises:
        TypeError: An argument is not a bool.
    """

    retry_server_error: bool = False
    retry_connection_error: bool = False

    def __post_init__(self) -> None:
        checks.flag("retry_server_error", self.retry_server_error)
        checks.flag("retry_connection_error", self.retry_connection_error)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The options of ``GlideClient.exec``.

    Args:
        timeout: Milliseconds until the batch gives up, over all that it takes; None means the
            client's ``request_timeout``. The server may go on with what was sent.

    Raises:
        TypeError: ``timeout`` is not an int.
        ValueError: ``timeout`` is not more than 0.
    """

    timeout: int | None = None

    def __post_init__(self) -> None:
        _check_timeout(self.timeout)


@dataclass(frozen=True, slots=True)
class ClusterBatchOptions:
    """The options of ``GlideClusterClient.exec``.

    Args:
        timeout: As for ``BatchOptions``.
        route: The one node that gets the whole batch, whatever its commands and their own routes
            say; it redirects what it does not hold. None means by the commands' keys.
        retry_strategy: What is sent again; only for a batch that is not atomic.

    Raises:
        TypeError: An argument is of a wrong type.
        ValueError: ``timeout`` is not more than 0.
        RequestError: ``route`` is to several nodes.
    """

    timeout: int | None = None
    route: Route | None = None
    retry_strategy: BatchRetryStrategy | None = None

    def __post_init__(self) -> None:
        _check_timeout(self.timeout)
        right = "a Route to one node, such as SlotKeyRoute"
        checks.optional(checks.of_type, "route", self.route, Route, right)
        if isinstance(self.route, (AllNodes, AllPrimaries)):
            raise RequestError(
                f"route is {type(self.route).__name__}, which is several nodes; a batch goes to "
                "one: pass a SlotKeyRoute, a SlotIdRoute, a ByAddressRoute or a RandomNode"
            )
        checks.optional(checks.of_type, "retry_strategy", self.retry_strategy, BatchRetryStrategy)


def _check_timeout(timeout: int | None) -> None:
    checks.optional(checks.milliseconds, "timeout", timeout)


show_as_public(globals())
