"""Options of commands, under the name that GLIDE's module has."""

from ..commands.expiry import ExpirySet, ExpiryType
from ..commands.flush_mode import FlushMode
from ..commands.functions import FunctionRestorePolicy
from ..commands.key_expiry import ExpireOptions
from ..commands.server import InfoSection
from ..commands.sorted_sets import UpdateOptions
from ..commands.strings import ConditionalChange, OnlyIfEqual

__all__ = [
    "ConditionalChange",
    "ExpireOptions",
    "ExpirySet",
    "ExpiryType",
    "FlushMode",
    "FunctionRestorePolicy",
    "InfoSection",
    "OnlyIfEqual",
    "UpdateOptions",
]
