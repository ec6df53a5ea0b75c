"""Settings that contain secrets: a password."""

from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY
from typing import Any, NoReturn, Self

from ..checks import of_type, optional, wrong_type
from ..public import show_as_public
from ..records import Record, record
from .configuration_errors import configuration_errors
from .unsupported import check_unsupported


class Hidden:
    """Holds a value that a traceback with local variables must not show."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        found: bool = self.value == (other.value if isinstance(other, Hidden) else other)
        return found

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "***"


@record(frozen=True, slots=True)
class ServerCredentials(Record):
    """The client's credentials.

    Args:
        password: The password. For a server without a password, omit the credentials. For a user
            without a password, pass the username alone.
        username: The user; None means the server's user ``default``.
        password_callback: An async function without arguments that returns the password. The client
            calls it for each new connection, also after a reconnect, within ``connection_timeout``.
            It runs on the event loop on which the client was made; after that loop is closed, the
            client cannot reconnect. For a synchronous client, pass a plain function.
        iam_config: GLIDE's; only None.

    Raises:
        ConfigurationError: There is neither a password, a username nor a callback, or both a
            password and a callback, or a value is empty or has a wrong type.
    """

    _by_position = (
        "password",
        "username",
        "iam_config",
    )

    password: str | None = None
    username: str | None = None
    _: KW_ONLY
    password_callback: Callable[[], Awaitable[str] | str] | None = None
    iam_config: None = None

    @configuration_errors()
    def __post_init__(self) -> None:
        check_unsupported({"iam_config": self.iam_config})
        if self.password is None and self.password_callback is None and self.username is None:
            raise ValueError(
                "password is None; pass the password of the server or user, or password_callback"
            )
        if self.password is not None and self.password_callback is not None:
            raise ValueError("password and password_callback are both set; pass one")
        optional(check_text, "password", self.password)
        optional(check_text, "username", self.username)
        if self.password_callback is not None and not callable(self.password_callback):
            raise wrong_type("password_callback", self.password_callback, "an async function")

    def __repr__(self) -> str:
        return f"ServerCredentials(password=***, username={self.username!r})"

    def _password(self) -> str | None:
        """What to log in with. A user without a password must send one, and any is accepted."""
        is_without = self.password is None and self.password_callback is None
        return "" if is_without else self.password

    def __reduce__(self) -> NoReturn:
        raise not_pickled("ServerCredentials", "a password")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def not_pickled(name: str, secret: str) -> TypeError:
    return TypeError(
        f"{name} contains {secret} and cannot be pickled; create it in the other process"
    )


def check_text(name: str, value: str) -> None:
    check_not_empty(name, value, str, "str")


def check_not_empty(name: str, value: str | bytes, kind: type, right: str) -> None:
    of_type(name, value, kind, right)
    if not value:
        raise ValueError(f"{name} is empty; pass {right}, or leave it out")


show_as_public(globals())
