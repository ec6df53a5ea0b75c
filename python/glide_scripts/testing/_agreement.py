"""Whether the nodes of a cluster agree."""

from collections.abc import Sequence

from ._cluster_view import View, fields, view_of
from ._server import ValkeyServer
from ._slots import SLOTS
from ._wire import ServerReplyError


def unsettled(nodes: Sequence[ValkeyServer]) -> str | None:
    """Why the running nodes do not agree yet; None if they agree."""
    up = [node for node in nodes if node.running and not node.paused]
    if not up:
        return "no node runs"
    try:
        views = [view_of(node) for node in up]
        for node, view in zip(up, views, strict=True):
            if missing := _missing(view, nodes, up) or _not_in_service(node, view):
                return f"{node}: {missing}"
    except (OSError, ServerReplyError) as error:
        return f"a node does not answer: {error}"
    if len({view.picture for view in views}) > 1:
        return "the nodes do not agree on roles and slots"
    return _unserved(views[0], up)


def _missing(view: View, nodes: Sequence[ValkeyServer], up: Sequence[ValkeyServer]) -> str | None:
    """What one node has yet to learn about the others."""
    members = {member.port: member for member in view.members}
    if members.keys() != {node.port for node in nodes} or len(view.members) != len(nodes):
        return f"knows {len(members)} of {len(nodes)} nodes"
    ports_up = {node.port for node in up}
    for port, member in members.items():
        if port in ports_up and not member.is_settled:
            return f"is not in touch with port {port}"
        if port not in ports_up and "fail" not in member.flags:
            return f"has not noticed that port {port} is down"
    return None


def _not_in_service(node: ValkeyServer, view: View) -> str | None:
    state = fields(node, "CLUSTER", "INFO")["cluster_state"]
    if state != "ok":
        return f"cluster_state:{state}"
    if not view.myself.is_primary:
        link = fields(node, "INFO", "replication").get("master_link_status")
        if link != "up":
            return f"master_link_status:{link}"
    return None


def _unserved(view: View, up: Sequence[ValkeyServer]) -> str | None:
    ports_up = {node.port for node in up}
    served = sum(len(slots) for m in view.members if m.port in ports_up for slots in m.slots)
    return None if served == SLOTS else f"{SLOTS - served} slots are not served"
