"""A script that is invoked in a batch of its own."""

from __future__ import annotations

from glide_scripts import Batch, GlideClient, Script


async def invoked_in_batch(
    client: GlideClient, script: Script, *args: bytes, key: str, is_atomic: bool
) -> object:
    """Returns its reply."""
    batch = Batch(is_atomic=is_atomic)
    batch.invoke_script(script, [key], list(args))
    replies = await client.exec(batch, raise_on_error=True)
    assert replies is not None
    return replies[0]
