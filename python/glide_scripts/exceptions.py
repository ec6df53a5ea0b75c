"""The exceptions, under the name that GLIDE's module has."""

from .errors import *  # noqa: F403
