"""Settings that contain secrets: a password, and the key of a client's certificate."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, NoReturn, Self

from ..checks import flag, of_type, optional, wrong_type
from ..public import show_as_public
from .configuration_errors import configuration_errors


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


@dataclass(frozen=True, slots=True, repr=False)
class ServerCredentials:
    """The client's credentials.

    Args:
        password: The password. For a server without a password, omit the credentials.
        username: The user; None means the server's user ``default``.
        password_callback: An async function without arguments that returns the password. The client
            calls it for each new connection, also after a reconnect, within ``connection_timeout``.
            It runs on the event loop on which the client was made; after that loop is closed, the
            client cannot reconnect.

    Raises:
        ConfigurationError: There is neither a password nor a callback, or both, or a value is empty
            or has a wrong type.
    """

    password: str | None = None
    username: str | None = None
    _: KW_ONLY
    password_callback: Callable[[], Awaitable[str]] | None = None

    @configuration_errors()
    def __post_init__(self) -> None:
        if self.password is None and self.password_callback is None:
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

    def __reduce__(self) -> NoReturn:
        raise not_pickled("ServerCredentials", "a password")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


@dataclass(frozen=True, slots=True, repr=False)
class TlsAdvancedConfiguration:
    """TLS settings: certificates and their verification.

    Args:
        use_insecure_tls: Whether to accept any certificate. Only for tests: anyone between the
            client and the server can then read and change everything. None means False.
        root_pem_cacerts: The authorities to trust instead of the system's: one or more certificates
            in PEM.
        client_cert_pem: The client's certificate in PEM, for a server that requires one.
        client_key_pem: The key of that certificate in PEM.
        server_name: The name to expect in the server's certificate; None means the host of the
            connection.

    Raises:
        ConfigurationError: A value has a wrong type or is not PEM, or only one of certificate and
            key is given.
    """

    use_insecure_tls: bool | None = None
    root_pem_cacerts: bytes | None = None
    client_cert_pem: bytes | None = None
    client_key_pem: bytes | None = None
    _: KW_ONLY
    server_name: str | None = None

    @configuration_errors()
    def __post_init__(self) -> None:
        optional(flag, "use_insecure_tls", self.use_insecure_tls, "True or False")
        optional(_check_pem, "root_pem_cacerts", self.root_pem_cacerts, "CERTIFICATE")
        optional(_check_pem, "client_cert_pem", self.client_cert_pem, "CERTIFICATE")
        optional(_check_pem, "client_key_pem", self.client_key_pem, "PRIVATE KEY")
        if self.client_cert_pem is not None and self.client_key_pem is None:
            raise ValueError("client_cert_pem is set without client_key_pem; pass both")
        if self.client_key_pem is not None and self.client_cert_pem is None:
            raise ValueError("client_key_pem is set without client_cert_pem; pass both")
        optional(check_text, "server_name", self.server_name)

    def __repr__(self) -> str:
        shown = [f"use_insecure_tls={self.use_insecure_tls}"]
        if self.root_pem_cacerts is not None:
            shown.append(f"root_pem_cacerts=<{len(self.root_pem_cacerts)} bytes>")
        if self.client_cert_pem is not None:
            shown.append(f"client_cert_pem=<{len(self.client_cert_pem)} bytes>")
            shown.append("client_key_pem=***")
        if self.server_name is not None:
            shown.append(f"server_name={self.server_name!r}")
        return f"TlsAdvancedConfiguration({', '.join(shown)})"

    def __reduce__(self) -> tuple[object, ...]:
        if self.client_key_pem is not None:
            raise not_pickled("TlsAdvancedConfiguration", "a client's key")
        fields = (self.use_insecure_tls, self.root_pem_cacerts, None, None)
        return functools.partial(type(self), *fields, server_name=self.server_name), ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def _settings(self) -> dict[str, object]:
        return {
            "ca": self.root_pem_cacerts,
            "cert": self.client_cert_pem,
            "key": self.client_key_pem,
            "insecure": bool(self.use_insecure_tls),
            "server_name": self.server_name,
        }


def not_pickled(name: str, secret: str) -> TypeError:
    return TypeError(
        f"{name} contains {secret} and cannot be pickled; create it in the other process"
    )


def check_text(name: str, value: str) -> None:
    _check_not_empty(name, value, str, "str")


def _check_pem(name: str, value: bytes, label: str) -> None:
    _check_not_empty(name, value, bytes, "bytes in PEM")
    if f"{label}-----".encode() not in value:
        raise ValueError(f"{name} has no {label} in PEM; pass the content of a .pem file")


def _check_not_empty(name: str, value: str | bytes, kind: type, right: str) -> None:
    of_type(name, value, kind, right)
    if not value:
        raise ValueError(f"{name} is empty; pass {right}, or leave it out")


show_as_public(globals())
