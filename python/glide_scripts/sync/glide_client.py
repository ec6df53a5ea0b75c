"""The synchronous clients, under the name that GLIDE's module has."""

from ..client.blocking.base import BaseClient
from ..client.blocking.cluster import GlideClusterClient, TGlideClient
from ..client.blocking.standalone import GlideClient

__all__ = ["BaseClient", "GlideClient", "GlideClusterClient", "TGlideClient"]
