"""The logger, under the name that GLIDE's module has."""

from ..logger import *  # noqa: F403
