"""Options of commands on sorted sets, under the name that GLIDE's module has."""

from ...async_commands.sorted_set import *  # noqa: F403
