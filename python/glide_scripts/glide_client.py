"""The clients, under the name that GLIDE's module has."""

import glide_scripts  # noqa: F401 - waits until the package is there

from .client.base import BaseClient
from .client.cluster import GlideClusterClient, TGlideClient
from .client.standalone import GlideClient

__all__ = ["BaseClient", "GlideClient", "GlideClusterClient", "TGlideClient"]
