"""The options of ``exec``."""

from dataclasses import dataclass

from .. import checks
from ..commands.routes import AllNodes, AllPrimaries, Route
from ..errors import RequestError
from ..public import show_as_public


@dataclass(frozen=True, slots=True)
class BatchRetryStrategy:
    """What to repeat in a cluster's pipeline.

    Commands that certainly did not run are always repeated.

    Args:
        retry_server_error: Whether to repeat commands after temporary refusals such as
            ``TRYAGAIN``. It has no effect, because that is always done; GLIDE has this parameter.
        retry_connection_error: Whether to repeat commands that were in flight when their connection
            was lost. **They may then run twice.**

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
        timeout: The deadline of the batch with all its steps, in milliseconds; None means the
            client's ``request_timeout``. The server may still execute what was sent.

    Raises:
        TypeError: ``timeout`` is not an int.
        ValueError: ``timeout`` is not positive.
    """

    timeout: int | None = None

    def __post_init__(self) -> None:
        _check_timeout(self.timeout)


@dataclass(frozen=True, slots=True)
class ClusterBatchOptions:
    """The options of ``GlideClusterClient.exec``.

    Args:
        timeout: As for ``BatchOptions``.
        route: One node for the whole batch, whatever its commands and their routes. If the node
            redirects a command, the client follows. None means by the commands' keys.
        retry_strategy: What to repeat; only for a pipeline.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: ``timeout`` is not positive.
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
