"""URLs of servers."""

from typing import Any

import pytest

from glide_scripts import (
    ConfigurationError,
    GlideClientConfiguration,
    NodeAddress,
    ProtocolVersion,
    ServerCredentials,
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
    ("valkey://hunter2@a", "it has no password before '@'"),
    ("valkey://hunter2:@a", "it has no password before '@'"),
    ("valkey://@a", "it has no password before '@'"),
    ("valkey://ann:hunter2", "in host 1, the port is not a number"),
    ("valkey://a/x", "the database is not a number"),
    ("valkey://a/-1", "the database is not a number"),
    ("valkey://a/1/2", "the database is not a number"),
    ("valkey://a/1_0", "the database is not a number"),
    ("valkey://a/٣", "the database is not a number"),
    ("valkey://a#x", "it contains '#', which has no meaning here"),
    ("valkey://a?db=1", "there is no setting 'db', only protocol, client_name, timeout"),
    ("valkey://a?protocol=2&", "there is no setting ''"),
    ("valkey://a?password=hunter2", "there is no setting 'password'"),
    ("valkey://a?protocol=4", "protocol is not 2 or 3"),
    ("valkey://a?protocol", "protocol is not 2 or 3"),
    ("valkey://a?timeout=1s", "timeout is not a number"),
    ("valkey://a?timeout=", "timeout is not a number"),
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
    assert caught.value.__suppress_context__


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
        ("valkey://a?timeout=0", "request_timeout is 0"),
        ("valkey://a?client_name=a%20b", "client_name is 'a b'"),
        ("valkey://a?client_name=", "client_name is empty"),
        ("valkey://a/9999999999", "database_id is too large"),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_configuration(url: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        GlideClientConfiguration(**parse_url(url, cluster=False))
