"""Configurations: what they take, what they refuse, and what the core gets."""

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import glide
import pytest

from glide_scripts import (
    AdvancedGlideClientConfiguration,
    BackoffStrategy,
    ConfigurationError,
    GlideClientConfiguration,
    NodeAddress,
    NodeDiscoveryMode,
    ProtocolVersion,
    ReadFrom,
    ServerCredentials,
    TlsAdvancedConfiguration,
)
from glide_scripts.config.cluster import (
    AdvancedGlideClusterClientConfiguration,
    GlideClusterClientConfiguration,
    PeriodicChecksManualInterval,
    PeriodicChecksStatus,
)

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = b"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"
ADDRESSES = [NodeAddress()]

DEFAULTS: dict[str, object] = {
    "cluster": False,
    "addresses": [("localhost", 6379)],
    "tls": None,
    "username": None,
    "password": None,
    "password_callback": None,
    "read_from": "primary",
    "request_timeout_ms": 5000,
    "connection_timeout_ms": 2000,
    "backoff": (5, 10, 2, 20),
    "database": 0,
    "client_name": None,
    "protocol": 3,
    "send_client_info": True,
    "setting_names": (),
    "inflight_limit": None,
    "client_az": None,
    "heartbeat_interval_ms": 5000,
    "pending_bytes_limit": 1 << 30,
    "tcp_nodelay": True,
    "lazy": False,
    "waits_for_replies": False,
    "observer": None,
    "sentinel": None,
    "address_map": None,
}


def standalone(**settings: Any) -> GlideClientConfiguration:
    return GlideClientConfiguration(**{"addresses": ADDRESSES, **settings})


def cluster(**settings: Any) -> GlideClusterClientConfiguration:
    return GlideClusterClientConfiguration(**{"addresses": ADDRESSES, **settings})


EVERYTHING: dict[str, Any] = {
    "addresses": [NodeAddress("a", 1), NodeAddress("::1", 65535)],
    "use_tls": True,
    "credentials": ServerCredentials("hunter2", "ann"),
    "read_from": ReadFrom.AZ_AFFINITY_REPLICAS_AND_PRIMARY,
    "request_timeout": 1,
    "reconnect_strategy": BackoffStrategy(0, 1, 1, 0),
    "database_id": 15,
    "client_name": "worker-1",
    "protocol": ProtocolVersion.RESP2,
    "inflight_requests_limit": 1,
    "client_az": "eu-1a",
    "lazy_connect": True,
}
BOUNDS: dict[str, Any] = {"heartbeat_interval": 0, "pending_bytes_limit": 99}
TLS = TlsAdvancedConfiguration(True, CERTIFICATE, CERTIFICATE, KEY, server_name="db")
ALL_SETTINGS: dict[str, object] = {
    "addresses": [("a", 1), ("::1", 65535)],
    "tls": {
        "ca": CERTIFICATE,
        "cert": CERTIFICATE,
        "key": KEY,
        "key_password": None,
        "insecure": True,
        "verify_hostname": True,
        "server_name": "db",
    },
    "username": "ann",
    "password": "hunter2",
    "password_callback": None,
    "read_from": "az_affinity_replicas_and_primary",
    "request_timeout_ms": 1,
    "connection_timeout_ms": 77,
    "backoff": (0, 1, 1, 0),
    "database": 15,
    "client_name": "worker-1",
    "protocol": 2,
    "send_client_info": True,
    "setting_names": (),
    "inflight_limit": 1,
    "client_az": "eu-1a",
    "heartbeat_interval_ms": None,
    "pending_bytes_limit": 99,
    "tcp_nodelay": False,
    "lazy": True,
    "waits_for_replies": False,
    "observer": None,
    "sentinel": None,
    "address_map": None,
}


def making(
    kind: Callable[..., object], *arguments: object, **named: object
) -> Callable[[], object]:
    """A call to make later, with arguments that a type checker would refuse."""
    return lambda: kind(*arguments, **named)


def full_standalone() -> GlideClientConfiguration:
    advanced = AdvancedGlideClientConfiguration(77, TLS, False, **BOUNDS)
    return standalone(**EVERYTHING, advanced_config=advanced)


def full_cluster() -> GlideClusterClientConfiguration:
    advanced = AdvancedGlideClusterClientConfiguration(77, TLS, True, False, **BOUNDS)
    checks = PeriodicChecksManualInterval(5)
    return cluster(**EVERYTHING, advanced_config=advanced, periodic_checks=checks)


class TestWhatTheCoreIsTold:
    def test_a_client_with_an_address_alone_has_the_defaults(self) -> None:
        assert standalone()._settings() == DEFAULTS

    def test_a_cluster_client_with_an_address_alone_has_the_defaults(self) -> None:
        assert cluster()._settings() == DEFAULTS | {
            "cluster": True,
            "periodic_checks_ms": 60_000,
            "refresh_from_seeds": False,
        }

    def test_every_setting_of_a_client_arrives(self) -> None:
        assert full_standalone()._settings() == ALL_SETTINGS | {"cluster": False}

    def test_every_setting_of_a_cluster_client_arrives(self) -> None:
        assert full_cluster()._settings() == ALL_SETTINGS | {
            "cluster": True,
            "periodic_checks_ms": 5000,
            "refresh_from_seeds": True,
        }

    def test_periodic_checks_can_be_switched_off(self) -> None:
        settings = cluster(periodic_checks=PeriodicChecksStatus.DISABLED)._settings()
        assert settings["periodic_checks_ms"] is None

    def test_tls_verifies_unless_told_otherwise(self) -> None:
        assert standalone(use_tls=True)._settings()["tls"] == {
            "ca": None,
            "cert": None,
            "key": None,
            "key_password": None,
            "insecure": False,
            "verify_hostname": True,
            "server_name": None,
        }

    def test_a_backoff_without_jitter_has_the_default_jitter(self) -> None:
        settings = standalone(reconnect_strategy=BackoffStrategy(1, 2, 3))._settings()
        assert settings["backoff"] == (1, 2, 3, 20)

    @pytest.mark.parametrize("read_from", ReadFrom)
    def test_read_from_goes_by_its_name(self, read_from: ReadFrom) -> None:
        settings = standalone(read_from=read_from, client_az="a")._settings()
        assert settings["read_from"] == read_from.name.lower()

    def test_an_ipv6_host_loses_its_brackets(self) -> None:
        assert NodeAddress("[::1]") == NodeAddress("::1")


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        (NodeAddress, ""),
        (ServerCredentials, "password_callback"),
        (BackoffStrategy, ""),
        (PeriodicChecksManualInterval, ""),
        (TlsAdvancedConfiguration, "key_password server_name verify_hostname"),
        (
            AdvancedGlideClientConfiguration,
            "heartbeat_interval pending_bytes_limit send_client_info",
        ),
        (
            AdvancedGlideClusterClientConfiguration,
            "heartbeat_interval pending_bytes_limit send_client_info",
        ),
        (GlideClientConfiguration, "observer address_map"),
        (GlideClusterClientConfiguration, "observer address_map"),
    ],
)
def test_names_and_order_are_those_of_valkey_glide(kind: type, own: str) -> None:
    parameters = inspect.signature(kind).parameters.values()
    keyword_only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    theirs = inspect.signature(getattr(glide, kind.__name__)).parameters
    assert [p.name for p in parameters if p.name not in keyword_only] == list(theirs)
    assert keyword_only == own.split()


def test_all_of_glide_s_settings_are_taken_by_position() -> None:
    # The checkers know fewer by position.
    made: Any = GlideClientConfiguration
    made_advanced: Any = AdvancedGlideClientConfiguration
    made_credentials: Any = ServerCredentials
    addresses, credentials = [NodeAddress()], made_credentials("password", None, None)
    both: list[Any] = [addresses, False, credentials, ReadFrom.PRIMARY, 100, None, 1, "me"]
    both.append(ProtocolVersion.RESP2)
    advanced = made_advanced(50, None, False, None)
    left_out = [None] * 4
    configuration = made(
        *both,
        None,
        7,
        "a",
        advanced,
        True,
        None,
        False,
        None,
        NodeDiscoveryMode.STANDARD,
        *left_out,
    )
    assert configuration == GlideClientConfiguration(
        addresses,
        credentials=credentials,
        request_timeout=100,
        database_id=1,
        client_name="me",
        protocol=ProtocolVersion.RESP2,
        inflight_requests_limit=7,
        client_az="a",
        advanced_config=advanced,
        lazy_connect=True,
    )
    with pytest.raises(TypeError, match="takes at most 22 by position, and 23 were given"):
        made(*both, *[None] * 14)
    with pytest.raises(TypeError, match="multiple values for argument 'use_tls'"):
        made(addresses, False, use_tls=True)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("setting", "value", "text"),
        [
            ("addresses", [], "addresses is empty; pass at least one NodeAddress"),
            ("addresses", None, "addresses is NoneType; pass a list of NodeAddress"),
            ("addresses", "localhost", "addresses is str; pass a list of NodeAddress"),
            ("addresses", NodeAddress(), "addresses is NodeAddress; pass a list of NodeAddress"),
            ("addresses", [NodeAddress(), "b"], "addresses[1] is str; pass a NodeAddress"),
            ("use_tls", 1, "use_tls is int; pass True or False"),
            ("use_tls", None, "use_tls is NoneType; pass True or False"),
            ("credentials", "hunter2", "credentials is str; pass a ServerCredentials"),
            (
                "read_from",
                "primary",
                "read_from is str; pass ReadFrom.PRIMARY or ReadFrom.PREFER_REPLICA or "
                "ReadFrom.AZ_AFFINITY or ReadFrom.AZ_AFFINITY_REPLICAS_AND_PRIMARY",
            ),
            ("request_timeout", 0, "request_timeout is 0; pass an int from 1 to 4294967295 ms"),
            ("request_timeout", -5, "request_timeout is -5; pass an int from 1 to"),
            ("request_timeout", 1.5, "request_timeout is float; pass an int from 1 to"),
            ("request_timeout", True, "request_timeout is bool; pass an int from 1 to"),
            ("request_timeout", "250", "request_timeout is str; pass an int from 1 to"),
            pytest.param(
                "request_timeout",
                10**5000,
                "request_timeout is too large; pass an int from 1 to",
                id="huge",
            ),
            pytest.param(
                "request_timeout",
                -(10**5000),
                "request_timeout is negative; pass an int from 1 to",
                id="minus-huge",
            ),
            ("reconnect_strategy", 3, "reconnect_strategy is int; pass a BackoffStrategy"),
            ("database_id", -1, "database_id is -1; pass an int from 0 to 2147483647"),
            ("database_id", "0", "database_id is str; pass an int from 0 to 2147483647"),
            ("client_name", "", "client_name is empty; pass str, or leave it out"),
            ("client_name", b"me", "client_name is bytes; pass str"),
            ("client_name", "my app", "client_name is 'my app'; pass printable ASCII"),
            ("client_name", "a\nb", r"client_name is 'a\nb'; pass printable ASCII"),
            ("client_name", "ann\u00e9", "client_name is 'ann\u00e9'; pass printable ASCII"),
            ("protocol", 3, "protocol is int; pass ProtocolVersion.RESP2 or ProtocolVersion.RESP3"),
            ("inflight_requests_limit", 0, "inflight_requests_limit is 0; pass an int from 1 to"),
            ("client_az", "", "client_az is empty; pass str, or leave it out"),
            ("client_az", 1, "client_az is int; pass str"),
            ("lazy_connect", "yes", "lazy_connect is str; pass True or False"),
        ],
    )
    @pytest.mark.parametrize("make", [standalone, cluster])
    def test_a_wrong_setting_is_refused_by_name(
        self, make: Callable[..., object], setting: str, value: object, text: str
    ) -> None:
        with pytest.raises(ConfigurationError) as caught:
            make(**{setting: value})
        assert text in str(caught.value)

    @pytest.mark.parametrize(
        ("make", "text"),
        [
            (making(NodeAddress, ""), "host of NodeAddress: the host is empty"),
            (making(NodeAddress, "a:1"), "host of NodeAddress: the host contains ':'"),
            (making(NodeAddress, "valkey://a"), "pass a host name or an IP address alone"),
            (making(NodeAddress, " a"), "the host contains a space or a control character"),
            (making(NodeAddress, "[a]"), "the text in brackets is not an IPv6 address"),
            (making(NodeAddress, b"a"), "host is bytes; pass str"),
            (making(NodeAddress, "a", 0), "port is 0; pass an int from 1 to 65535"),
            (making(NodeAddress, "a", 65536), "port is 65536; pass an int from 1 to 65535"),
            (making(NodeAddress, "a", "1"), "port is str; pass an int from 1 to 65535"),
            (making(NodeAddress, "a", True), "port is bool; pass an int from 1 to 65535"),
            (ServerCredentials, "password is None"),
            (making(ServerCredentials, ""), "password is empty; pass str, or leave it out"),
            (making(ServerCredentials, b"pw"), "password is bytes; pass str"),
            (making(ServerCredentials, "pw", ""), "username is empty; pass str, or leave it out"),
            (making(ServerCredentials, "pw", 1), "username is int; pass str"),
            (
                making(ServerCredentials, "pw", password_callback=print),
                "password and password_callback are both set; pass one",
            ),
            (
                making(ServerCredentials, password_callback="pw"),
                "password_callback is str; pass an async function",
            ),
            (
                making(AdvancedGlideClientConfiguration, heartbeat_interval=-1),
                "heartbeat_interval is -1; pass an int from 0",
            ),
            (
                making(AdvancedGlideClusterClientConfiguration, pending_bytes_limit=0),
                "pending_bytes_limit is 0; pass an int from 1",
            ),
            (making(BackoffStrategy, -1, 1, 1), "num_of_retries is -1; pass an int from 0"),
            (making(BackoffStrategy, 1, 0, 1), "factor is 0; pass an int from 1"),
            (making(BackoffStrategy, 1, 1, 0), "exponent_base is 0; pass an int from 1"),
            (making(BackoffStrategy, 1, 1, 1, 101), "jitter_percent is 101; pass an int from 0 to"),
            (making(PeriodicChecksManualInterval, 0), "duration_in_sec is 0; pass an int from 1"),
            (making(cluster, periodic_checks=60), "periodic_checks is int; pass a Periodic"),
            (
                making(AdvancedGlideClientConfiguration, connection_timeout=0),
                "connection_timeout is 0; pass an int from 1 to 4294967295 ms",
            ),
            (
                making(AdvancedGlideClientConfiguration, tls_config={}),
                "tls_config is dict; pass a TlsAdvancedConfiguration",
            ),
            (
                making(AdvancedGlideClientConfiguration, tcp_nodelay=1),
                "tcp_nodelay is int; pass True or False",
            ),
            (
                making(
                    AdvancedGlideClusterClientConfiguration,
                    refresh_topology_from_initial_nodes=None,
                ),
                "refresh_topology_from_initial_nodes is NoneType; pass True or False",
            ),
            (making(TlsAdvancedConfiguration, 1), "use_insecure_tls is int; pass True or False"),
            (
                making(TlsAdvancedConfiguration, root_pem_cacerts=b""),
                "root_pem_cacerts is empty; pass bytes in PEM, or leave it out",
            ),
            (
                making(TlsAdvancedConfiguration, root_pem_cacerts=1),
                "root_pem_cacerts is int; pass bytes in PEM, or the path of a PEM file",
            ),
            (
                making(TlsAdvancedConfiguration, root_pem_cacerts=""),
                "root_pem_cacerts is empty; pass bytes in PEM, or the path of a PEM file",
            ),
            (
                making(TlsAdvancedConfiguration, client_key_pem=KEY.decode()),
                "client_key_pem is PEM in a str; pass it as bytes, or pass a file's path",
            ),
            (
                making(TlsAdvancedConfiguration, True, verify_hostname=True),
                "use_insecure_tls and verify_hostname are both True",
            ),
            (
                making(AdvancedGlideClientConfiguration, send_client_info=None),
                "send_client_info is NoneType; pass True or False",
            ),
            (
                making(
                    standalone,
                    client_name="a",
                    advanced_config=AdvancedGlideClientConfiguration(send_client_info=False),
                ),
                "client_name is set and send_client_info is False",
            ),
            (
                making(TlsAdvancedConfiguration, root_pem_cacerts=b"ca.pem"),
                "root_pem_cacerts has no CERTIFICATE in PEM; pass the content of a .pem file",
            ),
            (
                making(TlsAdvancedConfiguration, client_cert_pem=CERTIFICATE),
                "client_cert_pem is set without client_key_pem; pass both",
            ),
            (
                making(TlsAdvancedConfiguration, client_key_pem=KEY),
                "client_key_pem is set without client_cert_pem; pass both",
            ),
            (
                making(TlsAdvancedConfiguration, client_cert_pem=KEY, client_key_pem=CERTIFICATE),
                "client_cert_pem has no CERTIFICATE in PEM",
            ),
            (making(TlsAdvancedConfiguration, server_name=""), "server_name is empty"),
        ],
    )
    def test_a_wrong_part_is_refused_by_name(self, make: Callable[[], object], text: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert text in str(caught.value)

    @pytest.mark.parametrize(
        "read_from", [ReadFrom.AZ_AFFINITY, ReadFrom.AZ_AFFINITY_REPLICAS_AND_PRIMARY]
    )
    def test_reading_by_zone_needs_the_zone(self, read_from: ReadFrom) -> None:
        with pytest.raises(ConfigurationError, match=f"client_az is None and .*{read_from}"):
            standalone(read_from=read_from)

    @pytest.mark.parametrize("insecure", [None, False])
    def test_details_of_tls_that_say_nothing_are_taken(self, insecure: bool | None) -> None:
        tls = TlsAdvancedConfiguration(use_insecure_tls=insecure)
        advanced = AdvancedGlideClientConfiguration(tls_config=tls)
        assert standalone(advanced_config=advanced)._settings() == DEFAULTS
        of_cluster = AdvancedGlideClusterClientConfiguration(tls_config=tls)
        assert cluster(advanced_config=of_cluster)._settings()["tls"] is None

    @pytest.mark.parametrize(
        "tls",
        [TlsAdvancedConfiguration(True), TlsAdvancedConfiguration(root_pem_cacerts=CERTIFICATE)],
    )
    def test_details_of_tls_need_tls(self, tls: TlsAdvancedConfiguration) -> None:
        with pytest.raises(ConfigurationError, match="use_tls is False; pass use_tls=True"):
            standalone(advanced_config=AdvancedGlideClientConfiguration(tls_config=tls))
        with pytest.raises(ConfigurationError, match="use_tls is False; pass use_tls=True"):
            cluster(advanced_config=AdvancedGlideClusterClientConfiguration(tls_config=tls))

    def test_the_other_clients_advanced_configuration_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="pass a AdvancedGlideClientConfiguration"):
            standalone(advanced_config=AdvancedGlideClusterClientConfiguration())
        with pytest.raises(ConfigurationError, match="pass a AdvancedGlideClusterClientConf"):
            cluster(advanced_config=AdvancedGlideClientConfiguration())


class TestWhatNobodySees:
    @pytest.mark.parametrize("show", [repr, str, "{}".format])
    @pytest.mark.parametrize("make", [full_standalone, full_cluster])
    def test_no_secret_is_shown(
        self, make: Callable[[], object], show: Callable[[object], str]
    ) -> None:
        shown = show(make())
        assert "hunter2" not in shown
        assert "ann" in shown
        assert "server_name='db'" in shown

    @pytest.mark.parametrize(
        "make",
        [
            making(standalone, credentials="hunter2"),
            making(standalone, use_tls="hunter2"),
            making(standalone, addresses="valkey://:hunter2@host"),
            making(standalone, addresses=["valkey://:hunter2@host"]),
            making(NodeAddress, "valkey://:hunter2@host"),
            making(NodeAddress, "ann:hunter2@host"),
            making(NodeAddress, b"ann:hunter2@host"),
            making(ServerCredentials, b"hunter2"),
            making(ServerCredentials, "pw", ("hunter2",)),
            making(
                TlsAdvancedConfiguration, client_cert_pem=CERTIFICATE, client_key_pem=b"hunter2"
            ),
        ],
    )
    def test_no_error_shows_a_secret(self, make: Callable[[], object]) -> None:
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert "hunter2" not in str(caught.value)


class TestThatItStaysAsChecked:
    @pytest.mark.parametrize("make", [full_standalone, full_cluster])
    def test_no_attribute_can_be_set_later(self, make: Callable[[], Any]) -> None:
        configuration = make()
        for target in [
            configuration,
            configuration.addresses[0],
            configuration.credentials,
            configuration.reconnect_strategy,
            configuration.advanced_config,
            configuration.advanced_config.tls_config,
        ]:
            for name in inspect.signature(type(target)).parameters:
                with pytest.raises(FrozenInstanceError):
                    setattr(target, name, None)

    def test_the_callers_list_of_addresses_is_not_kept(self) -> None:
        addresses = [NodeAddress()]
        configuration = standalone(addresses=addresses)
        addresses.clear()
        assert configuration.addresses == (NodeAddress(),)

    def test_a_changed_copy_is_checked_again(self) -> None:
        assert replace(full_standalone(), request_timeout=9).request_timeout == 9
        with pytest.raises(ConfigurationError, match="request_timeout is 0"):
            replace(full_standalone(), request_timeout=0)

    @pytest.mark.parametrize("make", [standalone, cluster, full_standalone, full_cluster])
    def test_copies_are_equal(self, make: Callable[[], Any]) -> None:
        configuration = make()
        for again in [make(), copy.copy(configuration), copy.deepcopy(configuration)]:
            assert again == configuration
            assert hash(again) == hash(configuration)
            assert again._settings() == configuration._settings()

    @pytest.mark.parametrize("make", [standalone, cluster])
    def test_without_secrets_they_can_be_pickled(self, make: Callable[[], Any]) -> None:
        tls = TlsAdvancedConfiguration(True, CERTIFICATE, server_name="db")
        assert pickle.loads(pickle.dumps(make())) == make()
        assert pickle.loads(pickle.dumps(tls)) == tls

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize(
        "value", [ServerCredentials("hunter2"), TLS, full_standalone(), full_cluster()]
    )
    def test_a_secret_is_not_pickled(self, value: object, protocol: int) -> None:
        with pytest.raises(TypeError, match="cannot be pickled") as caught:
            pickle.dumps(value, protocol)
        assert "hunter2" not in str(caught.value)
