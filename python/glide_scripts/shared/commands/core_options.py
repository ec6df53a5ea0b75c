"""Options of commands, under the name that GLIDE's module has."""

from ...async_commands.core import *  # noqa: F403
