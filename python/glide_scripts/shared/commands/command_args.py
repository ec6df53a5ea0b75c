"""Options of commands, under the name that GLIDE's module has."""

from ...async_commands.command_args import *  # noqa: F403
