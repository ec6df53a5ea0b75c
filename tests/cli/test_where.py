"""Where the command line connects: through Sentinels, and with address maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.terminal import piped
from tests.sentinels import Service

from glide_scripts.cli import main
from glide_scripts.testing import ValkeyServer

INNER = "inner.invalid:6379"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(password="inner", sentinel_password="outer") as service:
        yield service


@pytest.fixture
def script(tmp_path: Path) -> Path:
    script = tmp_path / "script.lua"
    script.write_text("return redis.call('SET', KEYS[1], 'there')")
    return script


def test_a_url_may_name_sentinels(script: Path, service: Service) -> None:
    url = service.sentinels[0].url
    assert main(["run", str(script), "--key", "reached", "--url", url]) == 0
    assert service.primary.command("GET", "reached") == b"there"


def test_the_debugger_finds_the_primary_through_sentinels(script: Path, service: Service) -> None:
    url = service.sentinels[0].url
    ended = piped("debug", str(script), "--key", "k", "--url", url, text="continue\n")
    assert ended.code == 0, ended
    assert "OK" in ended.out


def test_an_unknown_service_is_an_error(
    script: Path, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    url = service.sentinels[0].url.replace("/main", "/other")
    assert main(["run", str(script), "--key", "k", "--url", url]) != 0
    assert 'knows no service "other", only "main"' in capsys.readouterr().err


def test_a_server_is_reached_where_the_map_has_it(script: Path) -> None:
    with ValkeyServer() as server:
        outer = f"{server.host}:{server.port}"
        words = ["--url", f"valkey://{INNER}", "--address-map", f"{INNER}={outer}"]
        assert main(["run", str(script), "--key", "reached", *words]) == 0
        assert server.command("GET", "reached") == b"there"


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ("inner:6379", "it has no '='"),
        ("inner=outer:1", "it has no port"),
        ("inner:1=outer:x", "the port is not a number from 1 to 65535"),
        ("a:1=b:1 --address-map a:1=c:1", "it has a:1 twice"),
    ],
)
def test_a_wrong_mapping_is_named(
    script: Path, capsys: pytest.CaptureFixture[str], mapping: str, why: str
) -> None:
    words = f"--address-map {mapping}".split()
    assert main(["run", str(script), "--url", "valkey://localhost", *words]) != 0
    assert f"--address-map: {why}; write inner:6379=outer:6379" in capsys.readouterr().err


def test_a_mapping_is_given_once(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--url", "valkey://localhost?address_map=a:1=b:1", "--address-map", "a:1=b:1"]
    assert main(["run", str(script), *words]) != 0
    assert "--address-map and address_map in the URL" in capsys.readouterr().err
