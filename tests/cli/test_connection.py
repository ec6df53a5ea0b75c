"""The server to connect to, as options of the command line and environment variables say."""

from __future__ import annotations

import dataclasses
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Certificate, openssl, self_signed
from tests.servers.debian import debian_program

from glide_scripts import AdvancedGlideClientConfiguration
from glide_scripts.cli import _connection
from glide_scripts.cli._app import run
from glide_scripts.testing import ValkeyServer
from glide_scripts.testing._ports import free_port

PASSWORD = "open sesame"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "one.lua"
    file.write_text("return 1\n")
    return file


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_connection.PASSWORD_VARIABLES, _connection.KEY_PASSWORD_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_a_unix_socket_is_a_url(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.sock"
    with ValkeyServer(config={"unixsocket": str(path)}):
        assert run(["run", str(script), "--url", f"unix://{path}?db=1"]) == 0
    assert capsys.readouterr().out == "1\n"
    assert run(["run", str(script), "--url", f"unix://{path}"]) == 2
    assert f"{path}: " in capsys.readouterr().err


@pytest.fixture
def locked() -> Iterator[ValkeyServer]:
    with ValkeyServer(password=PASSWORD) as server:
        yield server


@pytest.mark.parametrize(
    ("command", "name"),
    list(zip(["run", "load", "bench", "check"], 2 * _connection.PASSWORD_VARIABLES, strict=True)),
)
def test_the_environment_has_the_password(
    locked: ValkeyServer,
    script: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    name: str,
) -> None:
    url = f"valkey://{locked.host}:{locked.port}"
    words = [command, str(script), "--url", url, *(["--calls", "3"] if command == "bench" else [])]
    assert run(words) == 2
    monkeypatch.setenv(name, PASSWORD)
    assert run(words) == 0
    monkeypatch.setenv(name, "wrong")
    assert run(words) == 2
    # A password in the URL takes precedence.
    assert run([*words[:3], locked.url, *words[4:]]) == 0


def test_a_password_is_asked_for_at_a_terminal(
    locked: ValkeyServer, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def getpass(prompt: str, stream: object) -> str:
        asked.append(prompt)
        return PASSWORD

    monkeypatch.setattr("getpass.getpass", getpass)
    url = f"valkey://{locked.host}:{locked.port}"
    assert run(["run", str(script), "--url", url]) == 2
    assert run(["run", str(script), "--url", url, "--askpass"]) == 0
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert run(["run", str(script), "--url", url]) == 0
    assert asked == ["Password: "] * 2


def test_connecting_has_a_time(script: Path, capsys: pytest.CaptureFixture[str]) -> None:

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"valkey://127.0.0.1:{silent.getsockname()[1]}"
        assert run(["run", str(script), "--url", url, "--timeout", "0.2"]) == 2
    assert "no connection within 200 ms" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "--timeout 1",
        "--askpass",
        "--ask-key-password",
        "--insecure",
        "--sni a",
        "--address-map a=b",
    ],
)
def test_an_option_for_connecting_needs_a_url(
    script: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert run(["run", str(script), *words.split()]) == 2
    option = words.split(maxsplit=1)[0]
    said = f"glide-scripts: {option} is for the server of --url; add --url, or leave it out\n"
    assert capsys.readouterr().err == said


def test_an_option_leaves_the_url_s_other_settings_as_they_are() -> None:
    before = AdvancedGlideClientConfiguration(heartbeat_interval=700, tcp_nodelay=False)
    kinds: Any = None
    applied = _connection.Connecting(timeout=0.2).applied_to({"advanced_config": before}, kinds)
    assert applied["advanced_config"] == dataclasses.replace(before, connection_timeout=200)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Certificate]]:
    """The URL of a server with TLS, and its certificate, which is its clients', too."""
    own = self_signed(tmp_path, "own", "/CN=db.example.com")
    port = free_port()
    config = {
        "tls-port": str(port),
        "tls-cert-file": str(own.cert),
        "tls-key-file": str(own.key),
        "tls-ca-cert-file": str(own.cert),
    }
    with ValkeyServer(binary=debian_program("redis-7.0"), config=config):
        yield f"valkeys://localhost:{port}", own


@pytest.mark.needs_program("redis-7.0")
def test_options_of_tls(
    secure: tuple[str, Certificate],
    script: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, own = secure
    command = ["run", str(script), "--url", url]
    pair = ["--cert", str(own.cert), "--tls-key", str(own.key)]
    both = tmp_path / "both.pem"
    both.write_bytes(own.cert.read_bytes() + own.key.read_bytes())
    ca = ["--cacert", str(own.cert)]
    sni = ["--sni", "db.example.com"]
    assert run([*command, *pair, *ca, *sni]) == 0
    assert run([*command, "--cert", str(both), *ca, *sni]) == 0
    assert run([*command, *pair, "--insecure"]) == 0
    assert run(["load", str(script), "--url", url, "--insecure", *pair[:2], "--key", pair[3]]) == 0
    capsys.readouterr()
    for options, text in (
        (pair, "as --cacert"),
        ([*pair, *ca], "set --sni"),
        ([*ca, *sni], "pass --cert and --tls-key"),
        ([*pair[2:], "--insecure"], "--tls-key is set without --cert; pass both"),
    ):
        assert run([*command, *options]) == 2
        assert text in capsys.readouterr().err
    plain = ["run", str(script), "--url", url.replace("valkeys", "valkey")]
    assert run(plain) == 2
    assert "pass valkeys:// as the scheme" in capsys.readouterr().err
    assert run([*plain, "--insecure"]) == 2
    assert "--insecure is an option of TLS" in capsys.readouterr().err
    assert run([*command, "--cacert", str(tmp_path / "none.pem")]) == 2
    assert "--cacert" in capsys.readouterr().err


@pytest.mark.needs_program("redis-7.0")
def test_an_encrypted_key_has_its_password_from_elsewhere_than_the_command_line(
    secure: tuple[str, Certificate],
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, own = secure
    key = tmp_path / "locked.key"
    openssl("pkcs8", "-topk8", "-in", own.key, "-passout", f"pass:{PASSWORD}", "-out", key)
    by_options = ["run", str(script), "--url", url, "--insecure", "--cert", str(own.cert)]
    plain, locked = [*by_options, "--tls-key", str(own.key)], [*by_options, "--tls-key", str(key)]
    query = f"?ssl_cert_reqs=none&ssl_certfile={own.cert}&ssl_keyfile={key}"
    by_url = ["run", str(script), "--url", f"{url}/{query}"]

    for command in (locked, by_url):
        assert run(command) == 2
        advice = "pass --ask-key-password (or GLIDE_SCRIPTS_KEY_PASSWORD)"
        assert advice in capsys.readouterr().err
    monkeypatch.setenv(_connection.KEY_PASSWORD_VARIABLE, PASSWORD)
    # It is ignored for keys without a password, and if the URL has one.
    assert [run(command) for command in (locked, by_url, plain)] == [0, 0, 0]
    assert run([*by_url[:3], f"{by_url[3]}&ssl_password=wrong"]) == 2
    monkeypatch.setenv(_connection.KEY_PASSWORD_VARIABLE, "wrong")
    capsys.readouterr()
    assert run(locked) == 2
    error = capsys.readouterr().err
    assert (
        "--ask-key-password (or GLIDE_SCRIPTS_KEY_PASSWORD): it does not decrypt --tls-key" in error
    )
    assert "wrong" not in error

    asked: list[str] = []

    def getpass(prompt: str, stream: object) -> str:
        asked.append(prompt)
        return PASSWORD

    monkeypatch.setattr("getpass.getpass", getpass)
    assert run([*locked, "--ask-key-password"]) == 0
    monkeypatch.delenv(_connection.KEY_PASSWORD_VARIABLE)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert run(locked) == 0
    assert run(plain) == 0
    assert asked == ["Password of the key: "] * 2
    assert run([*by_options[:5], "--ask-key-password"]) == 2
    assert "--ask-key-password is set without a key" in capsys.readouterr().err
