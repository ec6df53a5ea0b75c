"""The batches, under the name that GLIDE's module has."""

from ...async_commands.batch import *  # noqa: F403
