"""The names of settings in errors, for users who gave them in a URL or on the command line."""

from __future__ import annotations

from collections.abc import Mapping

# The longer ones first: each is replaced wherever it stands in an error's text.
URL_NAMES = {
    "root_pem_cacerts": "ssl_ca_certs",
    "client_cert_pem": "ssl_certfile",
    "client_key_pem": "ssl_keyfile",
    "key_password": "ssl_password",
    "verify_hostname=False": "ssl_check_hostname=false",
    "verify_hostname": "ssl_check_hostname",
    "use_insecure_tls": "ssl_cert_reqs=none",
    "sentinel_use_tls=True": "sentinel_use_tls=true",
    "sentinel_use_tls=False": "sentinel_use_tls=false",
    "use_tls=True": "valkeys:// as the scheme",
    "use_tls=False": "valkey:// as the scheme",
    "server_name in the TLS configuration": "server_name in the URL",
}

COMMAND_LINE_NAMES = URL_NAMES | {
    "root_pem_cacerts": "--cacert",
    "client_cert_pem": "--cert",
    "client_key_pem": "--tls-key",
    "key_password": "--ask-key-password (or GLIDE_SCRIPTS_KEY_PASSWORD)",
    "use_insecure_tls": "--insecure",
    "server_name in the TLS configuration": "--sni",
}


_SENTINEL_URL_NAMES = {
    "use_tls=True": "valkeys+sentinel:// as the scheme",
    "use_tls=False": "valkey+sentinel:// as the scheme",
}


def with_setting_names(
    settings: Mapping[str, object], names: Mapping[str, str]
) -> dict[str, object]:
    """What a configuration's `_settings()` gives, with these names for them."""
    more = {} if settings["sentinel"] is None else _SENTINEL_URL_NAMES
    return {**settings, "setting_names": tuple({**names, **more}.items())}


def renamed(text: str, names: Mapping[str, str]) -> str:
    """An error's text, with the settings in it called what the caller calls them."""
    for setting, name in names.items():
        text = text.replace(setting, name)
    return text
