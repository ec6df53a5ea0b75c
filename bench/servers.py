"""The servers that the cells need, started when the first one needs them."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme
from bench.adapters import HOST
from bench.cells import Topology

from glide_scripts.testing import ValkeyCluster, ValkeyServer


@dataclass(frozen=True)
class Place:
    """The address of a topology, and the ids of its server processes."""

    port: int
    pids: list[int]
    ca: str | None = None
    socket: str | None = None
    """The path of its Unix socket."""


class Servers:
    """A standalone server, a cluster of three nodes, and a TLS proxy for the standalone server."""

    def __init__(self, tls_front: Path) -> None:
        self._tls_front = tls_front
        self._stack = ExitStack()
        self._server: ValkeyServer | None = None
        self._socket: str | None = None
        self._places: dict[Topology, Place] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def place(self, topology: Topology) -> Place:
        if topology not in self._places:
            self._places[topology] = self._started(topology)
        return self._places[topology]

    def version(self) -> str:
        about = self._standalone().command("INFO", "server")
        assert isinstance(about, bytes)
        fields = dict(line.split(":", 1) for line in about.decode().split("\r\n") if ":" in line)
        name = fields.get("server_name", "redis")
        return f"{name} {fields.get('valkey_version') or fields['redis_version']}"

    def _started(self, topology: Topology) -> Place:
        match topology:
            case Topology.STANDALONE:
                server = self._standalone()
                return Place(server.port, [server.pid], socket=self._socket)
            case Topology.CLUSTER:
                cluster = self._stack.enter_context(ValkeyCluster(primaries=3, replicas=0))
                return Place(cluster.nodes[0].port, [node.pid for node in cluster.nodes])
            case Topology.TLS:
                return self._with_tls()

    def _standalone(self) -> ValkeyServer:
        if self._server is None:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory())
            self._socket = f"{folder}/server.sock"
            server = ValkeyServer(config={"unixsocket": self._socket})
            self._server = self._stack.enter_context(server)
        return self._server

    def _with_tls(self) -> Place:
        server = self._standalone()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        authority = trustme.CA()
        certificate = authority.issue_cert(HOST)
        ca, chain, key = (folder / name for name in ("ca.pem", "chain.pem", "key.pem"))
        authority.cert_pem.write_to_path(ca)
        certificate.private_key_pem.write_to_path(key)
        for part in certificate.cert_chain_pems:
            part.write_to_path(chain, append=True)
        command = [str(part) for part in (self._tls_front, server.port, chain, key)]
        front = self._stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        self._stack.callback(front.kill)
        assert front.stdout is not None
        return Place(int(front.stdout.readline()), [server.pid, front.pid], str(ca))
