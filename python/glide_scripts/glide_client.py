"""The clients, under the name that GLIDE's module has."""

from .client.base import BaseClient
from .client.cluster import GlideClusterClient, TGlideClient
from .client.standalone import GlideClient

__all__ = ["BaseClient", "GlideClient", "GlideClusterClient", "TGlideClient"]
