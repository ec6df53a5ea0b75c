"""A real Sentinel on a free loopback port."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from ._ports import HOST
from ._server import ValkeyServer, credentials, quoted
from ._wait import wait_until
from ._wire import Reply, ServerReplyError

_FAILOVER_TIMEOUT = 20.0


class ValkeySentinel(ValkeyServer):
    """A real Sentinel, which monitors a primary and its replicas, on 127.0.0.1.

        with (
            ValkeyServer() as primary,
            ValkeyServer(config={"replicaof": f"{primary.host} {primary.port}"}),
            ValkeySentinel(primary) as sentinel,
        ):
            client = await GlideClient.from_url(sentinel.url)
            sentinel.failover()

    Sentinels that monitor the same primary find each other. `restart` keeps what the Sentinel has
    learned. All else is as for `ValkeyServer`.

    Args:
        primary: The server to monitor. It must run already. The Sentinel finds its replicas.
        service_name: The name by which clients ask for the primary.
        quorum: How many Sentinels must agree that the primary is down before a failover.
        down_after: The milliseconds after which a silent server counts as down.
        password: The password that clients need at the Sentinel; None means none.
        binary, port, config, start_timeout: As for `ValkeyServer`.

    Raises:
        ValueError: A setting in ``config`` is wrong.
    """

    _arguments = ("--sentinel",)

    def __init__(
        self,
        primary: ValkeyServer,
        *,
        service_name: str = "mymaster",
        quorum: int = 1,
        down_after: int = 500,
        password: str | None = None,
        binary: str | os.PathLike[str] | None = None,
        port: int | None = None,
        config: Mapping[str, str] | None = None,
        start_timeout: float = 10.0,
    ) -> None:
        super().__init__(
            binary=binary,
            port=port,
            password=password,
            config=config,
            start_timeout=start_timeout,
        )
        self.service_name = service_name
        self._quorum, self._down_after = quorum, down_after
        self._watched = (primary.host, primary.port, primary._password)

    @property
    def url(self) -> str:
        """``valkey+sentinel://127.0.0.1:port/service``, with the passwords if there are any."""
        password = self._watched[2]
        query = f"?sentinel_password={quote(self._password, safe='')}" if self._password else ""
        place = f"{credentials(password)}{HOST}:{self.port}"
        return f"valkey+sentinel://{place}/{self.service_name}{query}"

    @property
    def primary(self) -> tuple[str, int]:
        """Host and port of the server that the Sentinel names as the primary."""
        reply = self.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service_name)
        assert isinstance(reply, list)
        host, port = reply
        assert isinstance(host, bytes)
        assert isinstance(port, bytes)
        return host.decode(), int(port)

    def wait_until_ready(
        self, *, replicas: int = 1, sentinels: int = 0, timeout: float = 20.0
    ) -> None:
        """Wait until the Sentinel has found replicas and other Sentinels.

        Args:
            replicas: The number of replicas that must answer it.
            sentinels: The number of other Sentinels.
            timeout: The time limit in seconds.

        Raises:
            TimeoutError: With what the Sentinel knows.
        """

        def missing() -> str | None:
            about = _fields(self.command("SENTINEL", "MASTER", self.service_name))
            found = (about["flags"], int(about["num-slaves"]), int(about["num-other-sentinels"]))
            wanted = ("master", replicas, sentinels)
            if found != wanted:
                return f"the Sentinel at port {self.port} knows {found}, not {wanted}"
            return None if self._up() == replicas else "a replica has not answered it"

        wait_until(missing, timeout=timeout)

    def failover(self, timeout: float = _FAILOVER_TIMEOUT) -> None:
        """Promote a replica, and wait until the Sentinel names it as the primary.

        Args:
            timeout: The time limit in seconds.

        Raises:
            TimeoutError: No replica was promoted in time.
        """
        before = self.primary

        def missing() -> str | None:
            if self.primary != before:
                return None
            try:
                self.command("SENTINEL", "FAILOVER", self.service_name)
            except ServerReplyError as error:
                # One is being made, or no replica has answered yet.
                return str(error)
            return "no other primary yet"

        wait_until(missing, timeout=timeout)

    def _up(self) -> int:
        """How many replicas answer it, and their primary."""
        entries = self.command("SENTINEL", "REPLICAS", self.service_name)
        assert isinstance(entries, list)
        found = map(_fields, entries)
        return sum((one["flags"], one["master-link-status"]) == ("slave", "ok") for one in found)

    def _write_settings(self, file: Path, port: int) -> None:
        # It keeps what it knows in there.
        if not (self._has_run and file.exists()):
            super()._write_settings(file, port)

    def _settings(self, port: int) -> str:
        host, watched, password = self._watched
        name = self.service_name
        lines = {
            **self._config,
            "port": str(port),
            "bind": HOST,
            "daemonize": "no",
            f"sentinel monitor {name}": f"{host} {watched} {self._quorum}",
            f"sentinel down-after-milliseconds {name}": str(self._down_after),
            f"sentinel failover-timeout {name}": "5000",
        }
        if password is not None:
            lines[f"sentinel auth-pass {name}"] = quoted(password)
        if self._password is not None:
            lines["requirepass"] = quoted(self._password)
        return "".join(f"{setting} {value}\n" for setting, value in lines.items())


def _fields(entry: Reply) -> dict[str, str]:
    """What a Sentinel says of a server: names, each followed by its value."""
    assert isinstance(entry, list)
    words = [word.decode() for word in entry if isinstance(word, bytes)]
    return dict(zip(words[::2], words[1::2], strict=True))
