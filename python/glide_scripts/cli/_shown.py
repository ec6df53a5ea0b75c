"""How the debugger shows a reply."""

from ..testing._wire import Reply, ServerReplyError


def shown_reply(reply: Reply) -> str:
    """A reply as ``glide-scripts run`` prints it."""
    if isinstance(reply, ServerReplyError):
        return f"RequestError({str(reply)!r})"
    if isinstance(reply, list):
        return f"[{', '.join(shown_reply(item) for item in reply)}]"
    return repr(reply)
