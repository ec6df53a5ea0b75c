"""URLs of servers."""

from typing import Any

import pytest

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    AdvancedGlideClusterClientConfiguration,
    BackoffStrategy,
    ConfigurationError,
    GlideClientConfiguration,
    NodeAddress,
    PeriodicChecksManualInterval,
    PeriodicChecksStatus,
    ProtocolVersion,
    ReadFrom,
    ServerCredentials,
    TlsAdvancedConfiguration,
    UnixSocketAddress,
)
from glide_scripts.config.cluster import GlideClusterClientConfiguration
from glide_scripts.config.url import parse_url

HERE = [NodeAddress("localhost", 6379)]


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("valkey://localhost", {}),
        ("valkey://localhost/", {}),
        ("redis://localhost:6379", {}),
        ("valkeys://localhost", {"use_tls": True}),
        ("rediss://localhost", {"use_tls": True}),
        ("valkey://example.com:7000", {"addresses": [NodeAddress("example.com", 7000)]}),
        ("valkey://[::1]", {"addresses": [NodeAddress("::1", 6379)]}),
        ("valkey://[::1]:7000/2", {"addresses": [NodeAddress("::1", 7000)], "database_id": 2}),
        (
            "valkey://a,b:2,[::1]:3",
            {"addresses": [NodeAddress("a"), NodeAddress("b", 2), NodeAddress("::1", 3)]},
        ),
        ("valkey://ann:pw@localhost", {"credentials": ServerCredentials("pw", "ann")}),
        ("valkey://:pw@localhost", {"credentials": ServerCredentials("pw")}),
        (
            "valkey://a%40b:p%3A%2F%3F%23%25%C3%A9@localhost",
            {"credentials": ServerCredentials("p:/?#%é", "a@b")},
        ),
        ("valkey://ann@localhost", {"credentials": ServerCredentials(username="ann")}),
        ("valkey://ann:@localhost", {"credentials": ServerCredentials(username="ann")}),
        ("valkey://localhost?username=ann", {"credentials": ServerCredentials(username="ann")}),
        ("valkey://localhost?password=a%26b", {"credentials": ServerCredentials("a&b")}),
        ("unix:///a/b.sock", {"addresses": [UnixSocketAddress("/a/b.sock")]}),
        (
            "valkey+unix://ann:pw@/a%20b?db=3",
            {
                "addresses": [UnixSocketAddress("/a b")],
                "credentials": ServerCredentials("pw", "ann"),
                "database_id": 3,
            },
        ),
        ("redis+socket:///a,b", {"addresses": [UnixSocketAddress("/a,b")]}),
        ("valkey://[fe80::1%25eth0]:7", {"addresses": [NodeAddress("fe80::1%eth0", 7)]}),
        ("valkey://[fe80::1%eth0]:7", {"addresses": [NodeAddress("fe80::1%eth0", 7)]}),
        ("valkey://localhost?db=4", {"database_id": 4}),
        ("valkey://localhost?socket_timeout=0.25", {"request_timeout": 250}),
        (
            "valkey://localhost?read_from=az-affinity&client_az=a",
            {"read_from": ReadFrom.AZ_AFFINITY, "client_az": "a"},
        ),
        ("valkey://localhost?read_from_replicas=true", {"read_from": ReadFrom.PREFER_REPLICA}),
        (
            "valkey://localhost?lazy_connect=yes&inflight_requests_limit=9",
            {"lazy_connect": True, "inflight_requests_limit": 9},
        ),
        (
            "valkey://localhost?reconnect_strategy=1,2,3",
            {"reconnect_strategy": BackoffStrategy(1, 2, 3)},
        ),
        ("valkey://ann:p:w+d@localhost", {"credentials": ServerCredentials("p:w+d", "ann")}),
        ("valkey://localhost/0", {"database_id": 0}),
        ("valkey://localhost/15", {"database_id": 15}),
        ("valkey://localhost?protocol=2", {"protocol": ProtocolVersion.RESP2}),
        ("valkey://localhost/?protocol=3", {"protocol": ProtocolVersion.RESP3}),
        (
            "valkey://localhost/1?client_name=a%40b&timeout=250",
            {"database_id": 1, "client_name": "a@b", "request_timeout": 250},
        ),
    ],
)
@pytest.mark.parametrize(
    ("cluster", "configuration"),
    [(False, GlideClientConfiguration), (True, GlideClusterClientConfiguration)],
)
def test_a_url_gives_the_arguments_of_a_configuration(
    url: str, settings: dict[str, Any], cluster: bool, configuration: type
) -> None:
    parsed = parse_url(url, cluster=cluster)
    assert parsed == {"addresses": HERE, "use_tls": False} | settings
    configuration(**parsed)


@pytest.mark.parametrize(
    ("query", "advanced", "tls"),
    [
        ("socket_connect_timeout=1.5", {"connection_timeout": 1500}, None),
        (
            "connection_timeout=7&tcp_nodelay=false",
            {"connection_timeout": 7, "tcp_nodelay": False},
            None,
        ),
        ("health_check_interval=0", {"heartbeat_interval": 0}, None),
        (
            "heartbeat_interval=9&pending_bytes_limit=8",
            {"heartbeat_interval": 9, "pending_bytes_limit": 8},
            None,
        ),
        ("send_client_info=false", {"send_client_info": False}, None),
        (
            "ssl_ca_certs=ca.pem&server_name=db",
            {},
            {"root_pem_cacerts": "ca.pem", "server_name": "db"},
        ),
        ("ssl_certfile=a&ssl_keyfile=b", {}, {"client_cert_pem": "a", "client_key_pem": "b"}),
        (
            "ssl_certfile=a&ssl_keyfile=b&ssl_password=c",
            {},
            {"client_cert_pem": "a", "client_key_pem": "b", "key_password": "c"},
        ),
        ("ssl_cert_reqs=none", {}, {"use_insecure_tls": True}),
        ("ssl_check_hostname=False", {}, {"verify_hostname": False}),
        (
            "ssl_ca_data=-----BEGIN%20CERTIFICATE-----",
            {},
            {"root_pem_cacerts": b"-----BEGIN CERTIFICATE-----"},
        ),
    ],
)
@pytest.mark.parametrize("cluster", [False, True])
def test_a_url_has_the_details(
    query: str, advanced: dict[str, Any], tls: dict[str, Any] | None, cluster: bool
) -> None:
    kind = AdvancedGlideClusterClientConfiguration if cluster else AdvancedGlideClientConfiguration
    settings = dict(advanced)
    if tls is not None:
        settings["tls_config"] = TlsAdvancedConfiguration(**tls)
    scheme = "valkey" if tls is None else "valkeys"
    parsed = parse_url(f"{scheme}://localhost?{query}", cluster=cluster)
    assert parsed["advanced_config"] == kind(**settings)


def test_settings_of_clusters_are_for_clusters() -> None:
    url = "valkey://a?periodic_checks=5&refresh_topology_from_initial_nodes=true"
    parsed = parse_url(url, cluster=True)
    assert parsed["periodic_checks"] == PeriodicChecksManualInterval(5)
    assert parsed["advanced_config"].refresh_topology_from_initial_nodes
    off = parse_url("valkey://a?periodic_checks=disabled", cluster=True)
    assert off["periodic_checks"] is PeriodicChecksStatus.DISABLED
    with pytest.raises(ConfigurationError, match="periodic_checks is a setting of clusters"):
        parse_url(url, cluster=False)
    with pytest.raises(ConfigurationError, match=r"periodic_checks is not .* of 1 or more"):
        parse_url("valkey://a?periodic_checks=0", cluster=True)


WRONG = [
    ("", "it has no scheme"),
    ("localhost:6379", "it has no scheme"),
    ("ann:hunter2@localhost:6379", "it has no scheme"),
    ("http://localhost", "the scheme is not one of valkey, redis, valkeys, rediss"),
    ("VALKEY:localhost", "it has no scheme"),
    ("hunter2://localhost", "the scheme is not one of"),
    ("valkey://", "in host 1, the host is empty"),
    ("valkey:///0", "in host 1, the host is empty"),
    ("valkey://:pw@", "in host 1, the host is empty"),
    ("valkey://:6379", "in host 1, the host is empty"),
    ("valkey://a,,b", "in host 2, the host is empty"),
    ("valkey://a,", "in host 2, the host is empty"),
    ("valkey://a:x", "in host 1, the port is not a number from 1 to 65535"),
    ("valkey://a:", "in host 1, the port is not a number from 1 to 65535"),
    ("valkey://a,b:0", "in host 2, the port is not a number from 1 to 65535"),
    ("valkey://a:65536", "in host 1, the port is not a number from 1 to 65535"),
    ("valkey://::1", "in host 1, an IPv6 address needs brackets, as in [::1]:6379"),
    ("valkey://[::1", "in host 1, an IPv6 address with a port is written as [::1]:6379"),
    ("valkey://[::1]x", "in host 1, an IPv6 address with a port is written as [::1]:6379"),
    ("valkey://[a]", "in host 1, the text in brackets is not an IPv6 address"),
    ("valkey://a%20b", "in host 1, the host contains '%'"),
    ("valkey://a b", "it contains a space or a control character"),
    ("valkey://a\n", "it contains a space or a control character"),
    ("valkey://ann:hunter2@a@b", "it contains '@' where it must be %40"),
    ("valkey://ann:hunt@er2@a", "it contains '@' where it must be %40"),
    ("valkey://ann:x/hunter2@a", "'/' as %2F, '?' as %3F and '#' as %23"),
    ("valkey://ann:x?hunter2=1@a", "'/' as %2F, '?' as %3F and '#' as %23"),
    ("valkey://ann:x#hunter2@a", "'/' as %2F, '?' as %3F and '#' as %23"),
    ("valkey://ann:hunter2%zz@a", "in the password, a '%' is not followed by two hexadecimal"),
    ("valkey://hunter2%:pw@a", "in the user, a '%' is not followed by two hexadecimal"),
    ("valkey://ann:hunter2%FF@a", "the password is not UTF-8 when decoded"),
    ("valkey://@a", "it has no user and no password before '@'"),
    ("valkey://:@a", "it has no user and no password before '@'"),
    ("valkey://ann:hunter2", "in host 1, the port is not a number"),
    ("valkey://a/x", "the database is not a whole number"),
    ("valkey://a/-1", "the database is not a whole number"),
    ("valkey://a/1/2", "the database is not a whole number"),
    ("valkey://a/1_0", "the database is not a whole number"),
    ("valkey://a/٣", "the database is not a whole number"),
    ("valkey://a#x", "it contains '#', which has no meaning here"),
    ("valkey://a?dbs=1", "there is no setting 'dbs', only protocol, client_name, timeout"),
    ("valkey://a?protocol=2&", "there is no setting ''"),
    ("valkey://a?pasword=hunter2", "there is no setting 'pasword'"),
    ("valkey://ann:pw@a?password=hunter2", "given twice, before '@' and after '?'"),
    ("valkey://a?username=ann&username=bob", "username is given twice"),
    ("valkey://a/1?db=2", "db and the database are both given, and mean the same setting"),
    ("valkey://a?timeout=1&socket_timeout=2", "socket_timeout and timeout are both given"),
    ("valkey://a?socket_timeout=0", "socket_timeout is 0; write more than 0 seconds"),
    ("valkey://a?timeout=0", "url: timeout is 0; write 1 or more"),
    ("valkey://a?socket_connect_timeout=0.0", "socket_connect_timeout is 0; write more than 0"),
    ("valkey://a?username=&password=", "username and password after '?' has no value"),
    ("valkey://a?socket_timeout=1s", "socket_timeout is not a number of seconds"),
    ("valkey://a?socket_timeout=-1", "socket_timeout is not a number of seconds"),
    ("valkey://a?socket_timeout=nan", "socket_timeout is not a number of seconds"),
    ("valkey://a?lazy_connect=maybe", "lazy_connect is not true or false"),
    ("valkey://a?read_from=me", "read_from is not one of primary, prefer_replica, az_affinity"),
    ("valkey://a?reconnect_strategy=1,2", "reconnect_strategy is not num_of_retries,factor"),
    ("valkey://a?ssl_ca_certs=a.pem", "ssl_ca_certs is a setting of TLS, which the scheme"),
    ("valkeys://a?ssl_ca_certs=", "ssl_ca_certs is empty; write the path of a file"),
    ("valkeys://a?ssl_ca_data=hunter2", "ssl_ca_data is not PEM"),
    ("valkeys://a?ssl_cert_reqs=x", "ssl_cert_reqs is not none, optional or required"),
    ("valkeys://a?ssl_certfile=a", "ssl_certfile is set without ssl_keyfile; pass both"),
    ("valkeys://a?ssl_password=a", "ssl_password is set without ssl_keyfile; pass both"),
    ("valkeys://a?ssl_ca_path=a", "ssl_ca_path cannot be set in a URL: name a file"),
    ("valkey://a?observer=x", "observer cannot be set in a URL: it is an object; pass it"),
    ("valkey://a?password_callback=x", "password_callback cannot be set in a URL"),
    ("valkey://a?max_connections=3", "max_connections cannot be set in a URL: a client has one"),
    ("valkey://a?address_remap=x", "address_remap cannot be set in a URL: write address_map"),
    ("valkeys://a?ssl_validate_ocsp=1", "ssl_validate_ocsp cannot be set in a URL: the client"),
    ("valkey://a?require_full_coverage=1", "require_full_coverage cannot be set in a URL: the"),
    ("valkey://a?decode_responses=true", "decode_responses cannot be set in a URL: replies"),
    ("unix://", "the path of a Unix socket does not begin with '/'"),
    ("unix:///", "it has no path of a Unix socket"),
    ("unix://tmp/a.sock", "the path of a Unix socket does not begin with '/'"),
    ("unix:///a?ssl_ca_certs=b", "ssl_ca_certs is a setting of TLS"),
    ("unix:///" + 108 * "x", "in the path, it is 109 bytes long"),
    ("unix:///a%00b", "in the path, it contains a zero character"),
    ("unix:///a%zz", "in the path, a '%' is not followed by two hexadecimal"),
    ("valkey://[fe80::1%25]", "the text in brackets is not an IPv6 address"),
    ("valkey://a?protocol=4", "protocol is not 2 or 3"),
    ("valkey://a?protocol", "protocol is not 2 or 3"),
    ("valkey://a?timeout=1s", "timeout is not a whole number of milliseconds, such as time"),
    ("valkey://a?timeout=", "timeout is not a whole number of milliseconds, such as time"),
    (
        "valkey://a?timeout=1.5",
        "timeout is not a whole number of milliseconds, such as time",
    ),
    ("valkey://a?connection_timeout=0", "connection_timeout is 0; write 1 or more milliseconds"),
    ("valkey://a?timeout=1&timeout=2", "timeout is given twice"),
    ("valkey://a?client_name=%", "in client_name, a '%' is not followed by two hexadecimal"),
]


@pytest.mark.parametrize("cluster", [False, True])
@pytest.mark.parametrize(("url", "text"), WRONG)
def test_a_wrong_url_is_refused_without_showing_a_password(
    url: str, text: str, cluster: bool
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url, cluster=cluster)
    assert text in str(caught.value)
    assert "hunt" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_refused_url_comes_with_an_example_of_its_kind() -> None:
    with pytest.raises(ConfigurationError, match=r"valkey://user:password@host:6379/0$"):
        parse_url("x", cluster=False)
    with pytest.raises(ConfigurationError, match=r"valkey://user:password@host1:6379,host2:6379$"):
        parse_url("x", cluster=True)


def test_what_is_no_text_is_refused() -> None:
    url: Any = b"valkey://:hunter2@localhost"
    with pytest.raises(ConfigurationError, match=r"^url is bytes; pass str$"):
        parse_url(url, cluster=False)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("valkey://a?timeout=9999999999", "request_timeout is too large"),
        ("valkey://a?client_name=a%20b", "client_name is 'a b'"),
        ("valkey://a?client_name=", "client_name is empty"),
        ("valkey://a/9999999999", "database_id is too large"),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_configuration(url: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        GlideClientConfiguration(**parse_url(url, cluster=False))
