"""Options of commands, under the name that GLIDE's module has."""

from ..commands.ranges import Limit
from ..commands.scanning import ObjectType

__all__ = ["Limit", "ObjectType"]
