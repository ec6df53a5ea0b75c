"""``glide-scripts load PATH…``: put scripts on the nodes of a server or a cluster."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import AllNodes, ByAddressRoute, GlideClient, GlideClusterClient, InfoSection, ScriptError
from . import _lock, _options
from ._failure import FAILED, UNUSABLE, Failure
from ._origin import refuse_empty
from ._scripts import Unit, collect, refusal
from ._servers import servers


@dataclass(frozen=True)
class Row:
    """A script or a library on a node."""

    node: str
    role: str
    file: str
    kind: str
    sha1: str
    state: str
    """``there``: it was, and is the same. ``new``: it was not. ``changed``: another library of its
    name was. A replica's libraries are those of its primary."""


def command(
    paths: _options.Paths = None,
    *,
    code: _options.Code = None,
    root: _options.Root = None,
    url: _options.RequiredUrls = None,
    cluster: _options.Cluster = False,
    locked: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Load only if all scripts match the lockfile."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Load nothing; only show the state.")
    ] = False,
    as_json: Annotated[bool, _options.json_option("Print JSON instead of a table.")] = False,
    traceback: _options.Traceback = False,
) -> None:
    """Load scripts and functions on every node, and show which were new.

    The output shows the state of each node. Scripts are also loaded on replicas, so that they exist
    after a failover. Libraries are loaded on the primaries, which replicate them, and replace those
    of the same name.

    A folder means its .lua files, except those that others include. If a file cannot be used,
    nothing is loaded. Clients load missing scripts by themselves; loading in advance saves their
    first call a round trip, and reveals scripts that do not compile.

    The state is the one before loading, so --dry-run shows the same:

    \b
      there    it was already loaded, and is the same
      new      it was missing; without --dry-run, it is now loaded
      changed  another library had its name

    Exit codes: 0 all is loaded; 1 a script does not compile, a node refused, or the lockfile does
    not match; 2 wrong usage, an unusable file, or no server could be reached; 130 interrupted.
    """
    if url is None:
        raise Failure("load needs a server: --url valkey://host:port", UNUSABLE)
    collected = collect(paths, code, root)
    for error in collected.unusable:
        raise Failure(str(error), UNUSABLE) from error
    if locked:
        for each in _lock.differences(locked, collected.units):
            raise Failure(f"{each.file}: {each.message}; nothing was loaded", FAILED)
    rows = asyncio.run(_load(collected.units, url, cluster=cluster, dry_run=dry_run))
    if as_json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2))
    else:
        _table(rows)


async def _load(
    units: Sequence[Unit], urls: Sequence[str], *, cluster: bool, dry_run: bool
) -> list[Row]:
    async with servers(urls, cluster=cluster) as target, await target.connect() as client:
        for unit in units:
            refuse_empty(unit.file, unit.code)
        nodes: list[_Node]
        if isinstance(client, GlideClusterClient):
            nodes = await _nodes(client)
        else:
            about = await client.info([InfoSection.CLUSTER])
            if b"cluster_enabled:1" in about:
                raise Failure("the URL is of a node of a cluster; add --cluster", UNUSABLE)
            nodes = [_Node(client, await _address(client), "primary", {})]
        # What is there is asked of all before anything is loaded on one.
        rows = [row for node in nodes for row in await _states(node, units)]
        if not dry_run:
            for node in nodes:
                for unit in units:
                    await node.load(unit)
        return rows


@dataclass(frozen=True)
class _Node:
    client: GlideClient | GlideClusterClient
    address: str
    role: str
    routed: dict[str, Any]
    """The route to it, as an argument; nothing of a server's only node."""

    async def exist(self, sha1s: list[str]) -> list[bool]:
        return await self.client.script_exists(sha1s, **self.routed)

    async def library_code(self, name: str) -> bytes | None:
        """The code of the library of that name; None if there is none."""
        listed: Any = await self.client.function_list(name, with_code=True, **self.routed)
        return listed[0][b"library_code"] if listed else None

    async def load(self, unit: Unit) -> None:
        try:
            if unit.library is None:
                await self.client.script_load(unit.code, **self.routed)
            elif self.role == "primary":
                await self.client.function_load(unit.code, replace=True, **self.routed)
        except ScriptError as error:
            place, message = refusal(unit, error)
            raise Failure(f"{place}: {message}", FAILED) from error


async def _nodes(client: GlideClusterClient) -> list[_Node]:
    """The nodes of a cluster, each primary before its replicas."""
    roles: Any = await client.custom_command(["ROLE"], AllNodes())
    nodes = []
    for address, role in roles.items():
        name = address.decode()
        is_primary = role[0] == b"master"
        shard = name if is_primary else f"{role[1].decode()}:{role[2]}"
        kind = "primary" if is_primary else "replica"
        node = _Node(client, name, kind, {"route": ByAddressRoute(name)})
        nodes.append((shard, not is_primary, name, node))
    return [node for *_, node in sorted(nodes, key=lambda each: each[:3])]


async def _states(node: _Node, units: Sequence[Unit]) -> list[Row]:
    scripts = [unit.sha1 for unit in units if unit.library is None]
    is_there = dict(zip(scripts, await node.exist(scripts) if scripts else [], strict=True))
    rows = []
    for unit in units:
        if unit.library is None:
            state = "there" if is_there[unit.sha1] else "new"
        elif (code := await node.library_code(unit.library.name)) is None:
            state = "new"
        else:
            state = "there" if code == unit.code else "changed"
        rows.append(Row(node.address, node.role, unit.file, unit.kind, unit.sha1, state))
    return rows


async def _address(client: GlideClient) -> str:
    """The address by which a client has reached its server."""
    about = await client.custom_command(["CLIENT", "INFO"])
    assert isinstance(about, bytes)
    return next(word[6:] for word in about.decode().split() if word.startswith("laddr="))


def _table(rows: Sequence[Row]) -> None:
    """A table for a terminal, and lines of words for a program."""
    if not sys.stdout.isatty():
        for row in rows:
            print(row.node, row.role, row.state, row.sha1, row.file, sep="\t")
        return
    from rich.table import Table  # noqa: PLC0415 - saves time at import
    from rich.text import Text  # noqa: PLC0415 - saves time at import

    from ._console import Output  # noqa: PLC0415 - saves time at import

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("node", "role", "state", "sha1", "file"):
        table.add_column(title, overflow="fold")
    before = None
    for row in rows:
        is_first, before = row.node != before, row.node
        state = Text(row.state, style=_STYLES[row.state])
        node = (row.node, row.role) if is_first else ("", "")
        # Enough of it to tell scripts apart; all of it is in what programs get.
        table.add_row(*node, state, row.sha1[:10], Text(row.file))
    Output().print(table)


_STYLES = {"there": "", "new": "green", "changed": "yellow"}
