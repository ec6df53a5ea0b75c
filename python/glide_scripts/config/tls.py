"""The details of TLS."""

import functools
from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import Self, TypeAlias

from ..checks import flag, optional, wrong_type
from ..public import show_as_public
from ..records import Record, record
from .configuration_errors import configuration_errors
from .secrets import check_not_empty, check_text, not_pickled

Pem: TypeAlias = bytes | str | PathLike[str]
"""A PEM file's content as bytes, or its path."""


@record(frozen=True, slots=True)
class TlsAdvancedConfiguration(Record):
    """How the client and the server make sure of each other over TLS.

    Certificates and keys are in PEM: their content as bytes, or the path of a file. Files are read
    by ``create()``, and again when they have changed and a connection is made.

    Args:
        use_insecure_tls: Whether to accept any certificate, for tests only: whoever can stand
            between the client and the server can then read and change everything. None means no.
        root_pem_cacerts: The certificates to trust instead of the system's, one or more after
            another. A server's own certificate will do, too.
        client_cert_pem: The client's certificate, for a server that asks for one, with the
            intermediate ones after it.
        client_key_pem: The key of that certificate.
        key_password: What the key is encrypted with, in PKCS #8 (``BEGIN ENCRYPTED PRIVATE KEY``).
        server_name: The name to look for in the server's certificate; None means the host that is
            connected to.
        verify_hostname: Whether the server's certificate must bear the server's name; None means
            yes. Without it any certificate of the trusted authorities will do.

    Raises:
        ConfigurationError: One of them is of a wrong type or not PEM, there is a certificate
            without its key, or the other way round, or one of them has no effect beside another.
    """

    use_insecure_tls: bool | None = None
    root_pem_cacerts: Pem | None = None
    client_cert_pem: Pem | None = None
    client_key_pem: Pem | None = None
    _: KW_ONLY
    key_password: str | None = None
    server_name: str | None = None
    verify_hostname: bool | None = None

    @configuration_errors()
    def __post_init__(self) -> None:
        optional(flag, "use_insecure_tls", self.use_insecure_tls, "True or False")
        for name, label in _PEM.items():
            pem = _checked_pem(name, getattr(self, name), label)
            object.__setattr__(self, name, pem)
        if self.client_cert_pem is not None and self.client_key_pem is None:
            raise ValueError("client_cert_pem is set without client_key_pem; pass both")
        if self.client_key_pem is not None and self.client_cert_pem is None:
            raise ValueError("client_key_pem is set without client_cert_pem; pass both")
        if self.key_password is not None and self.client_key_pem is None:
            raise ValueError("key_password is set without client_key_pem; pass both")
        optional(check_text, "key_password", self.key_password)
        optional(check_text, "server_name", self.server_name)
        optional(flag, "verify_hostname", self.verify_hostname, "True or False")
        if self.use_insecure_tls and self.verify_hostname:
            raise ValueError(
                "use_insecure_tls and verify_hostname are both True, and the first accepts any "
                "name; pass one of them"
            )

    @property
    def _says_something(self) -> bool:
        """Whether it has an effect, and is not GLIDE's way to ask for the default."""
        return self not in {TlsAdvancedConfiguration(), TlsAdvancedConfiguration(False)}

    def __repr__(self) -> str:
        shown = [f"use_insecure_tls={self.use_insecure_tls}"]
        shown += [
            f"{name}={_shown(pem)}" for name in _PEM if (pem := getattr(self, name)) is not None
        ]
        if self.key_password is not None:
            shown.append("key_password=***")
        if self.server_name is not None:
            shown.append(f"server_name={self.server_name!r}")
        if self.verify_hostname is not None:
            shown.append(f"verify_hostname={self.verify_hostname}")
        return f"TlsAdvancedConfiguration({', '.join(shown)})"

    def __reduce__(self) -> tuple[object, ...]:
        if isinstance(self.client_key_pem, bytes):
            raise not_pickled("TlsAdvancedConfiguration", "a client's key")
        if self.key_password is not None:
            raise not_pickled("TlsAdvancedConfiguration", "a key's password")
        fields = (getattr(self, name) for name in ("use_insecure_tls", *_PEM))
        named = functools.partial(
            type(self), server_name=self.server_name, verify_hostname=self.verify_hostname
        )
        return functools.partial(named, *fields), ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def _settings(self) -> dict[str, object]:
        return {
            "ca": self.root_pem_cacerts,
            "cert": self.client_cert_pem,
            "key": self.client_key_pem,
            "key_password": self.key_password,
            "insecure": bool(self.use_insecure_tls),
            "verify_hostname": self.verify_hostname is not False,
            "server_name": self.server_name,
        }


_PEM = {
    "root_pem_cacerts": "CERTIFICATE",
    "client_cert_pem": "CERTIFICATE",
    "client_key_pem": "PRIVATE KEY",
}


def _checked_pem(name: str, pem: Pem | None, label: str) -> Pem | None:
    """Bytes, or the path of a file as str."""
    if pem is None:
        return None
    # What is passed may be a key in another's place, and is not to be shown.
    if not isinstance(pem, (bytes, str, PathLike)):
        raise wrong_type(name, pem, "bytes in PEM, or the path of a PEM file")
    if not isinstance(pem, bytes):
        path = fspath(pem)
        check_not_empty(name, path, str, "bytes in PEM, or the path of a PEM file")
        if "-----BEGIN" in path:
            raise ValueError(f"{name} is PEM in a str; pass it as bytes, or pass a file's path")
        if "\0" in path:
            raise ValueError(f"{name} is a path that contains a zero character")
        return path
    if not pem:
        raise ValueError(f"{name} is empty; pass bytes in PEM, or leave it out")
    if f"{label}-----".encode() not in pem:
        raise ValueError(f"{name} has no {label} in PEM; pass the content of a .pem file")
    return pem


def _shown(pem: Pem) -> str:
    if not isinstance(pem, bytes):
        return repr(pem)
    return "***" if b"PRIVATE KEY-----" in pem else f"<{len(pem)} bytes>"


show_as_public(globals())
