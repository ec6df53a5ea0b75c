"""``OK`` and the types of replies and arguments, under the name that GLIDE's module has."""

import glide_scripts  # noqa: F401 - waits until the package is there

from .commands.routes import TSingleNodeRoute
from .values import (
    OK,
    TOK,
    TClusterResponse,
    TEncodable,
    TFunctionListResponse,
    TFunctionStatsFullResponse,
    TFunctionStatsSingleNodeResponse,
    TResult,
)

__all__ = [
    "OK",
    "TOK",
    "TClusterResponse",
    "TEncodable",
    "TFunctionListResponse",
    "TFunctionStatsFullResponse",
    "TFunctionStatsSingleNodeResponse",
    "TResult",
    "TSingleNodeRoute",
]
