"""Options for how to connect, which each command with ``--url`` has."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from .. import ConfigurationError, ServerCredentials
from ..config.address_map import mappings
from ._console import Color, color

PASSWORD_VARIABLES = ("VALKEYCLI_AUTH", "REDISCLI_AUTH")
KEY_PASSWORD_VARIABLE = "GLIDE_SCRIPTS_KEY_PASSWORD"


@dataclass(frozen=True)
class Connecting:
    """What the options say."""

    cacert: Path | None = None
    cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    sni: str | None = None
    timeout: float | None = None
    askpass: bool = False
    ask_key_password: bool = False
    address_map: tuple[str, ...] | None = None
    when: Color = Color.auto
    verbose: bool = False

    def check_is_unused(self) -> None:
        """Check that no option says how to connect, because a temporary server ignores them.

        Raises:
            ConfigurationError: One does.
        """
        for field in dataclasses.fields(self):
            if field.name in ("when", "verbose") or getattr(self, field.name) in (None, False, []):
                continue
            option = f"--{field.name.replace('_', '-')}"
            why = "is for the server of --url; add --url, or leave it out"
            raise ConfigurationError(f"{option} {why}")

    def applied_to(self, settings: dict[str, Any], kinds: Kinds) -> dict[str, Any]:
        """The arguments of a configuration, with what the options say.

        Raises:
            ConfigurationError: They do not go with what the URL says.
        """
        return (
            settings
            | self._advanced(settings, kinds)
            | self._login(settings)
            | self._mapping(settings)
        )

    def _mapping(self, settings: dict[str, Any]) -> dict[str, Any]:
        if not self.address_map:
            return {}
        if "address_map" in settings:
            raise ConfigurationError(
                "--address-map and address_map in the URL do not go together; leave one of them out"
            )
        try:
            return {"address_map": mappings(self.address_map)}
        except ValueError as error:
            raise ConfigurationError(
                f"--address-map: {error}; write inner:6379=outer:6379"
            ) from None

    def _advanced(self, settings: dict[str, Any], kinds: Kinds) -> dict[str, Any]:
        before = settings.get("advanced_config")
        values: dict[str, Any] = {}
        if self.timeout is not None:
            values["connection_timeout"] = max(1, round(self.timeout * 1000))
        tls = before.tls_config if before is not None else None
        if options := self._tls():
            option, _ = next(iter(options.items()))
            if not settings["use_tls"]:
                raise ConfigurationError(
                    f"{_OPTIONS[option]} is an option of TLS; write the URL with valkeys://"
                )
            if tls is not None:
                raise ConfigurationError(
                    f"{_OPTIONS[option]} and settings of TLS in the URL do not go together"
                )
            values["tls_config"] = tls = kinds.tls(**options)
        password = self._key_password(tls)
        if tls is not None and password is not None:
            values["tls_config"] = dataclasses.replace(tls, key_password=password)
        if not values:
            return {}
        if before is not None:
            return {"advanced_config": dataclasses.replace(before, **values)}
        return {"advanced_config": kinds.advanced(**values)}

    def _key_password(self, tls: Any) -> str | None:
        """The password of the client's key, where the URL has none."""
        if tls is None or tls.client_key_pem is None:
            if self.ask_key_password:
                raise ConfigurationError(
                    "--ask-key-password is set without a key; pass --cert and --tls-key"
                )
            return None
        if tls.key_password is not None:
            return None
        if not self.ask_key_password:
            if not _is_encrypted(tls.client_key_pem):
                return None
            if password := os.environ.get(KEY_PASSWORD_VARIABLE):
                return password
            if not sys.stdin.isatty():
                return None
        return asked_password("Password of the key: ")

    def _tls(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if self.cacert is not None:
            values["root_pem_cacerts"] = self.cacert
        if self.cert is not None:
            # Its key may stand in the same file.
            values |= {"client_cert_pem": self.cert, "client_key_pem": self.tls_key or self.cert}
        elif self.tls_key is not None:
            raise ConfigurationError("--tls-key is set without --cert; pass both")
        if self.insecure:
            values["use_insecure_tls"] = True
        if self.sni is not None:
            values["server_name"] = self.sni
        return values

    def _login(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The password of the environment, where the URL has none."""
        login: ServerCredentials | None = settings.get("credentials")
        if login is not None and login.password is not None:
            return {}
        username = login.username if login is not None else None
        if self.askpass:
            return {"credentials": ServerCredentials(asked_password(), username)}
        for name in PASSWORD_VARIABLES:
            if password := os.environ.get(name):
                return {"credentials": ServerCredentials(password, username)}
        return {}


@dataclass(frozen=True)
class Kinds:
    """The classes of a configuration's parts."""

    advanced: Callable[..., Any]
    tls: Callable[..., Any]


def asked_password(prompt: str = "Password: ") -> str:
    """What is typed without being shown."""
    from getpass import getpass  # noqa: PLC0415 - saves time at import

    return getpass(prompt, None)


def _is_encrypted(key: bytes | str) -> bool:
    """Whether a key in PEM, or the file at that path, needs a password."""
    try:
        content = key if isinstance(key, bytes) else Path(key).read_bytes()
    except OSError:
        # The client says so.
        return False
    return b"BEGIN ENCRYPTED PRIVATE KEY" in content


_OPTIONS = {
    "root_pem_cacerts": "--cacert",
    "client_cert_pem": "--cert",
    "use_insecure_tls": "--insecure",
    "server_name": "--sni",
}

_GIVEN: ContextVar[Connecting | None] = ContextVar("connecting", default=None)


def given() -> Connecting:
    """What the command line says."""
    return _GIVEN.get() or Connecting()


def _file(*names: str, about: str) -> Any:
    return Annotated[
        Path | None,
        typer.Option(*names, metavar="FILE", exists=True, dir_okay=False, help=about),
    ]


def _choose(when: Color) -> Color:
    color.set(when)
    return when


When: TypeAlias = Annotated[
    Color,
    typer.Option("--color", callback=_choose, is_eager=True, help="When to use colours."),
]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option("-v", "--verbose", help="Print the server's address to standard error."),
]
_KEY = "TLS: its key. Default: the one in --cert."


_PARAMETERS: dict[str, tuple[Any, Any]] = {
    "cacert": (
        _file("--cacert", about="TLS: the CAs to trust, in PEM. Default: the system's."),
        None,
    ),
    "cert": (_file("--cert", about="TLS: the client's certificate in PEM."), None),
    "tls_key": (_file("--tls-key", about=_KEY), None),
    "insecure": (
        Annotated[bool, typer.Option("--insecure", help="TLS: accept any certificate.")],
        False,
    ),
    "sni": (
        Annotated[
            str | None,
            typer.Option(
                "--sni", metavar="NAME", help="TLS: the server's name. Default: the host."
            ),
        ],
        None,
    ),
    "timeout": (
        Annotated[
            float | None,
            typer.Option(
                "--timeout",
                metavar="SECS",
                min=0.001,
                max=1e6,
                help="How long connecting may take.",
            ),
        ],
        None,
    ),
    "address_map": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--address-map",
                metavar="INNER=OUTER",
                help="Connect to OUTER in place of a server's own address INNER, both host:port, "
                "as behind NAT; may be repeated.",
            ),
        ],
        None,
    ),
    "when": (When, Color.auto),
    "verbose": (Verbose, False),
    "ask_key_password": (
        Annotated[
            bool,
            typer.Option(
                "--ask-key-password",
                help="TLS: ask for the password of an encrypted key. Otherwise "
                f"{KEY_PASSWORD_VARIABLE} in the environment has it, or the URL.",
            ),
        ],
        False,
    ),
    "askpass": (
        Annotated[
            bool,
            typer.Option(
                "--askpass",
                help="Ask for the password. Otherwise the URL has it, or VALKEYCLI_AUTH or "
                "REDISCLI_AUTH in the environment.",
            ),
        ],
        False,
    ),
}


def connecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, whose values `given` has while it runs."""

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        options = {name: values.pop(name) for name in _PARAMETERS}
        token = _GIVEN.set(Connecting(**options))
        try:
            command(**values)
        finally:
            _GIVEN.reset(token)

    signature = inspect.signature(command, eval_str=True)
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in signature.parameters.values()
    ]
    for name, (kind, default) in _PARAMETERS.items():
        is_free = name == "tls_key" and "keys" not in signature.parameters
        # Elsewhere --key is one of KEYS.
        annotation = _file("--tls-key", "--key", about=_KEY) if is_free else kind
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
        )
    # What typer reads.
    del with_options.__wrapped__
    with_options.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters
    )
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options
