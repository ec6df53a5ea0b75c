"""URLs of Sentinels."""

from __future__ import annotations

from typing import Any

import pytest

from glide_scripts import (
    ConfigurationError,
    NodeAddress,
    SentinelConfiguration,
    ServerCredentials,
    TlsAdvancedConfiguration,
)
from glide_scripts.config.url import configuration_of, parse_url

HERE = [NodeAddress("h", 26379)]


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("valkey+sentinel://h/main", {}),
        ("redis+sentinel://h:26379/main/", {}),
        ("valkeys+sentinel://h/main", {"use_tls": True}),
        ("rediss+sentinel://h/main", {"use_tls": True}),
        (
            "valkey+sentinel://a,b:1,[::1]/main/2",
            {
                "addresses": [
                    NodeAddress("a", 26379),
                    NodeAddress("b", 1),
                    NodeAddress("::1", 26379),
                ],
                "database_id": 2,
            },
        ),
        ("valkey+sentinel://u:pw@h/main", {"credentials": ServerCredentials("pw", "u")}),
        ("valkey+sentinel://h/a%2Fb", {"service_name": "a/b"}),
        (
            "valkey+sentinel://h/main?sentinel_password=p%40&sentinel_username=u",
            {"sentinel_credentials": ServerCredentials("p@", "u")},
        ),
        (
            "valkey+sentinel://h/main?sentinel_password=pw&client_name=c",
            {"sentinel_credentials": ServerCredentials("pw"), "client_name": "c"},
        ),
        (
            "valkeys+sentinel://h/main?sentinel_use_tls=false",
            {"use_tls": True, "sentinel_use_tls": False},
        ),
        ("Valkeys+Sentinel://h/main", {"use_tls": True}),
        (
            "valkey+sentinel://h/main?sentinel_use_tls=true&ssl_ca_certs=ca.pem",
            {
                "sentinel_use_tls": True,
                "sentinel_tls_config": TlsAdvancedConfiguration(root_pem_cacerts="ca.pem"),
            },
        ),
    ],
)
def test_a_url_gives_the_arguments_of_a_configuration(url: str, settings: dict[str, Any]) -> None:
    parsed = parse_url(url, cluster=False)
    assert parsed == {"addresses": HERE, "use_tls": False, "service_name": "main"} | settings
    config = configuration_of(parsed, cluster=False)
    assert isinstance(config, SentinelConfiguration)
    assert config.service_name == parsed["service_name"]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("valkey+sentinel://h", "it lacks the name of the service"),
        ("valkey+sentinel://h/", "it lacks the name of the service"),
        ("valkey+sentinel://h//1", "it lacks the name of the service"),
        ("valkey+sentinel://h/main/x", "the database is not a whole number"),
        ("valkey+sentinel://h/%zz", "in the service, a '%' is not followed by two hexadecimal"),
        ("http+sentinel://h/main", "the scheme is not one of valkey, redis, valkeys, rediss"),
        ("sentinel://h/main", "valkeys+sentinel, rediss+sentinel; write it like"),
        ("valkey+sentinel://h/main?ssl_ca_certs=a", "ssl_ca_certs is a setting of TLS"),
        ("valkey+sentinel://h/main?service_name=x", "it is the first part of the path"),
        ("valkey+sentinel://h/main?sentinel_use_tls=x", "sentinel_use_tls is not true or false"),
        ("valkey://h/1?sentinel_password=hunter2", "sentinel_password is a setting of Sentinels"),
    ],
)
def test_a_wrong_url_is_refused(url: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url, cluster=False)
    assert text in str(caught.value)
    assert "hunter2" not in str(caught.value)
    if "+sentinel" in url:
        assert str(caught.value).endswith(
            "valkey+sentinel://user:password@host1:26379,host2:26379/service/0"
        )


def test_a_cluster_has_no_sentinels() -> None:
    with pytest.raises(ConfigurationError, match="a cluster has none"):
        parse_url("valkey+sentinel://h/main", cluster=True)
