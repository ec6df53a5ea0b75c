"""The synchronous client: the same names as ``glide_scripts``, for programs without asyncio.

::

    from glide_scripts.sync import GlideClient, Script

    with GlideClient.from_url("valkey://localhost") as client:
        script = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        total = client.invoke_script(script, keys=["total"], args=["5"])

Any number of threads may share one client. A call releases the GIL and blocks its own thread.
"""

import typing

import glide_scripts

from ..client.blocking.standalone import GlideClient as GlideClient
from ..public import later

if typing.TYPE_CHECKING:
    # These replace the package's. If a name is imported twice, mypy takes the first one and pyright
    # the last one.
    from ..client.blocking.cluster import GlideClusterClient as GlideClusterClient
    from ..client.blocking.cluster import TGlideClient as TGlideClient
    from ..client.blocking.replies import ScriptReplies as ScriptReplies

    # isort: split
    from glide_scripts import *  # type: ignore[assignment] # noqa: F403

    # isort: split
    from ..client.blocking.cluster import GlideClusterClient as GlideClusterClient  # noqa: F811
    from ..client.blocking.cluster import TGlideClient as TGlideClient  # noqa: F811
    from ..client.blocking.replies import ScriptReplies as ScriptReplies  # noqa: F811
    from ..client.blocking.standalone import GlideClient as GlideClient
else:
    # Those of the package, since a program imports from one of the two.
    __all__ = glide_scripts.__all__

    # What a program of one server does not need is imported when it is asked for.
    __getattr__, __dir__ = later(
        globals(),
        dict.fromkeys(__all__, "")
        | {
            "GlideClusterClient": "client.blocking.cluster",
            "ScriptReplies": "client.blocking.replies",
            "TGlideClient": "client.blocking.cluster",
        },
    )

del later, typing
