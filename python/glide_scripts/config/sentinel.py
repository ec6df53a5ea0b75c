"""The settings of a client whose servers are found through Sentinels."""

from __future__ import annotations

from dataclasses import field

from ..checks import flag, of_type, optional
from ..public import show_as_public
from ..records import record
from .configuration_errors import configuration_errors
from .secrets import Hidden, ServerCredentials
from .settings import IN_BOTH, GlideClientConfiguration, credentials_settings, or_default
from .tls import TlsAdvancedConfiguration


@record(frozen=True, slots=True)
class SentinelConfiguration(GlideClientConfiguration):
    """The settings of a client of a primary and its replicas that Sentinels watch over.

    The client asks all the Sentinels for the primary, confirms it by ``ROLE``, and follows a
    failover when a Sentinel reports it, when the connection is lost, or when a server answers that
    it is a replica.

    Args:
        addresses: The Sentinels; one that answers is enough. Their usual port is 26379.
        service_name: The name by which they know the primary and its replicas, such as
            ``mymaster``.
        sentinel_credentials: What to authenticate with at the Sentinels; None if they ask for
            nothing. ``credentials`` are for the servers alone.
        sentinel_use_tls: Whether to connect to the Sentinels over TLS; None means as to the
            servers, which ``use_tls`` says.
        sentinel_tls_config: The details of that TLS; None means those of ``advanced_config``.

    The other settings are those of ``GlideClientConfiguration``. ``address_map`` is for the
    servers that the Sentinels name, not for the Sentinels.

    Raises:
        ConfigurationError: A value has a wrong type, is out of range, or conflicts with another.
    """

    _by_position = IN_BOTH

    service_name: str = field(kw_only=True)
    sentinel_credentials: ServerCredentials | None = field(default=None, kw_only=True)
    sentinel_use_tls: bool | None = field(default=None, kw_only=True)
    sentinel_tls_config: TlsAdvancedConfiguration | None = field(default=None, kw_only=True)

    @configuration_errors()
    def __post_init__(self) -> None:
        GlideClientConfiguration.__post_init__(self)
        name = self.service_name
        of_type("service_name", name, str, "str")
        if not name or not all("!" <= character <= "~" for character in name):
            raise ValueError(
                f"service_name is {name!r}; pass the name after `sentinel monitor` in the "
                "Sentinels' settings, in printable ASCII without spaces"
            )
        optional(of_type, "sentinel_credentials", self.sentinel_credentials, ServerCredentials)
        optional(flag, "sentinel_use_tls", self.sentinel_use_tls, "True or False")
        optional(of_type, "sentinel_tls_config", self.sentinel_tls_config, TlsAdvancedConfiguration)
        if self.sentinel_tls_config is not None and not self._uses_tls:
            raise ValueError(
                "sentinel_tls_config is set, and the Sentinels are not reached over TLS; "
                "pass sentinel_use_tls=True"
            )

    @property
    def _uses_tls(self) -> bool:
        """Whether the Sentinels are reached over TLS."""
        return or_default(self.sentinel_use_tls, self.use_tls)

    def _settings(self) -> dict[str, object]:
        advanced = self.advanced_config.tls_config if self.advanced_config else None
        tls = self.sentinel_tls_config or advanced or TlsAdvancedConfiguration()
        sentinel = {
            "service": self.service_name,
            "tls": Hidden(tls._settings()) if self._uses_tls else None,
            **credentials_settings(self.sentinel_credentials),
        }
        return GlideClientConfiguration._settings(self) | {"sentinel": sentinel}


show_as_public(globals())
