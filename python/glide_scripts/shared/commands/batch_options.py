"""The options of batches, under the name that GLIDE's module has."""

from ...async_commands.batch_options import *  # noqa: F403
